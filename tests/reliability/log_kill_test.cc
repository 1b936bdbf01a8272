// kill -9 of a process that appends with several threads, and compacts, over and over on the same
// log: every batch that was acknowledged is there afterwards, with its sequence, none twice.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include "base/random.h"
#include "store/event_log.h"
#include "tests/reliability/form.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

constexpr std::uint64_t kKills = 20;     // of one log; the long form does it with ten
constexpr Timestamp kYoung = 1'000;      // when the events of the ledger were received
constexpr const char* kOld = "dropped";  // what compaction drops: events of before
constexpr std::uint32_t kThreads = 4, kBatch = 7;

EventLogOptions log_options(const std::string& durability) {
  EventLogOptions options;
  options.durability = durability;
  options.interval_ms = 20;
  options.segment_bytes = 32 << 10;  // so that segments begin and end all the time
  return options;
}

std::string id_of(std::uint32_t thread, std::uint32_t batch, std::uint32_t i) {
  return std::to_string(thread) + "/" + std::to_string(batch) + "/" + std::to_string(i);
}

// What the child says of one batch; smaller than PIPE_BUF, so that lines never mix.
struct Acknowledged {
  std::uint32_t thread, batch;
  std::uint64_t last_sequence, accepted;
};

// Appends for ever, from the given batch of each thread on. Never returns.
[[noreturn]] void append_until_killed(const std::string& folder, const EventLogOptions& options,
                                      int pipe, const std::array<std::uint32_t, kThreads>& start) {
  auto log = open_file_log(real_files(), folder, options);
  if (!log.ok()) {
    std::fprintf(stderr, "%s\n", log.error().message.c_str());
    ::_exit(1);
  }
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (std::uint32_t batch = start[t];; ++batch) {
        std::vector<std::string> ids;
        for (std::uint32_t i = 0; i < kBatch; ++i) ids.push_back(id_of(t, batch, i));
        std::vector<NewRecord> records;
        for (const std::string& id : ids)
          records.push_back({RecordKind::kEvent, id, as_bytes(id), kYoung});
        const auto appended = (*log)->append(records);
        const NewRecord old{RecordKind::kEvent, {}, as_bytes(kOld), kYoung - 1};
        if (!appended.ok() || !(*log)->append_unsynced(std::span(&old, 1)).ok()) ::_exit(2);
        const Acknowledged line{t, batch, appended->last_sequence, appended->accepted};
        if (::write(pipe, &line, sizeof line) != sizeof line) ::_exit(3);
      }
    });
  while ((*log)->compact((*log)->last_sequence(), kYoung, nullptr).ok())
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ::_exit(4);
}

class Kill : public testing::TestWithParam<const char*> {
 protected:
  // One life of the child: starts it, lets it acknowledge `lines` batches, kills it, hears it out.
  void run_child(std::uint64_t lines) {
    // Two batches of each thread are sent again: a client that heard no answer does the same.
    std::array<std::uint32_t, kThreads> start{};
    for (std::uint32_t t = 0; t < kThreads; ++t) start[t] = next_[t] > 2 ? next_[t] - 2 : 0;
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    ASSERT_GE(::fcntl(ends[1], F_SETPIPE_SZ, 4096), 0);  // so that the child cannot run far ahead
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) append_until_killed(folder_->path(), log_options(GetParam()), ends[1], start);
    ::close(ends[1]);
    Acknowledged line;
    for (std::uint64_t heard = 0; ::read(ends[0], &line, sizeof line) == sizeof line; ++heard) {
      if (heard == lines) ::kill(child, SIGKILL);
      note(line);
    }
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
  }

  void note(const Acknowledged& line) {
    const auto key = std::pair(line.thread, line.batch);
    const auto known = acknowledged_.emplace(key, line.last_sequence).first;
    EXPECT_EQ(known->second, line.last_sequence) << "a repeat has the sequence of the first";
    next_[line.thread] = std::max(next_[line.thread], line.batch + 1);
  }

  void verify() {
    const auto log = open_file_log(real_files(), folder_->path(), log_options(GetParam()));
    ASSERT_TRUE(log.ok()) << log.error().message;
    std::map<std::string, std::uint64_t> found;
    std::uint64_t last = 0;
    const Status read = (*log)->read(1, [&](const LogRecord& record) -> Status {
      EXPECT_GT(record.sequence, last);
      last = record.sequence;
      if (as_text(record.payload) == kOld) return {};
      EXPECT_TRUE(found.emplace(as_text(record.payload), record.sequence).second)
          << as_text(record.payload) << " is there twice";
      return {};
    });
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(found.size() % kBatch, 0U) << "a batch is there as a whole or not at all";
    for (const auto& entry : acknowledged_)
      for (std::uint32_t i = 0; i < kBatch; ++i) {
        const auto at = found.find(id_of(entry.first.first, entry.first.second, i));
        ASSERT_NE(at, found.end()) << "an acknowledged event is lost";
        ASSERT_EQ(at->second, entry.second - (kBatch - 1) + i);
      }
  }

  void begin_anew() {
    folder_.emplace();
    acknowledged_.clear();
    next_ = {};
  }

  std::optional<TempFolder> folder_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> acknowledged_;
  std::array<std::uint32_t, kThreads> next_{};
};

TEST_P(Kill, TheWriterLosesNothing) {
  const Random random(20);
  for (std::uint64_t log = 0; log < (long_form() ? 10 : 1); ++log) {
    begin_anew();
    for (std::uint64_t kill = 0; kill < kKills; ++kill) {
      SCOPED_TRACE("log " + std::to_string(log) + ", kill " + std::to_string(kill));
      ASSERT_NO_FATAL_FAILURE(run_child(random.below(log * kKills + kill, 150)));
      ASSERT_NO_FATAL_FAILURE(verify());
      if (HasFailure()) return;
    }
    EXPECT_GE(acknowledged_.size(), kKills);
  }
}

INSTANTIATE_TEST_SUITE_P(Durability, Kill, testing::Values("sync", "interval"),
                         [](const auto& durability) { return std::string(durability.param); });

}  // namespace
}  // namespace vitrine

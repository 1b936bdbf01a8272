// A disk that fails at any one call: nothing that was acknowledged is lost, nothing that was
// refused appears, and the log goes on when the disk does.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "store/event_log.h"
#include "tests/fault_files.h"
#include "tests/memory_files.h"
#include "tests/reliability/form.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

constexpr const char* kItem = "an item, replaced by the next one";
constexpr std::size_t kEach = 10;  // records a batch; eight batches fill a segment

EventLogOptions log_options(const std::string& durability) {
  EventLogOptions options;
  options.segment_bytes = 4096;
  options.durability = durability;
  options.interval_ms = 60'000;  // the tests say when
  return options;
}

// What a client knows: which batches were acknowledged, which refused. Record ids "BATCH/NUMBER".
struct Ledger {
  std::map<std::size_t, std::uint64_t> acknowledged;  // and with which last sequence
  std::set<std::size_t> refused;
  std::size_t batches = 0;
};

// Drops no event: of the items the latest stays.
Status compact(EventLog& log) {
  return log.compact(~std::uint64_t{0}, -62'135'596'800'000,
                     [](const LogRecord&) { return std::string("item"); });
}

std::string id_of(std::size_t batch, std::size_t i) {
  return std::to_string(batch) + "/" + std::to_string(i);
}

void append(EventLog& log, Ledger& ledger) {
  const std::size_t batch = ledger.batches++;
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < kEach; ++i) ids.push_back(id_of(batch, i));
  std::vector<NewRecord> records;
  for (const std::string& id : ids) records.push_back({RecordKind::kEvent, id, as_bytes(id), 1});
  const auto appended = log.append(records);
  if (appended.ok())
    ledger.acknowledged[batch] = appended->last_sequence;
  else
    ledger.refused.insert(batch);
  const NewRecord item{RecordKind::kItem, {}, as_bytes(kItem), 1};
  (void)log.append(std::span(&item, 1)).ok();
}

// Appends, with rolls, compacts and opens again: whatever fails, it goes on with the next thing.
void work(FileSystem& files, const std::string& folder, const std::string& durability,
          Ledger& ledger) {
  for (int life = 0; life < 2; ++life) {
    auto log = open_file_log(files, folder, log_options(durability));
    if (!log.ok()) continue;
    const auto synced = ledger.acknowledged;
    for (int i = 0; i < 12; ++i) {
      append(**log, ledger);
      if (i % 6 == 5) (void)compact(**log).ok();
    }
    // With an interval a failing disk may take what was acknowledged since the last sync.
    if (durability == "interval" && !(*log)->sync().ok()) ledger.acknowledged = synced;
  }
}

void verify(const EventLog& log, const Ledger& ledger, bool refused_are_gone) {
  std::map<std::string, std::uint64_t> found;
  std::uint64_t last_seen = 0;
  const Status read = log.read(1, [&](const LogRecord& record) -> Status {
    EXPECT_GT(record.sequence, last_seen);
    last_seen = record.sequence;
    if (record.kind == RecordKind::kItem) return {};
    EXPECT_TRUE(found.emplace(as_text(record.payload), record.sequence).second)
        << as_text(record.payload) << " is there twice";
    return {};
  });
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(last_seen, log.last_sequence());
  for (const auto& [batch, last] : ledger.acknowledged)
    for (std::size_t i = 0; i < kEach; ++i) {
      ASSERT_TRUE(found.contains(id_of(batch, i))) << "batch " << batch << " is lost";
      ASSERT_EQ(found[id_of(batch, i)], last - (kEach - 1) + i);
    }
  for (std::size_t batch = 0; batch < ledger.batches; ++batch) {
    const bool there = found.contains(id_of(batch, 0));
    for (std::size_t i = 1; i < kEach; ++i) ASSERT_EQ(found.contains(id_of(batch, i)), there);
    if (!refused_are_gone || !ledger.refused.contains(batch)) continue;
    ASSERT_FALSE(there) << "batch " << batch << " was refused and is there";
  }
}

struct Failure {
  const char* name;
  Code code;
  std::uint64_t count, torn;
};

constexpr Failure kFailures[] = {{"eio", Code::kIo, 1, 0},
                                 {"enospc", Code::kExhausted, 1, 0},
                                 {"short_write", Code::kIo, 1, 17},
                                 {"short_and_full", Code::kExhausted, 1, 100},
                                 {"eio_for_ever", Code::kIo, FaultFiles::kUnlimited, 17},
                                 {"full_for_ever", Code::kExhausted, FaultFiles::kUnlimited, 17}};

class Disk : public testing::TestWithParam<std::tuple<Failure, const char*>> {};

TEST_P(Disk, FailsAtEveryCall) {
  const auto& [failure, durability] = GetParam();
  std::uint64_t calls = 0;
  {
    const TempFolder folder;  // of the lock
    MemoryFiles memory;
    FaultFiles files(memory);
    Ledger ledger;
    work(files, folder.path(), durability, ledger);
    ASSERT_TRUE(ledger.refused.empty());
    calls = files.calls();
  }
  ASSERT_GT(calls, 40U);
  for (std::uint64_t at = 1; at <= calls; at += kSanitized ? 7 : 1)
    for (const bool power_cut : {false, true}) {
      SCOPED_TRACE("call " + std::to_string(at) + (power_cut ? ", then a power cut" : ""));
      const TempFolder folder;
      MemoryFiles memory;
      FaultFiles files(memory);
      files.fail_call(at, Error{failure.code, "injected"}, failure.count, failure.torn);
      Ledger ledger;
      work(files, folder.path(), durability, ledger);
      files.fail_call(0, {});
      if (power_cut) files.crash();
      const auto log = open_file_log(files, folder.path(), log_options(durability));
      ASSERT_TRUE(log.ok()) << log.error().message;
      // A disk that fails for ever also keeps us from cutting off what it failed to write.
      ASSERT_NO_FATAL_FAILURE(verify(**log, ledger, failure.count == 1));
      append(**log, ledger);
      ASSERT_TRUE(ledger.acknowledged.contains(ledger.batches - 1));
      ASSERT_TRUE((*log)->sync().ok());
      ASSERT_NO_FATAL_FAILURE(verify(**log, ledger, failure.count == 1));
    }
}

INSTANTIATE_TEST_SUITE_P(Failures, Disk,
                         testing::Combine(testing::ValuesIn(kFailures),
                                          testing::Values("sync", "interval")),
                         [](const auto& failure) {
                           return std::string(std::get<0>(failure.param).name) + "_" +
                                  std::get<1>(failure.param);
                         });

// A disk with so many bytes left, from none to enough for three segments.
TEST(FullDisk, RefusesByNameReadsOnAndGoesOn) {
  for (const char* durability : {"sync", "interval"})
    for (std::uint64_t space = 0; space < 12'000; space += long_form()  ? 1
                                                           : kSanitized ? 997
                                                                        : 97) {
      SCOPED_TRACE(std::string(durability) + ", " + std::to_string(space) + " bytes");
      const TempFolder folder;  // of the lock
      MemoryFiles memory;
      FaultFiles files(memory);
      Ledger ledger;
      const auto log = open_file_log(files, folder.path(), log_options(durability));
      ASSERT_TRUE(log.ok());
      append(**log, ledger);
      files.set_space(space);
      for (int i = 0; i < 40; ++i) append(**log, ledger);
      const std::string text(2'000, 'x');
      const NewRecord one{RecordKind::kEvent, "", as_bytes(text)};
      const auto refused = (*log)->append(std::span(&one, 1));
      ASSERT_FALSE(refused.ok());
      ASSERT_EQ(refused.error().code, Code::kExhausted) << refused.error().message;
      ASSERT_TRUE((*log)->sync().ok());
      ASSERT_NO_FATAL_FAILURE(verify(**log, ledger, true)) << "reads go on";
      files.set_space(FaultFiles::kUnlimited);
      append(**log, ledger);
      ASSERT_TRUE(ledger.acknowledged.contains(ledger.batches - 1)) << "there is room again";
      ASSERT_TRUE((*log)->sync().ok());
      ASSERT_NO_FATAL_FAILURE(verify(**log, ledger, true));
    }
}

}  // namespace
}  // namespace vitrine

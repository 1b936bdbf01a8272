// A log whose bytes were damaged, anywhere: opening it goes on from the last good record or refuses
// with a named error, and nobody is ever served what was not written. And times that make no sense.
#include <gtest/gtest.h>

#include <limits>

#include "base/random.h"
#include "store/event_log.h"
#include "store/segment.h"
#include "tests/memory_files.h"
#include "tests/reliability/form.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

constexpr std::uint64_t kOffsets = 1'000;

struct Written {
  std::vector<std::string> payloads;                          // by sequence, from 1
  std::vector<std::pair<std::string, std::string>> segments;  // path, bytes
  std::size_t last_frame = 0;                                 // offset in the last segment
};

EventLogOptions log_options(std::int64_t window) {
  EventLogOptions options;
  options.segment_bytes = 4096;
  options.window = window;
  return options;
}

class Damage : public testing::Test {
 protected:
  void SetUp() override {
    MemoryFiles files;
    const Random random(5);
    const auto log = open_file_log(files, folder_.path(), log_options(1'000));
    ASSERT_TRUE(log.ok());
    for (std::uint64_t batch = 0; batch < 60; ++batch) {
      std::vector<std::string> ids;
      for (std::uint64_t i = 0; i <= random.below(batch, 5); ++i) {
        const std::uint64_t number = written_.payloads.size() + i;
        ids.push_back(std::to_string(number) + std::string(random.below(1'000 + number, 60), 'p'));
      }
      std::vector<NewRecord> records;
      for (const std::string& id : ids)
        records.push_back({RecordKind::kEvent, id, as_bytes(id), 1});
      note_segments(files);
      written_.last_frame = written_.segments.empty() ? 0 : written_.segments.back().second.size();
      ASSERT_TRUE((*log)->append(records).ok());
      written_.payloads.insert(written_.payloads.end(), ids.begin(), ids.end());
    }
    const std::size_t before = written_.segments.size();
    note_segments(files);
    ASSERT_EQ(written_.segments.size(), before) << "the last append began no segment";
    ASSERT_GE(before, 3U);
  }

  void note_segments(MemoryFiles& files) {
    written_.segments.clear();
    const auto names = files.list(folder_.path());
    for (const std::string& name : *names) {
      if (!parse_segment_name(name)) continue;
      const std::string path = folder_.path() + "/" + name;
      written_.segments.emplace_back(path, *read_file(files, path));
    }
  }

  // The log with other bytes in one of its segments.
  void look_at(std::size_t segment, const std::string& bytes) {
    for (const std::int64_t window : {1'000, 1}) {  // opening verifies everything, or the last only
      MemoryFiles files;
      for (const auto& [path, content] : written_.segments) files.put(path, content);
      files.put(written_.segments[segment].first, bytes);
      auto log = open_file_log(files, folder_.path(), log_options(window));
      if (!log.ok()) {
        ASSERT_NO_FATAL_FAILURE(named(log.error()));
        ASSERT_EQ(*read_file(files, written_.segments[segment].first), bytes) << "looking keeps it";
        continue;
      }
      std::vector<std::string> found;
      const Status status = read(**log, found);
      if (!status.ok()) {
        ASSERT_NO_FATAL_FAILURE(named(status.error()));
        ASSERT_LT(segment + 1, written_.segments.size()) << "opening verifies the last segment";
        continue;
      }
      ASSERT_EQ(found.size(), (*log)->last_sequence());
      const NewRecord more{RecordKind::kEvent, "more", as_bytes("more")};
      ASSERT_TRUE((*log)->append(std::span(&more, 1)).ok());
      ASSERT_EQ((*log)->last_sequence(), found.size() + 1);
    }
  }

  Status read(const EventLog& log, std::vector<std::string>& found) {
    return log.read(1, [&](const LogRecord& record) -> Status {
      EXPECT_EQ(record.sequence, found.size() + 1);
      EXPECT_EQ(as_text(record.payload), written_.payloads.at(found.size())) << "garbage is served";
      found.emplace_back(as_text(record.payload));
      return {};
    });
  }

  void named(const Error& error) {
    ASSERT_TRUE(error.code == Code::kCorrupt || error.code == Code::kUnsupported) << error.message;
    ASSERT_EQ(error.message.find(folder_.path() + "/"), 0U) << error.message;
  }

  const TempFolder folder_;  // of the lock
  Written written_;
};

TEST_F(Damage, AtEveryByteOfTheLastBatch) {
  const std::size_t last = written_.segments.size() - 1;
  const std::string whole = written_.segments[last].second;
  for (std::size_t at = written_.last_frame; at < whole.size(); at += kSanitized ? 5 : 1) {
    SCOPED_TRACE(at);
    ASSERT_NO_FATAL_FAILURE(look_at(last, whole.substr(0, at)));
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      ASSERT_NO_FATAL_FAILURE(look_at(last, bytes));
    }
    std::string bytes = whole.substr(0, at);
    bytes.resize(whole.size(), '\0');  // what a file system leaves of bytes that it did not write
    ASSERT_NO_FATAL_FAILURE(look_at(last, bytes));
    if (HasFailure()) return;
  }
}

TEST_F(Damage, AtRandomOffsets) {
  const Random random(7);
  for (std::uint64_t i = 0; i < (long_form() ? 20 : 1) * kOffsets / (kSanitized ? 10 : 1); ++i) {
    const std::size_t segment = random.below(4 * i, written_.segments.size());
    const std::string& whole = written_.segments[segment].second;
    const std::size_t at = random.below(4 * i + 1, whole.size());
    SCOPED_TRACE("segment " + std::to_string(segment) + ", offset " + std::to_string(at));
    ASSERT_NO_FATAL_FAILURE(look_at(segment, whole.substr(0, at)));
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(4 * i + 2, 8)));
    ASSERT_NO_FATAL_FAILURE(look_at(segment, bytes));
    if (HasFailure()) return;
  }
}

TEST(Clock, TimesThatJumpComeBackAsTheyWere) {
  constexpr Timestamp kYearOne = -62'135'596'800'000, kYearTenThousand = 253'402'300'800'000;
  const Timestamp times[] = {1'700'000'000'000,
                             1'600'000'000'000,
                             kYearOne,
                             kYearTenThousand,
                             kNoTime,
                             std::numeric_limits<Timestamp>::max(),
                             0,
                             -1,
                             1'700'000'000'001};
  const TempFolder folder;  // of the lock
  MemoryFiles files;
  for (int round = 0; round < 2; ++round) {
    const auto log = open_file_log(files, folder.path(), log_options(1'000));
    ASSERT_TRUE(log.ok());
    for (std::size_t i = 0; i < std::size(times); ++i) {
      const std::string id = std::to_string(i);
      const NewRecord record{RecordKind::kEvent, id, as_bytes(id), times[i]};
      const auto appended = (*log)->append(std::span(&record, 1));
      ASSERT_TRUE(appended.ok());
      EXPECT_EQ(appended->repeated, round == 0 ? 0U : 1U) << "ids are no matter of time";
    }
    std::vector<Timestamp> found;
    ASSERT_TRUE((*log)
                    ->read(1,
                           [&](const LogRecord& record) -> Status {
                             found.push_back(record.received);
                             return {};
                           })
                    .ok());
    EXPECT_EQ(found, std::vector<Timestamp>(std::begin(times), std::end(times)));
  }
}

}  // namespace
}  // namespace vitrine

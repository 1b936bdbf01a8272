#include "engine/retention.h"

#include <gtest/gtest.h>

#include <limits>

#include "store/segment.h"
#include "tests/memory_files.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

constexpr Timestamp kNow = 20'000 * kDay + 12 * 3'600'000;

class RetentionTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.segment_bytes = 4096;
    options_.keep_days = 10;
    log_ = *open_file_log(files_, folder_.path(), options_);
  }

  std::uint64_t add(RecordKind kind, std::string_view payload, Timestamp received) {
    const NewRecord record{kind, {}, as_bytes(payload), received};
    return log_->append(std::span(&record, 1))->last_sequence;
  }
  // Events that end the segment.
  std::uint64_t pad(Timestamp received) {
    const std::string payload(1'500, 'p');
    std::uint64_t last = 0;
    for (int i = 0; i < 4; ++i) last = add(RecordKind::kEvent, payload, received);
    return last;
  }
  std::vector<std::string> kept() {
    std::vector<std::string> found;
    EXPECT_TRUE(log_->read(1,
                           [&](const LogRecord& record) -> Status {
                             const auto text = as_text(record.payload);
                             if (text.size() < 1'000) found.emplace_back(text);
                             return {};
                           })
                    .ok());
    return found;
  }

  const TempFolder folder_;  // of the lock
  MemoryFiles files_;
  EventLogOptions options_;
  std::unique_ptr<EventLog> log_;
};

TEST_F(RetentionTest, OldEventsAndReplacedRecordsGo) {
  add(RecordKind::kEvent, "old", kNow - 11 * kDay);
  add(RecordKind::kEvent, "in the first hours of the oldest day", kNow - 10 * kDay - 3'600'000);
  add(RecordKind::kItem, R"({"id":"a","price":1})", kNow - 50 * kDay);
  add(RecordKind::kItem, R"({"id":"a","price":2})", kNow - 40 * kDay);
  add(RecordKind::kItem, R"({"id":"gone"})", kNow - 40 * kDay);
  add(RecordKind::kEraseItem, "gone", kNow - 39 * kDay);
  add(RecordKind::kUser, R"({"id":"a"})", kNow - 50 * kDay);
  add(RecordKind::kRule, R"({"id":"a","boost":1})", kNow - 50 * kDay);
  add(RecordKind::kRule, R"({"id":"a","boost":2})", kNow - 50 * kDay);
  add(RecordKind::kConsent, R"({"user":"a","purpose":"x","given":true})", kNow - 50 * kDay);
  add(RecordKind::kConsent, R"({"user":"a","purpose":"y","given":true})", kNow - 50 * kDay);
  add(RecordKind::kConsent, R"({"user":"a","purpose":"x","given":false})", kNow - 50 * kDay);
  add(RecordKind::kRule, "no JSON", kNow - 50 * kDay);
  add(RecordKind::kRule, "no JSON", kNow - 50 * kDay);
  const auto all = kept();
  const std::uint64_t covered = pad(kNow);
  ASSERT_TRUE(retain(*log_, options_, 0, kNow).ok());
  EXPECT_EQ(kept(), all) << "no checkpoint covers anything";
  ASSERT_TRUE(retain(*log_, options_, 5, kNow).ok());
  EXPECT_EQ(kept(), all) << "the segment is not covered as a whole";
  options_.keep_days = 0;
  ASSERT_TRUE(retain(*log_, options_, covered, kNow).ok());
  EXPECT_EQ(kept(), all);
  options_.keep_days = 10;
  ASSERT_TRUE(retain(*log_, options_, covered, kNow).ok());
  EXPECT_EQ(kept(), (std::vector<std::string>{
                        "in the first hours of the oldest day", R"({"id":"a","price":2})", "gone",
                        R"({"id":"a"})", R"({"id":"a","boost":2})",
                        R"({"user":"a","purpose":"y","given":true})",
                        R"({"user":"a","purpose":"x","given":false})", "no JSON", "no JSON"}));
}

TEST_F(RetentionTest, AClockThatJumpsDropsNothing) {
  add(RecordKind::kEvent, "young", kNow - kDay);
  const std::uint64_t covered = pad(kNow);
  for (const Timestamp now : {kNoTime, Timestamp{0}, -62'135'596'800'000, kNow + 400'000 * kDay,
                              std::numeric_limits<Timestamp>::max()})
    ASSERT_TRUE(retain(*log_, options_, covered, now).ok());
  EXPECT_EQ(kept(), std::vector<std::string>{"young"});
}

TEST_F(RetentionTest, LooksOnceADay) {
  Retention retention;
  add(RecordKind::kEvent, "first", kNow - 10 * kDay);
  const std::uint64_t covered = pad(kNow + 5 * kDay);
  ASSERT_TRUE(retention.look(*log_, options_, 0, kNow + kDay).ok());
  ASSERT_TRUE(retention.look(*log_, options_, covered, kNow).ok());
  EXPECT_EQ(kept(), std::vector<std::string>{"first"});
  ASSERT_TRUE(retention.look(*log_, options_, covered, kNow + kDay).ok());
  EXPECT_TRUE(kept().empty());
  add(RecordKind::kEvent, "second", kNow - 20 * kDay);
  const std::uint64_t later = pad(kNow + 5 * kDay);
  ASSERT_TRUE(retention.look(*log_, options_, later, kNow + kDay + 1).ok());
  EXPECT_EQ(kept(), std::vector<std::string>{"second"});
}

}  // namespace
}  // namespace vitrine

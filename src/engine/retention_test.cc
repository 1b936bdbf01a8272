#include "engine/retention.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.h"
#include "engine/dataset.h"
#include "engine/engine_testing.h"
#include "engine/live.h"

namespace vitrine {
namespace {

constexpr int kKeepDays = 30;
constexpr Timestamp kStart = 1'700'000'000'000 / kDay * kDay;

// A log of small segments that is filled day by day.
class DayByDay {
 public:
  explicit DayByDay(std::int64_t segment_bytes = 4096) : config_(shop_config(folder_)) {
    config_.log.segment_bytes = segment_bytes;
    config_.log.keep_days = kKeepDays;
    open();
  }
  void open() {
    log_ = must(open_file_log(unsynced_files(), folder_.file("shop/log"), config_.log));
  }
  void lose_newest_segments(int count) {
    log_.reset();
    std::vector<std::string> segments;
    for (const std::string& name : must(unsynced_files().list(folder_.file("shop/log"))))
      if (name.ends_with(".log")) segments.push_back(folder_.file("shop/log/") + name);
    std::sort(segments.rbegin(), segments.rend());
    for (int i = 0; i < count; ++i)
      must(unsynced_files().remove(segments.at(static_cast<std::size_t>(i))));
    open();
  }

  // So many events on the day, of one item and user of each hundred.
  void events(int day, int count) { events_at(kStart + day * kDay, count); }
  void events_at(Timestamp received, int count) {
    std::vector<std::string> payloads(static_cast<std::size_t>(count));
    std::vector<NewRecord> records;
    for (std::string& payload : payloads) {
      const std::string n = std::to_string(written_++ / 100);
      Event event = purchase("user" + n, "item" + n, received, "");
      event.id = std::to_string(written_);
      encode_event(event, types_, payload);
    }
    for (const std::string& payload : payloads)
      records.push_back({RecordKind::kEvent, {}, as_bytes(payload), received, 0});
    must(log_->append(records));
  }
  void item(int day, const std::string& id, const std::string& title) {
    Item item;
    item.id = id;
    item.title = title;
    const std::string payload = to_json(item_to_json(item));
    const NewRecord record{RecordKind::kItem, {}, as_bytes(payload), kStart + day * kDay, 0};
    must(log_->append(std::span(&record, 1)));
  }
  std::unique_ptr<Live> live() {
    TestRun run;
    return must(Live::replay(run.run, *log_, types_, config_, "memory:", place(), {}, known()));
  }
  void checkpoint() { must(live()->save(place(), *log_)); }
  KnownIds known() { return must(load_known_ids(unsynced_files(), vocabulary())); }
  Status retain_on(int day) {
    const std::uint64_t covered =
        file_exists(unsynced_files(), place().path) ? must(checkpointed_ids(place())).sequence : 0;
    return retain(*log_, config_.log, place(), covered, vocabulary(),
                  kStart + day * kDay + kDay / 2);
  }
  RawDataset dataset() {
    TestRun run;
    return must(read_dataset(run.run, *log_, types_, kWholeLog, config_.live, known()));
  }
  CheckpointPlace place() { return {&unsynced_files(), folder_.file("shop/checkpoint")}; }
  std::string vocabulary() { return folder_.file("shop/vocabulary"); }
  Config& config() { return config_; }
  EventLog& log() { return *log_; }

 private:
  TempFolder folder_;
  EventTypes types_;
  Config config_;
  std::unique_ptr<EventLog> log_;
  int written_ = 0;
};

// 100 days of 100 events each.
void fill(DayByDay& shop) {
  shop.item(0, "item0", "old");
  for (int day = 0; day < 100; ++day) shop.events(day, 100);
  shop.item(99, "item0", "new");
}

TEST(Retention, DropsWhatIsOldAndKeepsWhatItMeant) {
  DayByDay shop;
  fill(shop);
  const RawDataset before = shop.dataset();
  must(shop.retain_on(99));
  EXPECT_EQ(shop.dataset().table.size(), before.table.size()) << "there is no checkpoint";
  shop.checkpoint();
  must(shop.retain_on(99));
  shop.events(100, 5);  // "user100", after the trim
  const RawDataset after = shop.dataset();
  EXPECT_LT(after.table.size(), 3'300U);
  EXPECT_GE(after.table.size(), 3'005U);
  EXPECT_EQ(after.vocabulary.users.size(), 101U);
  for (std::uint32_t u = 0; u < 100; ++u)
    EXPECT_EQ(after.vocabulary.users.id(u), before.vocabulary.users.id(u));
  EXPECT_EQ(after.catalogue.title(ItemIndex{0}), "new");
  for (const Timestamp received : after.table.received)
    EXPECT_GE(received, kStart + (99 - kKeepDays - 1) * kDay) << "segments go whole";
  EXPECT_EQ(after.table.user.back(), UserIndex{100});
}

TEST(Retention, AShopStartsAgainWithAnySettings) {
  DayByDay shop;
  fill(shop);
  shop.checkpoint();
  must(shop.retain_on(99));
  EXPECT_EQ(shop.live()->events(), 10'000U) << "the checkpoint has seen them all";
  shop.config().live.region = "other";  // the checkpoint is no longer what these settings make
  const auto live = shop.live();
  EXPECT_LT(live->events(), 3'300U);
  EXPECT_EQ(live->sequence(), shop.log().last_sequence());
  EXPECT_EQ(live->vocabulary().users.size(), 100U);
  EXPECT_EQ(must(live->people().history({UserIndex{99}, {}})).size(), 100U);
  EXPECT_TRUE(must(live->people().history({UserIndex{3}, {}})).empty());
  EXPECT_EQ(live->catalogue()->title(ItemIndex{0}), "new");
  EXPECT_EQ(live->catalogue()->size(), 100U);
}

TEST(Retention, WithoutTheVocabularyNothingIsMadeUp) {
  DayByDay shop;
  fill(shop);
  shop.checkpoint();
  must(shop.retain_on(99));
  must(unsynced_files().remove(shop.vocabulary()));
  TestRun run;
  const auto lost = read_dataset(run.run, shop.log(), EventTypes());
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().code, Code::kCorrupt);
  EXPECT_NE(lost.error().message.find("vocabulary"), std::string::npos);
}

TEST(Retention, AVocabularyOfAnotherLogIsRefused) {
  DayByDay shop, other;
  fill(shop);
  shop.checkpoint();
  must(shop.retain_on(99));
  other.item(0, "elsewhere", "");
  fill(other);
  TestRun run;
  const auto another =
      read_dataset(run.run, other.log(), EventTypes(), kWholeLog, {}, shop.known());
  ASSERT_FALSE(another.ok());
  EXPECT_EQ(another.error().code, Code::kCorrupt);
  EXPECT_FALSE(Live::replay(run.run, other.log(), EventTypes(), other.config(), "memory:", {}, {},
                            shop.known())
                   .ok());
}

// The end of the log had to be moved away: what lies before it goes on, with new records.
TEST(Retention, ALogThatLostItsEndGoesOn) {
  DayByDay shop;
  fill(shop);
  shop.checkpoint();
  must(shop.retain_on(99));
  const RawDataset before = shop.dataset();
  shop.lose_newest_segments(10);
  ASSERT_LT(shop.log().last_sequence(), shop.known().sequence);
  const RawDataset read = shop.dataset();
  EXPECT_LT(read.table.size(), before.table.size());
  must(cut_known_ids(unsynced_files(), shop.vocabulary(), shop.log().last_sequence()));
  shop.events(100, 150);
  const RawDataset after = shop.dataset();
  EXPECT_EQ(after.table.size(), read.table.size() + 150);
  EXPECT_EQ(after.vocabulary.users.size(), before.vocabulary.users.size() + 2);
  for (std::size_t row = 0; row < read.table.size(); ++row)
    EXPECT_EQ(after.table.user[row], before.table.user[row]);
  EXPECT_EQ(shop.live()->vocabulary().users.size(), after.vocabulary.users.size());
}

TEST(Retention, ASmallShopForgetsToo) {
  for (const int keep_days : {1, 5}) {
    DayByDay shop(1 << 20);
    shop.config().log.keep_days = keep_days;
    for (int day = 0; day < 40; ++day) {
      shop.events(day, 10);
      shop.checkpoint();
      must(shop.retain_on(day));
    }
    EXPECT_LE(shop.dataset().table.size(), 10U * 2 * (keep_days + 3)) << keep_days;
    EXPECT_GE(shop.dataset().table.size(), 10U * keep_days) << keep_days;
  }
}

TEST(Retention, AClockThatJumpsLosesNothing) {
  for (const Timestamp odd : {kStart + 5'000 * kDay, Timestamp{1}, -kDay}) {
    DayByDay shop;
    shop.events(0, 5);
    for (int day = 60; day < 70; ++day) shop.events(day, 100);
    shop.events_at(odd, 500);
    shop.events(70, 5);
    shop.checkpoint();
    // The clock may still be odd when it is time to drop something.
    for (const int day : {5'000, 70, 0}) must(shop.retain_on(day));
    const RawDataset data = shop.dataset();
    EXPECT_GE(data.table.size(), 1'505U);
    EXPECT_LE(data.table.size(), 1'510U);
  }
}

TEST(Retention, AYoungLogKeepsEverything) {
  DayByDay shop;
  for (const int day : {0, 1, 500, 501}) shop.events(day, 500);
  shop.checkpoint();
  must(shop.retain_on(502));
  EXPECT_EQ(shop.dataset().table.size(), 2'000U) << "two days bear no witness";
  shop.events(502, 5);
  shop.checkpoint();
  must(shop.retain_on(502));
  EXPECT_LT(shop.dataset().table.size(), 1'100U);
}

// As it happens: a shop is served, stopped, trained, and served again.
TEST(Retention, AnEngineGoesOnAfterIt) {
  TempFolder folder;
  Config config = shop_config(folder);
  config.log.segment_bytes = 4096;
  {
    // Received long ago, as an import of last year was.
    must(unsynced_files().make_folder(folder.file("shop")));
    const auto log = must(open_file_log(unsynced_files(), folder.file("shop/log"), config.log));
    auto events = shop_events();
    std::stable_sort(events.begin(), events.end(),
                     [](const Event& a, const Event& b) { return a.time < b.time; });
    for (const Event& event : events) {
      std::string payload;
      encode_event(event, EventTypes(), payload);
      const NewRecord record{RecordKind::kEvent, {}, as_bytes(payload), event.time, 0};
      must(log->append_unsynced(std::span(&record, 1)));
    }
    must(log->sync());
  }
  TestRun run;
  TrainRequest forced;
  forced.force = true;
  forced.validate = false;
  std::string before;
  {
    const auto engine = open_shop(config, OpenMode::kServe);
    must(engine->train(run.run, forced));
    before = lists_of(*engine);
  }
  const auto events = [&] {
    const auto engine = open_shop(config, OpenMode::kTool);
    return must(engine->clean(run.run)).rows_in;
  };
  const std::uint64_t all = events();
  config.log.keep_days = 40;
  {
    const auto log = must(open_file_log(unsynced_files(), folder.file("shop/log"), config.log));
    const CheckpointPlace place{&unsynced_files(), folder.file("shop/checkpoint")};
    must(retain(*log, config.log, place, must(checkpointed_ids(place)).sequence,
                folder.file("shop/vocabulary"), kShopOpens + 90 * kDay));
  }
  EXPECT_LT(events(), all);
  const auto engine = open_shop(config, OpenMode::kServe);
  EXPECT_EQ(lists_of(*engine), before);
  must(engine->train(run.run, forced));
  EXPECT_FALSE(must(engine->recommend(request_of(user_id(3)))).items.empty());
}

}  // namespace
}  // namespace vitrine

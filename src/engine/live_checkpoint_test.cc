#include "engine/live_checkpoint.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "base/json.h"
#include "engine/dataset.h"
#include "engine/engine_testing.h"
#include "engine/live.h"

namespace vitrine {
namespace {

constexpr int kUsers = 5, kSessions = 4, kItems = 6;

// One change of a shop: what is logged, and what the live state is told.
struct Change {
  RecordKind kind = RecordKind::kEvent;
  Event event;
  std::string id, payload;
};

std::string any_id(const char* prefix, int n) {
  return prefix + std::to_string(*rc::gen::inRange(0, n));
}

Change any_event(Timestamp clock) {
  Change change;
  Event& event = change.event;
  event.item = any_id("i", kItems);
  if (*rc::gen::inRange(0, 3) > 0) event.user = any_id("u", kUsers);
  if (*rc::gen::arbitrary<bool>() || event.user.empty()) event.session = any_id("s", kSessions);
  event.type = *rc::gen::element(EventType::kView, EventType::kPurchase, EventType::kPurchase,
                                 EventType::kReturn, EventType::kRating);
  event.quantity = *rc::gen::inRange(1, 4);
  if (event.type == EventType::kRating) event.value = *rc::gen::inRange(1, 6);
  // Out of order, of the same moment, and without time.
  event.time =
      *rc::gen::element(clock, clock, Timestamp{kShopOpens}, clock - 3 * kDay, Timestamp{kNoTime});
  event.received = clock;
  if (*rc::gen::arbitrary<bool>()) event.order = any_id("o", 3);
  if (*rc::gen::arbitrary<bool>()) event.context = R"({"country":")" + any_id("c", 3) + R"("})";
  return change;
}

Change any_change(Timestamp clock) {
  const int what = *rc::gen::inRange(0, 16);
  if (what > 5) return any_event(clock);
  Change change;
  change.kind = *rc::gen::element(RecordKind::kItem, RecordKind::kUser, RecordKind::kEraseItem,
                                  RecordKind::kEraseUser, RecordKind::kMerge, RecordKind::kMerge);
  if (change.kind == RecordKind::kItem) {
    Item item = shop_item(1, *rc::gen::inRange(0, 99));
    item.id = any_id("i", kItems);
    item.available = *rc::gen::arbitrary<bool>();
    change.payload = to_json(item_to_json(item));
  } else if (change.kind == RecordKind::kUser) {
    User user;
    user.id = any_id("u", kUsers);
    user.attributes.set("age", *rc::gen::inRange<std::int64_t>(1, 99));
    change.payload = to_json(user_to_json(user));
  } else if (change.kind == RecordKind::kMerge) {
    Merge merge;
    merge.to = any_id("u", kUsers);
    if (*rc::gen::arbitrary<bool>()) {
      merge.user = any_id("u", kUsers);
    } else {
      merge.session = any_id("s", kSessions);
    }
    change.payload = encode_merge(merge);
  } else {
    change.payload =
        change.kind == RecordKind::kEraseItem ? any_id("i", kItems) : any_id("u", kUsers);
  }
  return change;
}

// A log in a folder, and live states over it.
class Shop {
 public:
  explicit Shop(std::uint64_t memory_bytes = kLiveBytesMax)
      : config_(shop_config(folder_, "[histories]\ngroup_by = 'session'\n")),
        log_(must(open_file_log(unsynced_files(), folder_.file("log"), {}))),
        memory_bytes_(memory_bytes) {}

  CheckpointPlace place() const { return {&unsynced_files(), folder_.file("checkpoint")}; }
  std::unique_ptr<Live> open(const CheckpointPlace& place = {}) { return must(try_open(place)); }
  Result<std::unique_ptr<Live>> try_open(const CheckpointPlace& place) {
    TestRun run;
    return Live::replay(run.run, *log_, types_, config_, "memory:", place,
                        LiveLimits{kHistoryMax, memory_bytes_});
  }
  void write(Live& live, const Change& change) {
    std::string payload = change.payload;
    if (change.kind == RecordKind::kEvent) encode_event(change.event, types_, payload);
    const NewRecord record{change.kind, {}, as_bytes(payload), kShopOpens, 0};
    const Appended done = must(log_->append(std::span(&record, 1)));
    live.apply(done.last_sequence, done.last_sequence, [&](Live::Turn& turn) {
      const LogRecord logged{done.last_sequence, change.kind, kShopOpens, 0, as_bytes(payload)};
      Event event;
      must(turn.record(logged, types_, event));
    });
  }
  EventLog& log() { return *log_; }
  TempFolder& folder() { return folder_; }
  Config& config() { return config_; }
  const EventTypes& types() const { return types_; }

 private:
  TempFolder folder_;
  EventTypes types_;
  Config config_;
  std::unique_ptr<EventLog> log_;
  const std::uint64_t memory_bytes_;
};

std::string text_of(std::span<const HistoryEvent> history) {
  std::string text;
  for (const HistoryEvent& event : history) {
    for (const auto number : {static_cast<double>(raw(event.item)), static_cast<double>(event.type),
                              static_cast<double>(event.value), static_cast<double>(event.weight),
                              static_cast<double>(event.time), static_cast<double>(event.group)})
      text += std::to_string(number) + " ";
    text += "\n";
  }
  return text;
}

std::string text_of(std::span<const Candidate> list) {
  std::string text;
  for (const Candidate& each : list)
    text += std::to_string(raw(each.item)) + "=" + std::to_string(each.score) + " ";
  return text + "\n";
}

// All that can be asked of a live state.
std::string text_of(const Live& live) {
  std::string text = std::to_string(live.sequence()) + " " + std::to_string(live.events()) + "\n";
  const Vocabulary& vocabulary = live.vocabulary();
  const auto catalogue = live.catalogue();
  for (std::uint32_t i = 0; i < vocabulary.items.size(); ++i) {
    const Item* item = catalogue->item(ItemIndex{i});
    text += std::string(vocabulary.id(ItemIndex{i})) + " " +
            std::to_string(catalogue->available().test(i)) +
            (item == nullptr ? "" : to_json(item_to_json(*item))) + "\n";
  }
  for (std::uint32_t u = 0; u < vocabulary.users.size(); ++u) {
    const std::string id(vocabulary.id(UserIndex{u}));
    const auto described = must(live.user(id));
    text += "user " + id + (described ? to_json(user_to_json(*described)) : "") + "\n" +
            text_of(must(live.people().history({UserIndex{u}, {}})));
  }
  for (int s = 0; s < kSessions; ++s) {
    const std::string session = "s" + std::to_string(s);
    text += session + "\n" + text_of(must(live.people().history({kNoUser, session})));
  }
  const auto all = [](ItemIndex) { return true; };
  for (const std::string region : {"", "c0", "c1", "c2"}) {
    for (const int days : {0, 1, 7, 92})
      text += text_of(live.people().popular({days, 0, region}, 99, all));
    for (const int hours : {1, 30}) {
      text += text_of(live.people().popular({0, hours, region}, 99, all));
      text += text_of(live.people().trending(hours, region, 99, all));
    }
  }
  return text;
}

// The oracle is a replay of the whole log.
TEST(LiveCheckpoint, AndTheTailAreTheWholeLog) {
  EXPECT_TRUE(rc::check([] {
    Shop shop(*rc::gen::element<std::uint64_t>(0, 64 * 200, kLiveBytesMax));
    auto live = shop.open();
    Timestamp clock = kShopOpens;
    const auto steps = *rc::gen::inRange(1, 60);
    const auto cut = *rc::gen::inRange(0, steps);
    for (int i = 0; i < steps; ++i) {
      if (i == cut) must(live->save(shop.place(), shop.log()));
      clock += *rc::gen::element<Timestamp>(1, 60'000, kDay);
      shop.write(*live, any_change(clock));
    }
    RC_ASSERT(live->checkpointed() == static_cast<std::uint64_t>(cut));
    const std::string whole = text_of(*shop.open());
    RC_ASSERT(text_of(*live) == whole);
    const auto again = shop.open(shop.place());
    RC_ASSERT(again->checkpointed() == static_cast<std::uint64_t>(cut));
    RC_ASSERT(text_of(*again) == whole);
    // A checkpoint of what came out of one.
    must(again->save(shop.place(), shop.log()));
    RC_ASSERT(text_of(*shop.open(shop.place())) == whole);
  }));
}

// Written while events, erasures, merges and requests go on, memory being short.
TEST(LiveCheckpoint, IsOfOneMomentHoweverMuchHappensMeanwhile) {
  for (const std::uint64_t memory : {std::uint64_t{64 * 1500}, kLiveBytesMax}) {
    Shop shop(memory);
    const auto live = shop.open();
    std::atomic<bool> done{false};
    std::uint64_t saves = 0;
    std::thread saver([&] {
      for (; !done || saves == 0; ++saves) must(live->save(shop.place(), shop.log()));
    });
    std::thread reader([&] {
      for (std::uint32_t i = 0; !done; ++i)
        EXPECT_TRUE(live->people().history({UserIndex{i % 400}, {}}).ok());
    });
    const Random random(7);
    for (std::uint64_t i = 0; i < 12'000; ++i) {
      const auto draw = [&](std::uint64_t k, std::uint64_t n) {
        return random.below(4 * i + k, n);
      };
      Change change;
      const std::string user = "u" + std::to_string(draw(0, 400));
      change.event.item = "i" + std::to_string(draw(1, 50));
      change.event.session = "s" + std::to_string(draw(2, 200));
      change.event.type = draw(3, 9) == 0 ? EventType::kReturn : EventType::kPurchase;
      change.event.time = change.event.received = kShopOpens + static_cast<Timestamp>(i) * 60'000;
      if (i % 3 != 0) change.event.user = user;
      if (i % 3 == 1) change.event.session.clear();
      if (i % 97 == 0) {
        change.kind = RecordKind::kEraseUser;
        change.payload = user;
      }
      shop.write(*live, change);
    }
    done = true;
    saver.join();
    reader.join();
    EXPECT_GT(saves, 1U);
    const std::string whole = text_of(*shop.open());
    EXPECT_EQ(text_of(*live), whole);
    EXPECT_EQ(text_of(*shop.open(shop.place())), whole) << memory;
  }
}

void fill(Shop& shop, Live& live, int events) {
  for (int i = 0; i < events; ++i) {
    Change change;
    change.event = purchase("u" + std::to_string(i % 7), "i1", kShopOpens + i, "");
    shop.write(live, change);
  }
}

TEST(LiveCheckpoint, ADamagedOrForeignOneIsRefused) {
  Shop shop;
  {
    const auto live = shop.open();
    fill(shop, *live, 20);
    must(live->save(shop.place(), shop.log()));
    fill(shop, *live, 5);
  }
  const std::string whole = text_of(*shop.open());
  const std::string path = shop.place().path;
  const std::string good = must(read_file(real_files(), path));
  EXPECT_EQ(shop.open(shop.place())->checkpointed(), 20U);
  for (std::size_t at = 0; at < good.size(); at += 1 + at / 7) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    must(write_file_atomically(real_files(), path, bad));
    const auto live = shop.open(shop.place());
    // A flipped bit of padding is found as well.
    EXPECT_EQ(live->checkpointed(), 0U) << at;
    EXPECT_EQ(text_of(*live), whole) << at;
  }
  must(write_file_atomically(real_files(), path, good.substr(0, good.size() / 2)));
  EXPECT_EQ(text_of(*shop.open(shop.place())), whole);
  // Other settings.
  must(write_file_atomically(real_files(), path, good));
  shop.config().histories.weights = {"purchase=0.5"};
  EXPECT_EQ(shop.open(shop.place())->checkpointed(), 0U);
  shop.config().histories.weights = {};
  EXPECT_EQ(shop.open(shop.place())->checkpointed(), 20U);
  // Another shop's log, and one that is shorter.
  for (const int events : {30, 3}) {
    Shop other;
    {
      const auto live = other.open();
      fill(other, *live, 2);
      shop.config();
      Change change;
      change.event = purchase("somebody", "else", kShopOpens, "");
      for (int i = 0; i < events; ++i) other.write(*live, change);
    }
    must(write_file_atomically(real_files(), other.place().path, good));
    EXPECT_EQ(other.open(other.place())->checkpointed(), 0U);
  }
}

// A log whose beginning is gone.
class Trimmed : public EventLog {
 public:
  Trimmed(EventLog& log, std::uint64_t first) : log_(log), first_(first) {}
  Result<Appended> append(std::span<const NewRecord> r) override { return log_.append(r); }
  Result<Appended> append_unsynced(std::span<const NewRecord> r) override {
    return log_.append_unsynced(r);
  }
  Status sync() override { return log_.sync(); }
  Status read(std::uint64_t from,
              const std::function<Status(const LogRecord&)>& visit) const override {
    return log_.read(std::max(from, first_), visit);
  }
  Status trim(std::uint64_t) override { return {}; }
  Status compact(std::uint64_t, Timestamp, const KeyOf&) override { return {}; }
  std::uint64_t first_sequence() const override { return first_; }
  std::uint64_t last_sequence() const override { return log_.last_sequence(); }

 private:
  EventLog& log_;
  const std::uint64_t first_;
};

// A log without some of its records.
class Compacted : public Trimmed {
 public:
  Compacted(EventLog& log, std::uint64_t from, std::uint64_t to)
      : Trimmed(log, 1), from_(from), to_(to) {}
  Status read(std::uint64_t from,
              const std::function<Status(const LogRecord&)>& visit) const override {
    return Trimmed::read(from, [&](const LogRecord& record) -> Status {
      return record.sequence >= from_ && record.sequence <= to_ ? Status() : visit(record);
    });
  }

 private:
  const std::uint64_t from_, to_;
};

TEST(LiveCheckpoint, ACompactedLogNeedsOneToo) {
  Shop shop;
  {
    const auto live = shop.open();
    fill(shop, *live, 20);
    must(live->save(shop.place(), shop.log()));
    fill(shop, *live, 5);
  }
  const std::string whole = text_of(*shop.open());
  TestRun run;
  for (const std::uint64_t to : {15U, 20U}) {
    const Compacted log(shop.log(), 3, to);
    EXPECT_EQ(text_of(*must(Live::replay(run.run, log, shop.types(), shop.config(),
                                         "memory:", shop.place()))),
              whole);
    const auto lost = Live::replay(run.run, log, shop.types(), shop.config(), "memory:");
    ASSERT_FALSE(lost.ok());
    EXPECT_NE(lost.error().message.find("lacks records"), std::string::npos);
  }
}

TEST(LiveCheckpoint, ATrimmedLogNeedsOne) {
  Shop shop;
  {
    const auto live = shop.open();
    fill(shop, *live, 20);
    must(live->save(shop.place(), shop.log()));
    fill(shop, *live, 5);
  }
  const std::string whole = text_of(*shop.open());
  TestRun run;
  const auto start = [&](std::uint64_t first) {
    return Live::replay(run.run, Trimmed(shop.log(), first), shop.types(), shop.config(),
                        "memory:", shop.place());
  };
  for (const std::uint64_t first : {15U, 20U, 21U}) EXPECT_EQ(text_of(*must(start(first))), whole);
  const auto gap = start(22);
  ASSERT_FALSE(gap.ok());
  EXPECT_NE(gap.error().message.find("ends before the log begins"), std::string::npos);
  must(write_file_atomically(real_files(), shop.place().path, "no archive"));
  const auto lost = start(15);
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().code, Code::kCorrupt);
  for (const char* word : {"event log", "checkpoint", "backup"})
    EXPECT_NE(lost.error().message.find(word), std::string::npos) << lost.error().message;
}

TEST(LiveCheckpoint, AnEngineWritesOneWhenItStops) {
  TempFolder folder;
  const Config config = shop_config(folder);
  std::string before;
  {
    const auto engine = filled_shop(config, OpenMode::kServe);
    must(engine->merge({"", user_id(1), "renamed"}));
    before = lists_of(*engine);
  }
  EXPECT_TRUE(file_exists(real_files(), folder.file("shop/checkpoint")));
  const auto engine = open_shop(config, OpenMode::kServe);
  EXPECT_EQ(lists_of(*engine), before);
  EXPECT_EQ(must(engine->person("renamed")).history.size(), 6U);
  EXPECT_TRUE(must(engine->person(user_id(1))).history.empty());
  EXPECT_EQ(engine->merge({"", "nobody", "renamed"}).error().code, Code::kNotFound);
  EXPECT_EQ(engine->merge({"s", "u", "renamed"}).error().code, Code::kInvalid);
}

TEST(CheckpointWriter, WritesWhenItIsDueAndAtTheEnd) {
  std::atomic<std::uint64_t> sequence{0}, saved{0}, saves{0};
  const auto writer = [&](double minutes) {
    return std::make_unique<CheckpointWriter>(
        CheckpointWriter::Work{[&]() -> Status {
                                 saved = sequence.load();
                                 ++saves;
                                 return {};
                               },
                               [&] { return sequence.load(); }, [&] { return saved.load(); }},
        minutes);
  };
  writer(10);
  EXPECT_EQ(saves, 0U) << "nothing changed";
  sequence = 5;
  writer(0);
  EXPECT_EQ(saves, 0U) << "switched off";
  writer(10);
  EXPECT_EQ(saves, 1U);
  const auto often = writer(0.001);
  sequence = 6;
  for (int i = 0; i < 500 && saves < 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(saves, 2U);
  sequence = 7 + kCheckpointRecords;
  const auto seldom = writer(1000);
  for (int i = 0; i < 500 && saves < 3; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_GE(saves, 3U);
}

}  // namespace
}  // namespace vitrine

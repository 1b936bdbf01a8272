#include "engine/live_state.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <thread>

#include "base/parallel.h"
#include "data/clean.h"
#include "data/event_table.h"

namespace vitrine {
namespace {

constexpr Timestamp kStart = 1'291'191'960'000;
const auto kAll = [](ItemIndex) { return true; };

Event event_of(EventType type, std::string user, std::string item, Timestamp time) {
  Event event;
  event.type = type;
  event.user = std::move(user);
  event.item = std::move(item);
  event.time = time;
  return event;
}

// A live state fed like the engine feeds it, and the same events in a table.
class Shop {
 public:
  explicit Shop(HistoryOptions options = {}, LiveLimits limits = {})
      : options_(std::move(options)),
        store_(*open_state_store("memory:")),
        live_(*LiveState::open(options_, types_, *store_, limits)) {}

  void tell(const Event& event) {
    table_.add(event, table_.size() + 1, vocabulary_);
    const ItemIndex item = event.item.empty() ? kNoItem : *vocabulary_.item(event.item);
    const Status applied = live_->apply(table_.size(), event, person(event), item);
    EXPECT_TRUE(applied.ok()) << applied.error().message;
  }
  Person person(const Event& event) const {
    return {event.user.empty() ? kNoUser : *vocabulary_.user(event.user), event.session};
  }
  std::vector<HistoryEvent> history(const std::string& user) const {
    return *live_->history({*vocabulary_.user(user), ""});
  }
  std::vector<std::string> items(const std::string& user) const {
    std::vector<std::string> out;
    for (const HistoryEvent& event : history(user)) out.emplace_back(vocabulary_.id(event.item));
    return out;
  }
  // What training would see of the same events.
  Histories trained() const {
    ThreadPool pool(1);
    QuietMonitor monitor;
    const Run run{Random(1), pool, monitor};
    CleaningOptions cleaning;
    for (bool* rule : {&cleaning.duplicates, &cleaning.missing_ids, &cleaning.impossible_times,
                       &cleaning.impossible_prices, &cleaning.bots, &cleaning.non_products})
      *rule = false;
    const auto view = clean(run, table_, vocabulary_, Catalogue(), types_, cleaning);
    return *build_histories(run, table_, *view, vocabulary_, types_, options_);
  }

  const HistoryOptions options_;
  EventTypes types_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<LiveState> live_;
  Vocabulary vocabulary_;
  EventTable table_;
};

void expect_same(std::span<const HistoryEvent> live, std::span<const HistoryEvent> trained) {
  ASSERT_EQ(live.size(), trained.size());
  for (std::size_t i = 0; i < live.size(); ++i) {
    EXPECT_EQ(live[i].item, trained[i].item) << i;
    EXPECT_EQ(live[i].type, trained[i].type) << i;
    EXPECT_EQ(live[i].value, trained[i].value) << i;
    EXPECT_EQ(live[i].weight, trained[i].weight) << i;
    EXPECT_EQ(live[i].time, trained[i].time) << i;
    EXPECT_EQ(live[i].group, trained[i].group) << i;
  }
}

// Events of a few users and sessions; in the order of their times when returns are among them,
// because the live state nets a return when it hears of it.
std::vector<Event> any_events(bool returns) {
  std::vector<Event> events;
  Timestamp clock = kStart;
  const auto count = *rc::gen::inRange(0, 120);
  // Cleaning takes whole orders back after all single items, and what was bought at that very
  // moment with them; the live state as it hears of them.
  const bool orders = *rc::gen::arbitrary<bool>();
  for (int i = 0; i < count; ++i) {
    const auto pick = [](int n) { return std::to_string(*rc::gen::inRange(0, n)); };
    Event event;
    clock += orders ? 1 : 0;
    clock += *rc::gen::element<Timestamp>(0, 1000, 40 * 60 * 1000, 2 * kDay);
    event.time = returns ? clock : *rc::gen::element(kNoTime, clock, kStart + kDay, kStart);
    if (*rc::gen::inRange(0, 4) > 0) event.user = "u" + pick(3);
    if (*rc::gen::arbitrary<bool>()) event.session = "s" + pick(3);
    if (*rc::gen::arbitrary<bool>()) event.order = "o" + pick(3);
    event.item = "i" + pick(4);
    event.type = *rc::gen::element(EventType::kView, EventType::kPurchase, EventType::kPurchase,
                                   EventType::kImpression, EventType::kRating);
    if (event.type == EventType::kRating) event.value = *rc::gen::inRange(1, 6);
    if (*rc::gen::arbitrary<bool>()) event.quantity = *rc::gen::inRange(0, 5);
    if (!returns && *rc::gen::inRange(0, 6) == 0)
      event.type = *rc::gen::element(EventType::kHide, EventType::kDislike, EventType::kReport);
    if (returns && *rc::gen::inRange(0, 6) == 0) {
      event.type =
          *rc::gen::element(EventType::kCart, EventType::kCart, EventType::kRemoveFromCart);
      event.quantity = *rc::gen::inRange(1, 4);
    }
    if (!returns || *rc::gen::inRange(0, 5) > 0) {
    } else if (orders) {
      event.type = event.order.empty() ? EventType::kPurchase : EventType::kReturn;
      if (!event.order.empty()) event.item.clear();
    } else {
      event.type = *rc::gen::element(EventType::kReturn, EventType::kPurchase);
      event.quantity = -*rc::gen::inRange(1, 6);
    }
    events.push_back(event);
  }
  return events;
}

void agrees_with_training(bool returns) {
  HistoryOptions options;
  options.group_by = *rc::gen::element<std::string>("order", "session", "gap");
  options.weights = {"view=0.2", "dislike=-0.7", "hide=-2"};
  // Little memory: persons go to the store and come back all the time.
  Shop shop(options, {300, *rc::gen::element<std::uint64_t>(0, 64 * 400, 1 << 30)});
  const auto events = any_events(returns);
  for (const Event& event : events) shop.tell(event);
  const Histories histories = shop.trained();
  std::vector<std::size_t> rows;
  for (std::size_t u = 0; u < histories.users(); ++u) {
    const UserIndex user{static_cast<std::uint32_t>(u)};
    expect_same(*shop.live_->history({user, ""}), histories.row(u));
  }
  std::size_t anonymous = 0, rest = 0;
  for (std::uint32_t s = 0; s < shop.table_.sessions.size(); ++s)
    anonymous += shop.live_->history({kNoUser, shop.table_.sessions.id(s)})->size();
  for (std::size_t r = histories.users(); r < histories.rows(); ++r)
    rest += histories.row(r).size();
  RC_ASSERT(anonymous == rest);
  // The counters have what the histories have.
  std::map<std::uint32_t, double> wanted;
  for (std::size_t r = 0; r < histories.rows(); ++r)
    for (const HistoryEvent& event : histories.row(r)) wanted[raw(event.item)] += event.weight;
  std::size_t found = 0;
  for (const Candidate& counted : shop.live_->popular({}, 100, kAll)) {
    EXPECT_NEAR(counted.score, wanted[raw(counted.item)], 1e-3);
    ++found;
  }
  RC_ASSERT(found ==
            static_cast<std::size_t>(std::count_if(wanted.begin(), wanted.end(),
                                                   [](const auto& w) { return w.second > 1e-4; })));
  RC_ASSERT(!testing::Test::HasFailure());
}

TEST(LiveState, IsWhatTrainingSees) {
  EXPECT_TRUE(rc::check([] { agrees_with_training(false); }));
}

TEST(LiveState, NetsReturnsAsCleaningDoes) {
  EXPECT_TRUE(rc::check([] { agrees_with_training(true); }));
}

TEST(LiveState, WhatWasHiddenIsUnwantedUntilItIsTakenUpAgain) {
  Shop shop({}, {300, 1 << 30});
  shop.tell(event_of(EventType::kView, "u", "a", kStart));
  shop.tell(event_of(EventType::kHide, "u", "a", kStart + 1));
  shop.tell(event_of(EventType::kDislike, "u", "b", kStart + 2));
  shop.tell(event_of(EventType::kView, "u", "c", kStart + 3));
  const Person u{*shop.vocabulary_.user("u"), ""};
  EXPECT_EQ(shop.live_->unwanted(u)->size(), 2U);
  EXPECT_EQ(shop.items("u"), (std::vector<std::string>{"c"}));
  shop.tell(event_of(EventType::kClick, "u", "a", kStart + 4));
  EXPECT_EQ(*shop.live_->unwanted(u), (std::vector<ItemIndex>{*shop.vocabulary_.item("b")}));
}

TEST(LiveState, CountsWhatIsLeftWhereItHappened) {
  Shop shop;
  CountWindow week;
  week.days = 7;
  const auto score = [&](const CountWindow& window) {
    const auto top = shop.live_->popular(window, 1, kAll);
    return top.empty() ? 0 : top[0].score;
  };
  shop.tell(event_of(EventType::kPurchase, "old", "a", kStart));
  shop.tell(event_of(EventType::kPurchase, "new", "a", kStart + 20 * kDay));
  EXPECT_EQ(score({}), 2);
  shop.tell(event_of(EventType::kHide, "old", "a", kStart + 20 * kDay));
  EXPECT_EQ(score({}), 1);
  EXPECT_EQ(score(week), 1) << "what was hidden lies before the week";
  shop.tell(event_of(EventType::kReturn, "old", "a", kStart + 21 * kDay));
  EXPECT_EQ(score({}), 1) << "nothing was left to come back";
  shop.tell(event_of(EventType::kView, "old", "a", kStart + 19 * kDay));
  EXPECT_EQ(score({}), 1) << "a late one, which the hide took as well";
}

TEST(LiveState, KeepsTheLatestAndIgnoresRepeats) {
  Shop shop({}, {4, 1 << 30});
  for (int i = 0; i < 11; ++i)
    shop.tell(event_of(EventType::kView, "u", std::to_string(i), kStart + i));
  EXPECT_EQ(shop.items("u"), (std::vector<std::string>{"7", "8", "9", "10"}));
  EXPECT_EQ(shop.live_->sequence(), 11U);
  const Event late = event_of(EventType::kView, "u", "0", kStart + 99);
  ASSERT_TRUE(shop.live_->apply(11, late, shop.person(late), ItemIndex{0}).ok());
  EXPECT_EQ(shop.items("u").back(), "10") << "sequence 11 has been folded in";
}

TEST(LiveState, AForgottenPersonIsForgottenEverywhere) {
  Shop shop({}, {300, 0});  // nobody stays in memory but the one at hand
  for (int i = 0; i < 200; ++i)
    shop.tell(event_of(EventType::kView, "u" + std::to_string(i % 100), "i", kStart + i));
  EXPECT_GT(shop.live_->stats().evictions, 50U);
  for (int i = 0; i < 100; ++i) {
    const std::string user = "u" + std::to_string(i);
    ASSERT_EQ(shop.history(user).size(), 2U);
    ASSERT_TRUE(shop.live_->erase({*shop.vocabulary_.user(user), ""}).ok());
    EXPECT_TRUE(shop.history(user).empty());
  }
  EXPECT_EQ(shop.live_->stats().persons, 0U);
  EXPECT_EQ(shop.live_->stats().events, 0U);
  std::size_t stored = 0;
  ASSERT_TRUE(shop.store_->scan("live/", [&](auto, auto) { return ++stored > 0; }).ok());
  EXPECT_EQ(stored, 0U);
}

TEST(LiveState, OpeningStartsFromNothing) {
  Shop shop({}, {300, 0});
  for (int i = 0; i < 300; ++i)
    shop.tell(event_of(EventType::kView, std::to_string(i), "i", kStart + i));
  const auto again = *LiveState::open({}, shop.types_, *shop.store_, {});
  EXPECT_TRUE(again->history({UserIndex{0}, ""})->empty());
  EXPECT_EQ(again->sequence(), 0U);
}

TEST(LiveState, MemoryStaysBounded) {
  constexpr std::uint64_t kBytes = 1 << 20;
  Shop shop({}, {300, kBytes});
  for (int i = 0; i < 20'000; ++i)
    shop.tell(event_of(EventType::kView, std::to_string(i % 7000), std::to_string(i % 50), kStart));
  const LiveStats stats = shop.live_->stats();
  EXPECT_LT(stats.memory_bytes, kBytes * 5 / 4);
  EXPECT_GT(stats.memory_bytes, kBytes / 2);
  EXPECT_EQ(shop.history("6999").size(), 2U);
  EXPECT_EQ(shop.history("0").size(), 3U);
}

TEST(LiveState, AClockThatIsAheadDoesNotCount) {
  Shop shop;
  Event wrong = event_of(EventType::kView, "u", "wrong", kStart + 900 * kDay);
  wrong.received = kStart;
  shop.tell(wrong);
  shop.tell(event_of(EventType::kView, "u", "right", kStart + 1));
  EXPECT_EQ(shop.items("u"), (std::vector<std::string>{"wrong", "right"}));
  EXPECT_EQ(shop.live_->popular({.days = 7}, 9, kAll).size(), 2U);
}

TEST(LiveState, PopularCountsByDay) {
  Shop shop;
  const auto on_day = [&](int day, const std::string& item, int times) {
    for (int i = 0; i < times; ++i)
      shop.tell(event_of(EventType::kPurchase, "u", item, kStart + day * kDay));
  };
  on_day(0, "old", 5);
  on_day(100, "week", 3);
  on_day(106, "today", 2);
  on_day(106, "undone", 9);
  Event back = event_of(EventType::kReturn, "u", "undone", kStart + 106 * kDay);
  back.quantity = 9;
  shop.tell(back);
  const auto popular = [&](int days, std::size_t n = 10) {
    std::vector<std::pair<std::string, float>> out;
    for (const Candidate& c : shop.live_->popular({.days = days}, n, kAll))
      out.emplace_back(shop.vocabulary_.id(c.item), c.score);
    return out;
  };
  using List = std::vector<std::pair<std::string, float>>;
  EXPECT_EQ(popular(1), (List{{"today", 2}}));
  EXPECT_EQ(popular(7), (List{{"week", 3}, {"today", 2}}));
  EXPECT_EQ(popular(92), popular(7));
  EXPECT_EQ(popular(0), (List{{"old", 5}, {"week", 3}, {"today", 2}}));
  EXPECT_EQ(popular(0, 1), (List{{"old", 5}}));
  const ItemIndex old = *shop.vocabulary_.item("old");
  EXPECT_EQ(shop.live_->popular({}, 1, [&](ItemIndex i) { return i != old; }).at(0).score, 3);
}

TEST(LiveState, WrongWeightsAreNamed) {
  const auto store = *open_state_store("memory:");
  HistoryOptions options;
  options.weights = {"vieww=1"};
  const auto live = LiveState::open(options, EventTypes(), *store);
  ASSERT_FALSE(live.ok());
  EXPECT_NE(live.error().message.find("vieww"), std::string::npos);
}

// Readers, a forgetter and a statistician beside the fold; nothing is lost of those nobody forgets.
TEST(LiveState, IsAskedFromManyThreads) {
  const auto store = *open_state_store("memory:");
  const EventTypes types;
  const auto live = *LiveState::open({}, types, *store, {50, 64 * 2000});
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      for (std::uint32_t i = t; !done; i += 7) {
        const auto history = live->history({UserIndex{i % 500}, ""});
        EXPECT_TRUE(history.ok());
        EXPECT_TRUE(std::is_sorted(history->begin(), history->end(),
                                   [](const auto& a, const auto& b) { return a.time < b.time; }));
        if (t == 2) {
          EXPECT_TRUE(live->erase({UserIndex{500 + i % 10}, ""}).ok());
          EXPECT_LE(live->popular({.days = 7}, 5, kAll).size(), 5U);
          EXPECT_LE(live->stats().persons, 510U);
        }
      }
    });
  for (std::uint32_t n = 0; n < 10'200; ++n) {
    const Event event = event_of(EventType::kView, "", "", kStart + n);
    ASSERT_TRUE(live->apply(n + 1, event, {UserIndex{n % 510}, ""}, ItemIndex{n % 40}).ok());
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  for (std::uint32_t u = 0; u < 500; ++u)
    EXPECT_EQ(live->history({UserIndex{u}, ""})->size(), 20U) << u;
}

Event visit(int session) {
  Event event = event_of(EventType::kView, "", "a", kStart + session);
  event.session = "s" + std::to_string(session);
  return event;
}

TEST(LiveState, OfSessionsOnDiskTheLatestStay) {
  constexpr int kSessions = 3'000, kStored = 1'000;
  LiveLimits limits;
  limits.memory_bytes = 64 * 1024;
  limits.stored_sessions = kStored;
  Shop shop({}, limits);
  shop.tell(event_of(EventType::kView, "known", "a", kStart));
  for (int i = 0; i < kSessions; ++i) shop.tell(visit(i));
  const auto known = [&] {
    int count = 0;
    for (int i = 0; i < kSessions; ++i)
      count += !shop.live_->history({kNoUser, visit(i).session})->empty();
    return count;
  };
  EXPECT_EQ(known(), kSessions);
  ASSERT_TRUE(shop.live_->prepare_save().ok());
  const int left = known();
  EXPECT_GE(left, kStored);
  EXPECT_LT(left, kStored + 700) << "and those in memory";
  EXPECT_TRUE(shop.live_->history({kNoUser, visit(0).session})->empty());
  EXPECT_FALSE(shop.live_->history({kNoUser, visit(kSessions - 1).session})->empty());
  EXPECT_EQ(shop.history("known").size(), 1U) << "a user is no session";
}

// A memory store whose disk fails when it is told to.
class FailingStore : public StateStore {
 public:
  Result<std::optional<std::string>> get(std::string_view key) const override {
    if (failing) return Error{Code::kIo, "injected"};
    return store_->get(key);
  }
  Status put(std::string_view key, std::string_view value) override {
    return failing ? Status(Error{Code::kIo, "injected"}) : store_->put(key, value);
  }
  Status erase(std::string_view key) override { return store_->erase(key); }
  Status erase_prefix(std::string_view prefix) override { return store_->erase_prefix(prefix); }
  Status scan(std::string_view prefix,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    return store_->scan(prefix, visit);
  }
  bool failing = false;

 private:
  std::unique_ptr<StateStore> store_ = *open_state_store("memory:");
};

TEST(LiveState, AStoreThatFailsIsSaidAndNothingIsMadeOfIt) {
  FailingStore store;
  LiveLimits limits;
  limits.memory_bytes = 64 * 1024;
  const EventTypes types;
  const auto live = *LiveState::open({}, types, store, limits);
  std::uint64_t sequence = 0;
  const auto tell = [&](int session) {
    const Event event = visit(session);
    return live->apply(++sequence, event, {kNoUser, event.session}, ItemIndex{0});
  };
  for (int i = 0; i < 2'000; ++i) ASSERT_TRUE(tell(i).ok());
  ASSERT_TRUE(live->prepare_save().ok());
  store.failing = true;
  EXPECT_FALSE(tell(0).ok());
  store.failing = false;
  EXPECT_EQ(live->sequence(), sequence) << "the event counts all the same";
  EXPECT_FALSE(live->prepare_save().ok()) << "a checkpoint would lack the session's first event";
}

// The newest hour is the newest that anything was heard of in.
TEST(LiveState, AFastClockForgetsNothing) {
  Shop shop;
  Event now = event_of(EventType::kPurchase, "u", "a", kStart);
  now.received = kStart;
  shop.tell(now);
  Event ahead = event_of(EventType::kPurchase, "u", "b", kStart + kDay - 1);
  ahead.received = kStart;
  shop.tell(ahead);
  CountWindow hour;
  hour.hours = 1;
  EXPECT_EQ(shop.live_->popular(hour, 9, kAll).size(), 2U);
}

}  // namespace
}  // namespace vitrine

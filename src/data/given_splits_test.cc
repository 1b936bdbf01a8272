#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

#include "data/histories_testing.h"
#include "data/split.h"

namespace vitrine {
namespace {

using testing::arbitrary_histories;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::make_histories;
using testing::QuietRun;

HistoryEvent event(std::uint32_t item, Timestamp time = kNoTime, float value = 1) {
  return {.item = ItemIndex{item}, .value = value, .time = time};
}

std::vector<std::uint32_t> items(std::span<const HistoryEvent> events) {
  std::vector<std::uint32_t> out;
  for (const HistoryEvent& e : events) out.push_back(raw(e.item));
  return out;
}
std::vector<std::uint32_t> items(std::span<const ItemIndex> indexes) {
  std::vector<std::uint32_t> out;
  for (const ItemIndex i : indexes) out.push_back(raw(i));
  return out;
}

SplitOptions prefixes(double share) {
  SplitOptions options;
  options.kind = "prefixes";
  options.test_share = share;
  return options;
}

TEST(Prefixes, OfFilesAskForEveryNextItem) {
  // As in SR-GNN: the session [1, 2, 3] asks 1 -> 2 and 1 2 -> 3; one of one event asks nothing.
  const Histories train = make_histories({{event(0), event(1)}}, 0, 5);
  const Histories test =
      make_histories({{event(1), event(2), event(3)}, {event(4)}, {event(2), event(2)}}, 0, 5);
  const auto split = prefixes_from_files(train, test, "given files");
  ASSERT_TRUE(split.ok()) << split.error().message;
  ASSERT_EQ(split->cases(), 3u);
  EXPECT_THAT(items((*split)[0].history), ElementsAre(1));
  EXPECT_THAT(items((*split)[0].truth), ElementsAre(2));
  EXPECT_THAT(items((*split)[1].history), ElementsAre(1, 2));
  EXPECT_THAT(items((*split)[1].truth), ElementsAre(3));
  EXPECT_THAT(items((*split)[2].history), ElementsAre(2));
  EXPECT_THAT(items((*split)[2].truth), ElementsAre(2));
  EXPECT_EQ((*split)[2].user, std::nullopt);
  EXPECT_EQ(split->train().size(), 2u);
  EXPECT_FALSE(prefixes_from_files(train, make_histories({{event(1)}}, 0, 5), "").ok());
}

TEST(Prefixes, HoldTheLatestSessionsOutWhole) {
  const QuietRun run;
  int made = 0;
  EXPECT_TRUE(rc::check([&] {
    const Histories all = arbitrary_histories();
    SplitOptions options = prefixes(*rc::gen::element(0.1, 0.4, 0.8));
    options.new_items = *rc::gen::arbitrary<bool>();
    options.events_min = *rc::gen::inRange(0, 3);
    const auto split = make_split(run, all, options);
    if (!split.ok()) {
      RC_ASSERT(split.error().code == Code::kInvalid);
      return;
    }
    ++made;
    const std::vector<std::uint32_t> seen = item_counts(split->train());
    std::size_t at = 0, dropped = 0;
    Timestamp latest_kept = kNoTime;
    for (std::size_t r = 0; r < all.rows(); ++r) {
      const auto row = all.row(r);
      if (!split->train().row(r).empty()) {  // fitted whole
        RC_ASSERT(items(split->train().row(r)) == items(row));
        latest_kept = std::max(latest_kept, row.front().time);
        continue;
      }
      for (std::size_t n = 1; n < row.size(); ++n) {
        if (static_cast<int>(n) < options.events_min) continue;
        if (!options.new_items && seen[raw(row[n].item)] == 0) {
          ++dropped;
          continue;
        }
        const EvaluationCase asked = (*split)[at++];
        RC_ASSERT(items(asked.history) == items(row.first(n)));
        RC_ASSERT(items(asked.truth) == items(row.subspan(n, 1)));
        RC_ASSERT(asked.ratings[0] == row[n].value);
        RC_ASSERT(asked.now == row[n].time);
        RC_ASSERT(!asked.user);
      }
    }
    RC_ASSERT(at == split->cases());
    RC_ASSERT(dropped == split->dropped_new_items());
    for (std::size_t r = 0; r < all.rows(); ++r) {  // nobody who began later was fitted
      if (!all.row(r).empty() && split->train().row(r).empty())
        RC_ASSERT(all.row(r).front().time >= latest_kept);
    }
  }));
  EXPECT_GT(made, 20);
}

TEST(Prefixes, ThatLeaveNothingSayWhy) {
  const auto alone =
      make_split(QuietRun(), make_histories({{event(0), event(1)}}, 0, 2), prefixes(0.5));
  ASSERT_FALSE(alone.ok());
  EXPECT_THAT(alone.error().message, HasSubstr("leaves nothing to fit"));
  const auto short_ones =
      make_split(QuietRun(), make_histories({{event(0)}, {event(0)}}, 0, 1), prefixes(0.5));
  ASSERT_FALSE(short_ones.ok());
  EXPECT_THAT(short_ones.error().message, HasSubstr("leaves nobody to ask"));
}

TEST(WithoutPairs, LeavesWhatTheTestFileDoesNotHold) {
  const Histories all =
      make_histories({{event(0), event(1), event(0), event(2)}, {event(0)}, {event(1)}}, 2, 3);
  const Histories test = make_histories({{event(0)}, {event(2)}}, 2, 3);
  const Histories left = without_pairs(all, test);
  EXPECT_THAT(items(left.row(0)), ElementsAre(1, 2));
  EXPECT_THAT(items(left.row(1)), ElementsAre(0));
  EXPECT_THAT(items(left.row(2)), ElementsAre(1));  // a session
  EXPECT_EQ(left.users(), 2u);
}

TEST(GivenItems, AreWhatTheTruthIsRankedAmong) {
  const Histories train = make_histories({{event(0)}, {event(1)}, {event(2)}}, 3, 9);
  const Histories test = make_histories({{event(5)}, {event(6)}, {event(7)}}, 3, 9);
  const auto split = split_from_files(train, test, "files");
  ASSERT_TRUE(split.ok());
  EXPECT_FALSE(split->has_given_items());
  const auto given =
      against_given_items(*split, {{ItemIndex{8}, ItemIndex{3}, ItemIndex{3}}, {}, {ItemIndex{7}}});
  ASSERT_TRUE(given.ok()) << given.error().message;
  ASSERT_EQ(given->cases(), 2u);
  EXPECT_TRUE(given->has_given_items());
  EXPECT_THAT(items((*given)[0].against), ElementsAre(3, 5, 8));
  EXPECT_THAT(items((*given)[1].against), ElementsAre(7));
  EXPECT_THAT(items((*given)[1].truth), ElementsAre(7));
  EXPECT_FALSE(against_given_items(*split, {}).ok());
}

TEST(Ratings, AreParallelToTheTruthAndTheLastOnesGiven) {
  const Histories train = make_histories({{event(0)}}, 1, 4);
  const Histories test =
      make_histories({{event(3, kNoTime, 2), event(1, kNoTime, 4), event(3, kNoTime, 5)}}, 1, 4);
  const auto split = split_from_files(train, test, "files");
  ASSERT_TRUE(split.ok());
  EXPECT_THAT(items((*split)[0].truth), ElementsAre(1, 3));
  EXPECT_THAT((*split)[0].ratings, ElementsAre(4, 5));
}

TEST(Weights, ChangeWhatIsKnownAndNotWhatIsAsked) {
  HistoryEvent cart = event(0), purchase = event(1);
  cart.type = EventType::kCart;
  purchase.type = EventType::kPurchase;
  const Histories train = make_histories({{cart, purchase}, {cart}}, 2, 3);
  const Histories test = make_histories({{event(2)}, {event(2)}}, 2, 3);
  const auto split = split_from_files(train, test, "files");
  ASSERT_TRUE(split.ok());
  const auto weights = event_weights({.weights = {"cart=0", "purchase=2"}}, EventTypes());
  ASSERT_TRUE(weights.ok());
  const Split bought = with_weights(*split, *weights);
  ASSERT_EQ(bought.cases(), 2u);
  EXPECT_THAT(items(bought.train().row(0)), ElementsAre(1));
  EXPECT_EQ(bought.train().row(0)[0].weight, 2);
  EXPECT_THAT(items(bought[0].history), ElementsAre(1));
  EXPECT_THAT(items(bought[1].history), ElementsAre());
  EXPECT_EQ(bought[0].user, UserIndex{0});
  EXPECT_EQ(bought[1].user, std::nullopt);
  EXPECT_THAT(items(bought[1].truth), ElementsAre(2));
}

// What is held out over all folds: (row, serial number) -> how often.
TEST(Folds, ShareTheEventsOut) {
  const QuietRun run;
  EXPECT_TRUE(rc::check([&] {
    const Histories plain = arbitrary_histories();
    std::vector<HistoryEvent> events(plain.events().begin(), plain.events().end());
    for (std::size_t i = 0; i < events.size(); ++i)
      events[i].item = ItemIndex{static_cast<std::uint32_t>(i)};
    const Histories all(std::vector<std::uint64_t>(plain.offsets().begin(), plain.offsets().end()),
                        events, plain.users(), static_cast<std::uint32_t>(events.size()));
    SplitOptions options;
    options.new_items = true;
    options.events_min = *rc::gen::inRange(0, 3);
    const int folds = *rc::gen::inRange(2, 6);
    const std::string by = *rc::gen::element<std::string>("events", "persons");
    std::vector<int> held(all.items());
    std::set<std::uint32_t> persons;
    for (int fold = 0; fold < folds; ++fold) {
      const auto split = make_fold(run, all, options, by, fold, folds);
      if (!split.ok()) continue;
      const std::vector<std::uint32_t> fitted = item_counts(split->train());
      for (std::size_t i = 0; i < split->cases(); ++i) {
        for (const ItemIndex item : (*split)[i].truth) {
          RC_ASSERT(fitted[raw(item)] == 0u);
          ++held[raw(item)];
        }
        if (by == "persons") {
          for (const HistoryEvent& e : (*split)[i].history) RC_ASSERT(fitted[raw(e.item)] == 0u);
          RC_ASSERT(persons.insert(raw((*split)[i].truth[0])).second);
        }
      }
    }
    for (const int times : held) RC_ASSERT(times <= 1);
  }));
}

TEST(Folds, HoldEveryEventOutOnceWhereAllCanBe) {
  std::vector<std::vector<HistoryEvent>> rows(30);
  for (std::uint32_t r = 0; r < 30; ++r) {
    for (std::uint32_t i = 0; i < 5 + r; ++i) rows[r].push_back(event(i));
  }
  const Histories all = make_histories(rows, 30, 34);
  SplitOptions options;
  options.new_items = true;
  std::size_t held = 0;
  for (int fold = 0; fold < 5; ++fold) {
    const auto split = make_fold(QuietRun(), all, options, "events", fold, 5);
    ASSERT_TRUE(split.ok()) << split.error().message;
    EXPECT_EQ(split->cases(), 30u);
    for (std::size_t i = 0; i < split->cases(); ++i) held += (*split)[i].truth.size();
    EXPECT_NEAR(static_cast<double>(all.size() - split->train().size()), all.size() / 5.0, 20);
  }
  EXPECT_EQ(held, all.size());
  EXPECT_FALSE(make_fold(QuietRun(), all, options, "weekdays", 0, 5).ok());
  EXPECT_FALSE(make_fold(QuietRun(), all, options, "events", 5, 5).ok());
}

}  // namespace
}  // namespace vitrine

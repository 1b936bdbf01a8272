#include "rank/explain.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "rank/rank_testing.h"

namespace vitrine {
namespace {

using rank_testing::history_of;
using rank_testing::TableModel;

constexpr std::uint32_t kItems = 12;

// Straight from the definition: leave each distinct item out, normalise the positive losses.
std::vector<Reason> slow_explain(const TableModel& model, std::span<const HistoryEvent> history,
                                 ItemIndex item, const ExplainOptions& options) {
  std::vector<HistoryEvent> tried;  // latest event of each item, latest first
  for (auto e = history.rbegin(); e != history.rend(); ++e) {
    const bool known = std::any_of(tried.begin(), tried.end(),
                                   [&](const HistoryEvent& t) { return t.item == e->item; });
    if (!known && tried.size() < options.events) tried.push_back(*e);
  }
  std::vector<std::pair<double, HistoryEvent>> losses;
  double sum = 0;
  for (const HistoryEvent& t : tried) {
    std::vector<HistoryEvent> rest;
    for (const HistoryEvent& e : history) {
      if (e.item != t.item) rest.push_back(e);
    }
    const double loss = model.score_of(history, item) - model.score_of(rest, item);
    if (loss > 1e-6) losses.emplace_back(loss, t), sum += loss;
  }
  std::stable_sort(losses.begin(), losses.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Reason> reasons;
  for (const auto& [loss, event] : losses) {
    if (reasons.size() == options.reasons) break;
    reasons.push_back({event.item, event.type, event.time, static_cast<float>(loss / sum)});
  }
  return reasons;
}

void expect_equal_to_slow(const TableModel& model, const std::vector<HistoryEvent>& history,
                          const ExplainOptions& options) {
  const std::vector<ItemIndex> items = {ItemIndex{0}, ItemIndex{5}, ItemIndex{11}};
  const auto reasons = explain(model, {.history = history}, items, options);
  RC_ASSERT(reasons.size() == items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto expected = slow_explain(model, history, items[i], options);
    RC_ASSERT(reasons[i].size() == expected.size());
    for (std::size_t r = 0; r < expected.size(); ++r) {
      RC_ASSERT(std::abs(reasons[i][r].share - expected[r].share) < 2e-4f);
      RC_ASSERT(raw(reasons[i][r].item) == raw(expected[r].item));
      RC_ASSERT(reasons[i][r].time == expected[r].time);
    }
  }
}

std::vector<HistoryEvent> any_history() {
  return history_of(
      *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, kItems)));
}

ExplainOptions any_options() {
  return {*rc::gen::inRange<std::size_t>(1, 6), *rc::gen::inRange<std::size_t>(1, 9)};
}

TEST(Explain, LinearModelEqualsLeavingOut) {
  EXPECT_TRUE(rc::check([] {
    const TableModel model(kItems, *rc::gen::inRange<std::uint64_t>(0, 1000), 1, 2);
    expect_equal_to_slow(model, any_history(), any_options());
  }));
}

TEST(Explain, AnyOtherModelIsAskedByLeavingOut) {
  EXPECT_TRUE(rc::check([] {
    const TableModel model(kItems, *rc::gen::inRange<std::uint64_t>(0, 1000), 0.6, 2);
    expect_equal_to_slow(model, any_history(), any_options());
  }));
}

TEST(Explain, LinearModelIsAskedOnceForEachItem) {
  const TableModel model(kItems, 3);
  const std::vector<HistoryEvent> history = history_of({1, 2, 3, 2, 1, 4});
  const std::vector<ItemIndex> items = {ItemIndex{7}};
  explain(model, {.history = history}, items, {});
  EXPECT_EQ(model.calls, 2 + 4);  // the whole, nothing, four items
}

TEST(Explain, UserRowsAreNotAsked) {
  const TableModel model(kItems, 3);
  const std::vector<HistoryEvent> history = history_of({1, 2, 3});
  const std::vector<ItemIndex> items = {ItemIndex{7}, ItemIndex{8}};
  const auto known = explain(model, {.history = history, .user = UserIndex{4}}, items, {});
  const auto unknown = explain(model, {.history = history}, items, {});
  ASSERT_FALSE(unknown[0].empty() && unknown[1].empty());
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(known[i].size(), unknown[i].size());
}

TEST(Explain, SharesAddUpToOneAtMost) {
  const TableModel model(40, 9, 0.9);
  const std::vector<HistoryEvent> history = history_of({1, 2, 3, 4, 5, 6, 7, 8, 9});
  std::vector<ItemIndex> items;
  for (std::uint32_t i = 10; i < 40; ++i) items.push_back(ItemIndex{i});
  for (const auto& reasons : explain(model, {.history = history}, items, {4, 50})) {
    float sum = 0, previous = 1;
    for (const Reason& reason : reasons) {
      EXPECT_GT(reason.share, 0);
      EXPECT_LE(reason.share, previous);
      sum += previous = reason.share;
    }
    EXPECT_LE(sum, 1.0001f);
    EXPECT_LE(reasons.size(), 4u);
  }
}

TEST(Explain, NothingToExplain) {
  const TableModel model(kItems, 1);
  const std::vector<HistoryEvent> history = history_of({1});
  const std::vector<ItemIndex> items = {ItemIndex{2}};
  EXPECT_TRUE(explain(model, {.history = history}, {}, {}).empty());
  EXPECT_TRUE(explain(model, {.history = {}}, items, {})[0].empty());
  EXPECT_TRUE(explain(model, {.history = history}, items, {0, 50})[0].empty());
  EXPECT_TRUE(explain(rank_testing::ListModel({1}), {.history = history}, items, {})[0].empty());
}

}  // namespace
}  // namespace vitrine

#include "rank/pipeline.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

#include "rank/rank_testing.h"

namespace vitrine {
namespace {

using rank_testing::history_of;
using rank_testing::ListModel;
using rank_testing::TableModel;

std::vector<std::uint32_t> items_of(const Slate& slate) {
  std::vector<std::uint32_t> items;
  for (const SlateItem& i : slate.items) items.push_back(raw(i.item));
  return items;
}

std::vector<std::uint32_t> any_items(std::uint32_t bound) {
  return *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, bound));
}

// The gate: models that list anything, repeat themselves and ignore their mask; any mask, any n.
TEST(Pipeline, NothingOutsideTheMaskIsEverListed) {
  EXPECT_TRUE(rc::check([] {
    Bitmap allowed(*rc::gen::inRange<std::size_t>(0, 50));
    for (const std::uint32_t i : any_items(50)) {
      if (i < allowed.size()) allowed.set(i);
    }
    std::vector<ItemIndex> excluded;
    for (const std::uint32_t i : any_items(50)) excluded.push_back(ItemIndex{i});
    std::sort(excluded.begin(), excluded.end());
    std::vector<ListModel> models;
    for (int m = *rc::gen::inRange(0, 4); m > 0; --m) models.emplace_back(any_items(60));
    const ListModel fallback(any_items(60));
    const TableModel honest(50, 5);
    std::vector<Source> sources = {{"honest", &honest, 1}};
    for (const ListModel& model : models) sources.push_back({"wild", &model, 1});
    const auto history = history_of(any_items(60));
    const int n = *rc::gen::inRange(-2, 70);
    const PipelineRequest request{.query = {.history = history},
                                  .allowed = &allowed,
                                  .excluded = excluded,
                                  .n = n,
                                  .explain = *rc::gen::arbitrary<bool>(),
                                  .fallback = *rc::gen::arbitrary<bool>() ? &fallback : nullptr};
    const Slate slate = run_pipeline(request, sources, {});
    std::set<ItemIndex> seen;
    float previous = std::numeric_limits<float>::infinity();
    for (const SlateItem& item : slate.items) {
      RC_ASSERT(allowed.test(raw(item.item)));
      RC_ASSERT(!std::binary_search(excluded.begin(), excluded.end(), item.item));
      RC_ASSERT(seen.insert(item.item).second);
      RC_ASSERT(item.score <= previous);
      RC_ASSERT(item.propensity == 1.0f);
      previous = item.score;
    }
    RC_ASSERT(slate.items.size() <= static_cast<std::size_t>(std::max(0, n)));
    const bool short_of = static_cast<int>(slate.items.size()) < n;
    RC_ASSERT(slate.shortfall.empty() == !short_of);
  }));
}

TEST(Pipeline, OneSourceKeepsItsOrder) {
  const TableModel model(30, 8);
  const auto history = history_of({1, 2, 3});
  CandidateBlock expected;
  const Query query{.history = history};
  const ItemMask all;
  model.retrieve({&query, 1}, {&all, 1}, 10, expected);
  const Source source{"table", &model, 2};
  const PipelineOptions options;
  const Slate slate = run_pipeline({.query = query, .n = 10}, {&source, 1}, options);
  ASSERT_EQ(slate.items.size(), 10u);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(slate.items[i].item, expected.row(0)[i].item);
    EXPECT_FLOAT_EQ(slate.items[i].score, 2 / (60 + static_cast<float>(i) + 1));
    EXPECT_EQ(slate.items[i].source, "table");
    EXPECT_TRUE(slate.items[i].reasons.empty());
  }
  EXPECT_EQ(slate.degraded, "");
  EXPECT_EQ(slate.shortfall, "");
}

TEST(Pipeline, ASourceThatListsWhatItMustNotIsAskedForMore) {
  const ListModel wild({0, 1, 1, 2, 3, 4, 5, 6, 7});
  const Source source{"wild", &wild};
  const std::vector<ItemIndex> excluded = {ItemIndex{0}, ItemIndex{2}};
  const PipelineRequest request{.query = {}, .excluded = excluded, .n = 4};
  EXPECT_EQ(items_of(run_pipeline(request, {&source, 1}, {})),
            (std::vector<std::uint32_t>{1, 3, 4, 5}));
}

TEST(Pipeline, ModelsAreFused) {
  const ListModel first({1, 2, 3}), second({3, 4});
  const Source sources[] = {{"first", &first}, {"second", &second}};
  const Slate slate = run_pipeline({.query = {}, .n = 3}, sources, {});
  EXPECT_EQ(items_of(slate), (std::vector<std::uint32_t>{3, 1, 2}));
  EXPECT_EQ(slate.items[0].source, "second");
  const Source weighted[] = {{"first", &first, 0}, {"second", &second}};
  EXPECT_EQ(items_of(run_pipeline({.query = {}, .n = 3}, weighted, {})),
            (std::vector<std::uint32_t>{3, 4}));
}

TEST(Pipeline, RetrievesAsManyAsAreAskedFor) {
  std::vector<std::uint32_t> many(500);
  for (std::uint32_t i = 0; i < 500; ++i) many[i] = i;
  const ListModel model(many);
  const Source source{"list", &model};
  PipelineOptions options;
  options.candidates = 5;
  EXPECT_EQ(run_pipeline({.query = {}, .n = 400}, {&source, 1}, options).items.size(), 400u);
  EXPECT_EQ(run_pipeline({.query = {}, .n = 9000}, {&source, 1}, options).items.size(), 500u);
}

TEST(Pipeline, FallbackFillsUp) {
  const ListModel model({5, 6}), popular({6, 1, 2, 5, 3, 4});
  const Source source{"list", &model};
  const std::vector<ItemIndex> excluded = {ItemIndex{2}};
  PipelineRequest request{
      .query = {}, .allowed = nullptr, .excluded = excluded, .n = 4, .fallback = &popular};
  Slate slate = run_pipeline(request, {&source, 1}, {});
  // Asked for two more, a fallback that obeys no mask wastes one place on 6.
  EXPECT_EQ(items_of(slate), (std::vector<std::uint32_t>{5, 6, 1}));
  EXPECT_EQ(slate.items[2].source, "popularity");
  EXPECT_EQ(slate.items[2].score, 0);
  EXPECT_EQ(slate.degraded, "the models list 2 of 4 items: popularity fills up");
  EXPECT_EQ(slate.shortfall, "3 of 4 items: nothing else may be shown");

  request.fallback_name = "popular";
  slate = run_pipeline(request, {}, {});
  EXPECT_EQ(items_of(slate), (std::vector<std::uint32_t>{6, 1, 5}));
  EXPECT_EQ(slate.degraded, "the models list nothing: popular");
}

TEST(Pipeline, NobodyListsAnything) {
  const Slate slate = run_pipeline({.query = {}, .n = 3}, {}, {});
  EXPECT_TRUE(slate.items.empty());
  EXPECT_EQ(slate.degraded, "");
  EXPECT_EQ(slate.shortfall, "0 of 3 items: nothing else may be shown");
  const TableModel model(20, 1);
  const Source source{"table", &model};
  EXPECT_EQ(run_pipeline({.query = {}, .n = 3}, {&source, 1}, {}).items.size(), 3u);
}

TEST(Pipeline, EachItemIsExplainedByItsOwnModel) {
  const TableModel first(30, 1), second(30, 2);
  const ListModel popular({29, 28, 27, 26, 25, 24, 23, 22, 21, 20});
  const Source sources[] = {{"first", &first}, {"second", &second}};
  const auto history = history_of({1, 2, 3, 4});
  const PipelineRequest request{.query = {.history = history}, .n = 30, .explain = true};
  PipelineOptions options;
  options.candidates = 10;
  const Slate slate = run_pipeline(request, sources, options);
  int explained = 0;
  for (const SlateItem& item : slate.items) {
    const TableModel& model = item.source == "first" ? first : second;
    float best = 0;
    for (const HistoryEvent& event : history) {
      best = std::max(best, static_cast<float>(model.weight(event.item, item.item)));
    }
    if (item.reasons.empty()) continue;
    ++explained;
    EXPECT_LE(item.reasons.size(), 3u);
    EXPECT_FLOAT_EQ(static_cast<float>(model.weight(item.reasons[0].item, item.item)), best);
  }
  EXPECT_GT(explained, 10);
  PipelineRequest with_fallback = request;
  with_fallback.fallback = &popular;
  for (const SlateItem& item : run_pipeline(with_fallback, {}, options).items) {
    EXPECT_TRUE(item.reasons.empty());
  }
}

// What is ready when time is over is the list of those that were asked by then, and the rest is
// named.
TEST(Pipeline, TimeThatRunsOutLeavesOutTheLastOfTheCascade) {
  const ListModel first({1, 2, 3}), second({4, 5, 6}), fallback({7, 8, 9});
  const std::vector<Source> sources = {{"first", &first, 1}, {"second", &second, 1}};
  const std::vector<std::uint32_t> cascade = {1, 0};
  const auto history = history_of({0});
  PipelineRequest request{.query = {.history = history}, .n = 3, .fallback = &fallback};
  const Slate whole = run_pipeline(request, sources, {});
  request.cascade = cascade;
  const auto within = [&](int steps, bool explain) {
    request.explain = explain;
    request.is_late = [steps]() mutable { return steps-- <= 0; };
    return run_pipeline(request, sources, {});
  };
  EXPECT_EQ(items_of(within(0, false)), (std::vector<std::uint32_t>{7, 8, 9}));
  EXPECT_EQ(within(0, false).degraded,
            "out of time: without second, first; the models list nothing: popularity");
  EXPECT_EQ(items_of(within(1, false)), (std::vector<std::uint32_t>{4, 5, 6}));
  EXPECT_EQ(within(1, false).degraded, "out of time: without first");
  EXPECT_EQ(within(1, true).degraded, "out of time: without first, reasons");
  EXPECT_EQ(items_of(within(2, true)), items_of(whole));
  EXPECT_EQ(within(2, true).degraded, "out of time: without reasons");
  EXPECT_EQ(items_of(within(3, true)), items_of(whole));
  EXPECT_EQ(within(3, true).degraded, "");
}

}  // namespace
}  // namespace vitrine

#include "eval/metrics.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>

namespace vitrine {
namespace {

using Items = std::vector<ItemIndex>;

Items items(std::initializer_list<std::uint32_t> raw_items) {
  Items out;
  for (const std::uint32_t i : raw_items) out.push_back(ItemIndex{i});
  return out;
}

// ---- slow, obvious versions, straight from the definitions
// -----------------------------------------

Items top(const Items& list, std::size_t k) {
  return Items(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(std::min(k, list.size())));
}

double slow_hits(const Items& list, const std::set<ItemIndex>& truth, std::size_t k) {
  double hits = 0;
  for (const ItemIndex i : top(list, k)) hits += truth.contains(i) ? 1 : 0;
  return hits;
}

double slow_dcg(const std::vector<int>& relevance) {
  double sum = 0;
  for (std::size_t i = 0; i < relevance.size(); ++i) {
    sum += relevance[i] / std::log2(static_cast<double>(i) + 2);
  }
  return sum;
}

double slow(std::string_view metric, const Items& list, const Items& truth_items, std::size_t k) {
  const std::set<ItemIndex> truth(truth_items.begin(), truth_items.end());
  const double hits = slow_hits(list, truth, k), size = static_cast<double>(truth.size());
  const double places = static_cast<double>(k);
  if (metric == "precision") return hits / places;
  if (metric == "recall") return hits / size;
  if (metric == "recall_min") return hits / std::min(places, size);
  if (metric == "hit_rate") return hits > 0;
  if (metric == "f1") {
    const double p = hits / places, r = hits / size;
    return p + r > 0 ? 2 * p * r / (p + r) : 0;
  }
  if (metric == "ndcg") {
    std::vector<int> gained, ideal(std::min(k, truth.size()), 1);
    for (const ItemIndex i : top(list, k)) gained.push_back(truth.contains(i) ? 1 : 0);
    return slow_dcg(gained) / slow_dcg(ideal);
  }
  if (metric == "mrr") {
    for (std::size_t i = 0; i < std::min(k, list.size()); ++i) {
      if (truth.contains(list[i])) return 1.0 / static_cast<double>(i + 1);
    }
    return 0;
  }
  double precisions = 0;
  for (std::size_t i = 0; i < std::min(k, list.size()); ++i) {
    if (truth.contains(list[i])) {
      precisions += slow_hits(list, truth, i + 1) / static_cast<double>(i + 1);
    }
  }
  return precisions / (metric == "map" ? size : std::min(places, size));
}

double slow_auc(const std::vector<float>& scores, const Items& truth, const Items& excluded) {
  const auto score = [&](std::size_t i) {
    return i < scores.size() && !std::isnan(scores[i]) ? scores[i]
                                                       : -std::numeric_limits<float>::infinity();
  };
  const std::set<ItemIndex> in(truth.begin(), truth.end()), out(excluded.begin(), excluded.end());
  double right = 0, pairs = 0;
  for (const ItemIndex t : truth) {
    for (std::uint32_t o = 0; o < scores.size(); ++o) {
      if (in.contains(ItemIndex{o}) || out.contains(ItemIndex{o})) continue;
      right += score(raw(t)) > score(o) ? 1 : score(raw(t)) == score(o) ? 0.5 : 0;
      ++pairs;
    }
  }
  return pairs > 0 ? right / pairs : 0.5;
}

double slow_gini(
    const std::vector<std::uint32_t>& x) {  // mean absolute difference over twice the mean
  double differences = 0, sum = 0;
  for (const double a : x) {
    sum += a;
    for (const double b : x) differences += std::abs(a - b);
  }
  return sum > 0 ? differences / (2 * static_cast<double>(x.size()) * sum) : 0;
}

// ---- generators
// ------------------------------------------------------------------------------------

Items distinct(std::uint32_t bound, std::size_t size_max) {
  const auto raw_items =
      *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, bound));
  Items out;
  for (const std::uint32_t i : raw_items) {
    const bool known = std::find(out.begin(), out.end(), ItemIndex{i}) != out.end();
    if (!known && out.size() < size_max) out.push_back(ItemIndex{i});
  }
  return out;
}

Items ascending(Items list) {
  std::sort(list.begin(), list.end());
  return list;
}

TEST(Metrics, OfAListEqualTheirDefinitions) {
  EXPECT_TRUE(rc::check([] {
    const Items list = distinct(40, 30);
    Items truth = ascending(distinct(40, 12));
    if (truth.empty()) truth = items({3});
    const auto k = *rc::gen::inRange<std::size_t>(1, 25);
    std::vector<std::uint32_t> ranks;
    find_hits(list, truth, ranks);
    for (const Metric& metric : all_metrics()) {
      if (metric.of_list == nullptr) continue;
      const double value = metric.of_list({ranks, truth.size()}, k);
      RC_ASSERT(std::abs(value - slow(metric.name, list, truth, k)) < 1e-12);
      RC_ASSERT(value >= 0.0);
      RC_ASSERT(value <= 1.0 + 1e-12);
    }
  }));
}

TEST(Metrics, AucEqualsCountingPairs) {
  EXPECT_TRUE(rc::check([] {
    auto scores = *rc::gen::container<std::vector<float>>(
        rc::gen::map(rc::gen::inRange(-3, 5), [](int v) { return static_cast<float>(v); }));
    for (float& s : scores) s = s == 4.0f ? std::numeric_limits<float>::quiet_NaN() : s;
    const Items truth = ascending(distinct(30, 8));
    Items excluded;
    for (const ItemIndex i : ascending(distinct(30, 10))) {
      if (!std::binary_search(truth.begin(), truth.end(), i)) excluded.push_back(i);
    }
    std::vector<float> scratch = scores;
    RC_ASSERT(std::abs(auc(scratch, truth, excluded) - slow_auc(scores, truth, excluded)) < 1e-12);
  }));
}

TEST(Metrics, GiniEqualsMeanDifference) {
  EXPECT_TRUE(rc::check([] {
    const auto x =
        *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, 50));
    Exposure exposure;
    exposure.lists = x;
    RC_ASSERT(std::abs(gini(exposure) - slow_gini(x)) < 1e-9);
  }));
}

// List 5 1 7 2 9, truth {1, 2, 3}: hits at ranks 2 and 4.
TEST(Metrics, WorkedByHand) {
  std::vector<std::uint32_t> ranks;
  find_hits(items({5, 1, 7, 2, 9}), items({1, 2, 3}), ranks);
  ASSERT_EQ(ranks, (std::vector<std::uint32_t>{2, 4}));
  const Hits hits{ranks, 3};
  EXPECT_DOUBLE_EQ(precision(hits, 5), 2.0 / 5);
  EXPECT_DOUBLE_EQ(recall(hits, 5), 2.0 / 3);
  EXPECT_DOUBLE_EQ(recall(hits, 2), 1.0 / 3);
  EXPECT_DOUBLE_EQ(recall_min(hits, 2), 1.0 / 2);
  EXPECT_DOUBLE_EQ(f1(hits, 5), 0.5);
  EXPECT_DOUBLE_EQ(hit_rate(hits, 1), 0);
  EXPECT_DOUBLE_EQ(hit_rate(hits, 2), 1);
  EXPECT_DOUBLE_EQ(mrr(hits, 5), 0.5);
  EXPECT_DOUBLE_EQ(map(hits, 5), (0.5 + 0.5) / 3);
  EXPECT_DOUBLE_EQ(map_min(hits, 2), 0.5 / 2);
  const double l3 = 1 / std::log2(3), l5 = 1 / std::log2(5);
  EXPECT_DOUBLE_EQ(ndcg(hits, 5), (l3 + l5) / (1 + l3 + 0.5));
  EXPECT_DOUBLE_EQ(ndcg(hits, 2), l3 / (1 + l3));
}

TEST(Metrics, RepeatedItemsHitOnce) {
  std::vector<std::uint32_t> ranks;
  find_hits(items({4, 4, 1, 4}), items({1, 4}), ranks);
  EXPECT_EQ(ranks, (std::vector<std::uint32_t>{1, 3}));
}

TEST(Metrics, OfTheWholeWorkedByHand) {
  const std::vector<std::uint32_t> lists = {3, 1, 0, 0}, persons = {8, 2, 1, 0};
  const Exposure exposure{lists, persons, 8, 6, 4};
  EXPECT_DOUBLE_EQ(coverage(exposure), 0.5);
  EXPECT_DOUBLE_EQ(novelty(exposure), (3 * 0 + 1 * 2) / 4.0);
  EXPECT_DOUBLE_EQ(popularity_bias(exposure), 1.5);
  EXPECT_DOUBLE_EQ(gini(exposure), (3 * 3 + 1 * 1) / (4 * 4.0));
  const std::vector<std::uint32_t> cold = {0, 0, 0, 2};
  EXPECT_DOUBLE_EQ(novelty(Exposure{cold, persons, 8, 0, 0}), 3);  // nobody counts as one
  EXPECT_DOUBLE_EQ(novelty(Exposure{}), 0);
  EXPECT_DOUBLE_EQ(popularity_bias(Exposure{}), 0);
}

TEST(Metrics, TableIsSound) {
  std::set<std::string_view> names;
  for (const Metric& m : all_metrics()) {
    EXPECT_TRUE(names.insert(m.name).second) << m.name;
    const int functions =
        (m.of_list != nullptr) + (m.of_scores != nullptr) + (m.of_whole != nullptr);
    EXPECT_EQ(functions, 1) << m.name;
    EXPECT_FALSE(m.formula.empty() || m.help.empty()) << m.name;
    EXPECT_EQ(find_metric(m.name), &m);
  }
  EXPECT_EQ(find_metric("recall@20"), nullptr);
  EXPECT_EQ(metric_name(*find_metric("recall"), 20), "recall@20");
  EXPECT_EQ(metric_name(*find_metric("auc"), 0), "auc");
}

}  // namespace
}  // namespace vitrine

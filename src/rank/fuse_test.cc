#include "rank/fuse.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <map>
#include <tuple>

namespace vitrine {
namespace {

using List = std::vector<Candidate>;

List list_of(const std::vector<std::uint32_t>& items) {
  List list;
  for (const std::uint32_t i : items) {
    list.push_back({ItemIndex{i}, 100 - static_cast<float>(list.size())});
  }
  return list;
}

std::vector<FusedCandidate> fused_of(std::span<const RankedList> lists, double k) {
  std::vector<FusedCandidate> fused;
  fuse(lists, k, fused);
  best_first(fused, fused.size());
  return fused;
}

// By the formula, item by item.
std::map<std::uint32_t, double> slow_scores(const std::vector<List>& lists,
                                            const std::vector<float>& weights, double k) {
  std::map<std::uint32_t, double> scores;
  for (std::uint32_t item = 0; item < 40; ++item) {
    for (std::size_t l = 0; l < lists.size(); ++l) {
      for (std::size_t r = 0; weights[l] > 0 && r < lists[l].size(); ++r) {
        if (raw(lists[l][r].item) != item) continue;
        scores[item] += static_cast<double>(weights[l]) / (k + static_cast<double>(r) + 1);
        break;
      }
    }
  }
  return scores;
}

TEST(Fuse, EqualsTheFormula) {
  EXPECT_TRUE(rc::check([] {
    const auto raw_lists = *rc::gen::container<std::vector<std::vector<std::uint32_t>>>(
        rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, 40)));
    const double k = *rc::gen::inRange(0, 100);
    std::vector<List> lists;
    std::vector<float> weights;
    std::vector<RankedList> ranked;
    for (const auto& r : raw_lists) {
      lists.push_back(list_of(r));
      weights.push_back(static_cast<float>(*rc::gen::inRange(-1, 4)));
    }
    for (std::uint32_t l = 0; l < lists.size(); ++l) ranked.push_back({lists[l], l, weights[l]});
    const auto fused = fused_of(ranked, k);
    const auto expected = slow_scores(lists, weights, k);
    RC_ASSERT(fused.size() == expected.size());
    for (std::size_t i = 0; i < fused.size(); ++i) {
      const auto found = expected.find(raw(fused[i].item));
      RC_ASSERT(found != expected.end());
      RC_ASSERT(std::abs(static_cast<double>(fused[i].score) - found->second) < 1e-5);
      if (i == 0) continue;  // the macro evaluates both sides of ||
      RC_ASSERT(better({fused[i - 1].item, fused[i - 1].score}, {fused[i].item, fused[i].score}));
    }
  }));
}

// Every contribution, sorted by item, then list, then rank, and added up in that order.
std::vector<FusedCandidate> by_sorting(std::span<const RankedList> lists, double k) {
  struct Contribution {
    ItemIndex item;
    std::uint32_t list, rank;
    float share;
  };
  std::vector<Contribution> all;
  for (std::uint32_t l = 0; l < lists.size(); ++l) {
    std::uint32_t rank = 0;
    for (const Candidate& c : lists[l].items) {
      ++rank;
      if (lists[l].weight > 0)
        all.push_back({c.item, l, rank, static_cast<float>(lists[l].weight / (k + rank))});
    }
  }
  std::sort(all.begin(), all.end(), [](const Contribution& a, const Contribution& b) {
    return std::tie(a.item, a.list, a.rank) < std::tie(b.item, b.list, b.rank);
  });
  std::vector<FusedCandidate> fused;
  float largest = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Contribution& c = all[i];
    const bool same_item = i > 0 && all[i - 1].item == c.item;
    if (same_item && all[i - 1].list == c.list) continue;
    if (!same_item) fused.push_back({c.item, 0, 0});
    if (!same_item) largest = 0;
    fused.back().score += c.share;
    if (c.share > largest) fused.back().source = lists[c.list].source;
    largest = std::max(largest, c.share);
  }
  std::sort(fused.begin(), fused.end(), [](const FusedCandidate& a, const FusedCandidate& b) {
    return better({a.item, a.score}, {b.item, b.score});
  });
  return fused;
}

TEST(Fuse, EqualsSortingBitByBit) {
  EXPECT_TRUE(rc::check([] {
    const auto raw_lists = *rc::gen::container<std::vector<std::vector<std::uint32_t>>>(
        rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, 300)));
    std::vector<List> lists;
    for (const auto& r : raw_lists) lists.push_back(list_of(r));
    std::vector<RankedList> ranked;
    for (std::uint32_t l = 0; l < lists.size(); ++l) {
      ranked.push_back({lists[l], l + 5, static_cast<float>(*rc::gen::inRange(-1, 4)) / 3});
    }
    const double k = *rc::gen::inRange(0, 100);
    const auto expected = by_sorting(ranked, k);
    std::vector<FusedCandidate> fused;
    fuse(ranked, k, fused);
    RC_ASSERT(fused.size() == expected.size());
    const auto n = *rc::gen::inRange<std::size_t>(0, expected.size() + 3);
    best_first(fused, n);
    for (std::size_t i = 0; i < std::min(n, expected.size()); ++i) {
      RC_ASSERT(fused[i].item == expected[i].item);
      RC_ASSERT(fused[i].score == expected[i].score);
      RC_ASSERT(fused[i].source == expected[i].source);
    }
  }));
}

TEST(Fuse, OneListKeepsItsOrder) {
  std::vector<std::uint32_t> items(10'000);
  for (std::uint32_t i = 0; i < items.size(); ++i) items[i] = (i * 7919u) % 10'000u;
  const List list = list_of(items);
  const RankedList ranked[] = {{list, 3, 0.5f}};
  const auto fused = fused_of(ranked, 1e4);
  ASSERT_EQ(fused.size(), items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    ASSERT_EQ(raw(fused[i].item), items[i]);
    ASSERT_EQ(fused[i].source, 3u);
  }
}

TEST(Fuse, SourceIsTheLargestContribution) {
  const List first = list_of({1, 2, 3}), second = list_of({3, 2, 4});
  const RankedList equal[] = {{first, 7, 1}, {second, 8, 1}};
  const auto fused = fused_of(equal, 60);
  ASSERT_EQ(fused.size(), 4u);
  EXPECT_EQ(raw(fused[0].item), 3u);
  EXPECT_EQ(fused[0].source, 8u);
  EXPECT_EQ(raw(fused[1].item), 2u);
  EXPECT_EQ(fused[1].source, 7u);  // equal contributions: the earlier list
  const RankedList weighted[] = {{first, 7, 1}, {second, 8, 3}};
  EXPECT_EQ(fused_of(weighted, 60)[1].source, 8u);
}

TEST(Fuse, Nothing) {
  EXPECT_TRUE(fused_of({}, 60).empty());
  const RankedList off[] = {{{}, 0, 1}, {{}, 1, 0}};
  EXPECT_TRUE(fused_of(off, 60).empty());
}

}  // namespace
}  // namespace vitrine

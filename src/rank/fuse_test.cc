#include "rank/fuse.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <map>

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
    const auto fused = fuse(ranked, k);
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

TEST(Fuse, OneListKeepsItsOrder) {
  std::vector<std::uint32_t> items(10'000);
  for (std::uint32_t i = 0; i < items.size(); ++i) items[i] = (i * 7919u) % 10'000u;
  const List list = list_of(items);
  const RankedList ranked[] = {{list, 3, 0.5f}};
  const auto fused = fuse(ranked, 1e4);
  ASSERT_EQ(fused.size(), items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    ASSERT_EQ(raw(fused[i].item), items[i]);
    ASSERT_EQ(fused[i].source, 3u);
  }
}

TEST(Fuse, SourceIsTheLargestContribution) {
  const List first = list_of({1, 2, 3}), second = list_of({3, 2, 4});
  const RankedList equal[] = {{first, 7, 1}, {second, 8, 1}};
  const auto fused = fuse(equal, 60);
  ASSERT_EQ(fused.size(), 4u);
  EXPECT_EQ(raw(fused[0].item), 3u);
  EXPECT_EQ(fused[0].source, 8u);
  EXPECT_EQ(raw(fused[1].item), 2u);
  EXPECT_EQ(fused[1].source, 7u);  // equal contributions: the earlier list
  const RankedList weighted[] = {{first, 7, 1}, {second, 8, 3}};
  EXPECT_EQ(fuse(weighted, 60)[1].source, 8u);
}

TEST(Fuse, Nothing) {
  EXPECT_TRUE(fuse({}, 60).empty());
  const RankedList off[] = {{{}, 0, 1}, {{}, 1, 0}};
  EXPECT_TRUE(fuse(off, 60).empty());
}

}  // namespace
}  // namespace vitrine

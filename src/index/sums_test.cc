#include "index/sums.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

namespace vitrine {
namespace {

TEST(StampedSums, AreAMapThatForgets) {
  EXPECT_TRUE(rc::check([] {
    StampedSums sums;
    const int uses = *rc::gen::inRange(1, 4);
    for (int use = 0; use < uses; ++use) {
      const auto size = *rc::gen::inRange<std::uint32_t>(1, 20);
      sums.begin(size);
      std::map<std::uint32_t, float> expected;
      const int adds = *rc::gen::inRange(0, 30);
      for (int a = 0; a < adds; ++a) {
        const auto i = *rc::gen::inRange<std::uint32_t>(0, size);
        const float weight = static_cast<float>(*rc::gen::inRange(-4, 9)) / 4;
        RC_ASSERT(sums.add(i, weight) == !expected.contains(i));
        expected[i] += weight;
      }
      RC_ASSERT(sums.touched().size() == expected.size());
      for (std::uint32_t i = 0; i < 25; ++i) {
        RC_ASSERT(sums.has(i) == expected.contains(i));
        RC_ASSERT(sums.sum(i) == (expected.contains(i) ? expected[i] : 0));
      }
    }
  }));
}

TEST(StampedSums, TheTopIsASortedListUnderTheMask) {
  EXPECT_TRUE(rc::check([] {
    StampedSums sums;
    sums.begin(12);
    const auto excluded = ItemIndex{*rc::gen::inRange<std::uint32_t>(0, 12)};
    std::vector<Candidate> expected;
    for (std::uint32_t i = 0; i < 12; ++i) {
      const float weight = static_cast<float>(*rc::gen::inRange(-2, 6)) / 2;
      sums.add(i, weight);
      if (weight > 0 && ItemIndex{i} != excluded) expected.push_back({ItemIndex{i}, weight});
    }
    std::sort(expected.begin(), expected.end(), better);
    const int n = *rc::gen::inRange(-1, 14);
    std::vector<Candidate> got(static_cast<std::size_t>(std::max(n, 0)));
    got.resize(top_of_sums(sums, {nullptr, {&excluded, 1}}, n, got));
    expected.resize(std::min(expected.size(), static_cast<std::size_t>(std::max(n, 0))));
    RC_ASSERT(got == expected);
  }));
}

TEST(StampedSums, VisitsInTheOrderOfTheNumbers) {
  for (const std::size_t size : {9, 1000}) {
    StampedSums sums;
    sums.begin(5);
    sums.add(4, 1);
    sums.begin(size);
    for (const std::uint32_t i : {8u, 1u, 3u, 1u}) sums.add(i, static_cast<float>(i));
    std::vector<std::pair<std::uint32_t, float>> seen;
    sums.for_each_ascending([&](std::uint32_t i, float sum) { seen.emplace_back(i, sum); });
    EXPECT_EQ(seen, (std::vector<std::pair<std::uint32_t, float>>{{1, 2}, {3, 3}, {8, 8}}));
  }
}

}  // namespace
}  // namespace vitrine

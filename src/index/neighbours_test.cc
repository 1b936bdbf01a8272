#include "index/neighbours.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace vitrine {
namespace {

TEST(Neighbours, TheNearestStayInTheirOrder) {
  EXPECT_TRUE(rc::check([] {
    std::vector<Neighbour> all;
    const auto size = *rc::gen::inRange<std::uint32_t>(0, 30);
    for (std::uint32_t id = 0; id < size; ++id) {
      all.push_back({id * 7 % 31, static_cast<float>(*rc::gen::inRange(-2, 5)) / 2});
    }
    const auto count = *rc::gen::inRange<std::size_t>(0, 33);
    std::vector<Neighbour> sorted = all;
    std::sort(sorted.begin(), sorted.end(), nearer);
    sorted.resize(std::min(count, sorted.size()));
    std::vector<std::uint32_t> expected, kept;
    for (const Neighbour& n : all) {
      const auto same = [&](const Neighbour& s) { return s.id == n.id; };
      if (std::any_of(sorted.begin(), sorted.end(), same)) expected.push_back(n.id);
    }
    std::vector<Neighbour> order;
    keep_nearest(all, count, order);
    for (const Neighbour& n : all) kept.push_back(n.id);
    RC_ASSERT(kept == expected);
  }));
}

}  // namespace
}  // namespace vitrine

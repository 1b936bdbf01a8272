#include "base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

namespace vitrine {
namespace {

TEST(Random, IsAFunctionOfStreamAndIndex) {
  const Random a(1), b(1), c(2);
  EXPECT_EQ(a.bits(17), b.bits(17));
  EXPECT_NE(a.bits(17), c.bits(17));
  EXPECT_NE(a.bits(17), a.bits(18));
  EXPECT_EQ(a.fork("x").bits(0), b.fork("x").bits(0));
  EXPECT_NE(a.fork("x").bits(0), a.fork("y").bits(0));
  EXPECT_NE(a.fork("x").bits(0), a.bits(0));
}

TEST(Random, HasTheRightMoments) {
  const Random random(42);
  const int n = 200'000;
  double sum = 0, sum2 = 0, normal = 0, normal2 = 0;
  std::vector<int> buckets(10);
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform(i);
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    sum2 += u * u;
    const double z = random.normal(i);
    normal += z;
    normal2 += z * z;
    ++buckets[random.below(i, 10)];
  }
  EXPECT_NEAR(sum / n, 0.5, 0.005);
  EXPECT_NEAR(sum2 / n, 1.0 / 3, 0.005);
  EXPECT_NEAR(normal / n, 0.0, 0.01);
  EXPECT_NEAR(normal2 / n, 1.0, 0.02);
  for (const int count : buckets) EXPECT_NEAR(count, n / 10, 600);
}

TEST(Random, ShuffleIsAPermutation) {
  std::vector<int> items(100);
  std::iota(items.begin(), items.end(), 0);
  shuffle(items, Random(3));
  EXPECT_EQ(std::set<int>(items.begin(), items.end()).size(), 100u);
  EXPECT_NE(items[0] * 100 + items[1], 1);
}

}  // namespace
}  // namespace vitrine

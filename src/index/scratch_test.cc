#include "index/scratch.h"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

TEST(ScratchPool, LendsEachToOneCallerAndAgain) {
  ScratchPool<int> pool;
  {
    const auto one = pool.lend(), two = pool.lend();
    EXPECT_NE(&*one, &*two);
    *one = *two = 7;
  }
  const auto again = pool.lend(), also = pool.lend(), fresh = pool.lend();
  EXPECT_EQ(*again, 7);
  EXPECT_EQ(*also, 7);
  EXPECT_EQ(*fresh, 0);
}

}  // namespace
}  // namespace vitrine

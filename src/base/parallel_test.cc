#include "base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <vector>

namespace vitrine {
namespace {

TEST(ParallelFor, CoversEveryIndexOnceForAnyPool) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (const int count : {0, 1, 7, 1000}) {
      std::vector<std::atomic<int>> seen(count);
      parallel_for(pool, count, 13, [&](std::int64_t begin, std::int64_t end) {
        ASSERT_EQ(begin % 13, 0);
        for (std::int64_t i = begin; i < end; ++i) ++seen[i];
      });
      for (const auto& n : seen) EXPECT_EQ(n.load(), 1);
    }
  }
}

TEST(ParallelFor, MayBeNestedAndCalledFromSeveralThreads) {
  ThreadPool pool(3);
  std::atomic<int> total{0};
  pool.run(8, [&](std::int64_t) { pool.run(50, [&](std::int64_t) { ++total; }); });
  EXPECT_EQ(total.load(), 400);
}

TEST(ThreadPool, WhatABlockThrowsComesOut) {
  for (const int threads : {1, 4}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 20; ++round) {
      EXPECT_THROW(pool.run(100,
                            [](std::int64_t i) {
                              if (i % 7 == 3) throw std::bad_alloc();
                            }),
                   std::bad_alloc);
      std::atomic<int> total{0};
      pool.run(50, [&](std::int64_t) { ++total; });
      EXPECT_EQ(total.load(), 50);
    }
  }
}

}  // namespace
}  // namespace vitrine

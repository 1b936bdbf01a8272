#include "base/sparse.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/random.h"

namespace vitrine {
namespace {

struct Owned {
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> columns;
  std::vector<float> weights;
  std::int64_t cols;
  SparseView view() const { return {offsets, columns, weights, cols}; }
};

Owned random_sparse(const Random& random, std::int64_t rows, std::int64_t cols, int per_row) {
  Owned a{{0}, {}, {}, cols};
  std::uint64_t draw = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto count =
        cols == 0 ? 0 : random.below(draw++, static_cast<std::uint64_t>(per_row) + 1);
    for (std::uint64_t e = 0; e < count; ++e) {
      a.columns.push_back(
          static_cast<std::uint32_t>(random.below(draw++, static_cast<std::uint64_t>(cols))));
      a.weights.push_back(static_cast<float>(random.normal(draw++)));
    }
    a.offsets.push_back(a.columns.size());
  }
  return a;
}

TEST(Sparse, AProductIsItsSums) {
  EXPECT_TRUE(rc::check([] {
    const Random random(*rc::gen::arbitrary<std::uint64_t>());
    const auto rows = *rc::gen::inRange<std::int64_t>(0, 200);
    const auto cols = *rc::gen::inRange<std::int64_t>(1, 60);
    const auto width = *rc::gen::inRange<std::int64_t>(0, 40);
    const Owned a = random_sparse(random.fork("a"), rows, cols, 9);
    Matrix x(cols, width), out(rows, width), again(rows, width);
    for (std::int64_t i = 0; i < cols; ++i) {
      for (std::int64_t j = 0; j < width; ++j) {
        x(i, j) = static_cast<float>(random.normal(static_cast<std::uint64_t>(i * width + j)));
      }
    }
    ThreadPool one(1), three(3);
    multiply(one, a.view(), x.view(), out.view());
    multiply(three, a.view(), x.view(), again.view());
    RC_ASSERT((out.bytes() == 0 || std::memcmp(out.data(), again.data(), out.bytes()) == 0));
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = 0; j < width; ++j) {
        float sum = 0;
        for (auto e = a.offsets[static_cast<std::size_t>(r)];
             e < a.offsets[static_cast<std::size_t>(r) + 1]; ++e) {
          sum = std::fma(a.weights[e], x(a.columns[e], j), sum);
        }
        RC_ASSERT(out(r, j) == sum);
      }
    }
  }));
}

TEST(Sparse, NoRowsAtAll) {
  ThreadPool pool(1);
  const Matrix x(3, 2);
  Matrix out(0, 2);
  multiply(pool, {{}, {}, {}, 3}, x.view(), out.view());
}

}  // namespace
}  // namespace vitrine

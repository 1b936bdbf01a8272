#include "base/gram.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace vitrine {
namespace {

struct Sample {
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> columns;
  std::int64_t cols = 0;
  BinaryRows view() const {
    return {offsets.data(), columns.data(), static_cast<std::int64_t>(offsets.size()) - 1, cols};
  }
};

Sample sample(std::int64_t rows, std::int64_t cols, double density, std::uint64_t seed) {
  Sample s;
  s.cols = cols;
  const Random random(seed);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) {
      if (random.uniform(static_cast<std::uint64_t>(r * cols + c)) < density) {
        s.columns.push_back(static_cast<std::uint32_t>(c));
      }
    }
    s.offsets.push_back(s.columns.size());
  }
  return s;
}

// Every pair of every row.
std::vector<float> slow_counts(const BinaryRows& x) {
  std::vector<float> counts(static_cast<std::size_t>(x.cols * x.cols), 0.0f);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::uint64_t a = x.offsets[r]; a < x.offsets[r + 1]; ++a) {
      for (std::uint64_t b = x.offsets[r]; b < x.offsets[r + 1]; ++b) {
        counts[static_cast<std::size_t>(x.columns[a] * x.cols + x.columns[b])] += 1;
      }
    }
  }
  return counts;
}

bool equal(const Matrix& m, const std::vector<float>& expected) {
  for (std::int64_t i = 0; i < m.rows(); ++i) {
    if (!std::equal(m.row(i).begin(), m.row(i).end(), expected.begin() + i * m.cols()))
      return false;
  }
  return true;
}

Matrix dirty(std::int64_t n) {
  Matrix m(n, n);
  for (std::int64_t i = 0; i < n; ++i) std::fill(m.row(i).begin(), m.row(i).end(), 9.0f);
  return m;
}

TEST(Gram, BothWaysCountEveryPair) {
  EXPECT_TRUE(rc::check([] {
    const Sample s = sample(*rc::gen::inRange(0, 90), *rc::gen::inRange(0, 80),
                            *rc::gen::element(0.0, 0.1, 0.7), *rc::gen::arbitrary<std::uint64_t>());
    const std::vector<float> expected = slow_counts(s.view());
    ThreadPool pool(*rc::gen::element(1, 3));
    Matrix out = dirty(s.cols);
    count_pairs_sparse(pool, s.view(), out.view());
    RC_ASSERT(equal(out, expected));
    for (const Kernels* row : all_kernels()) {
      Matrix dense = dirty(s.cols);
      count_pairs_dense(pool, s.view(), dense.view(), *row);
      RC_ASSERT(equal(dense, expected));
      Matrix picked = dirty(s.cols);
      cooccurrence_counts(pool, s.view(), picked.view(), *row);
      RC_ASSERT(equal(picked, expected));
    }
  }));
}

TEST(Gram, ManyRowsAndTilesAgree) {
  ThreadPool pool(2);
  const Sample tall = sample(33'000, 20, 0.3, 1), wide = sample(100, 700, 0.2, 2);
  for (const Sample* s : {&tall, &wide}) {
    const std::vector<float> expected = slow_counts(s->view());
    Matrix sparse = dirty(s->cols), dense = dirty(s->cols);
    count_pairs_sparse(pool, s->view(), sparse.view());
    count_pairs_dense(pool, s->view(), dense.view(), kernels());
    EXPECT_TRUE(equal(sparse, expected));
    EXPECT_TRUE(equal(dense, expected));
  }
}

}  // namespace
}  // namespace vitrine

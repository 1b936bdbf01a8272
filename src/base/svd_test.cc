#include "base/svd.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/blas.h"

namespace vitrine {
namespace {

using Dense = std::vector<std::vector<double>>;

Matrix random_matrix(const Random& random, std::int64_t rows, std::int64_t cols) {
  Matrix m(rows, cols);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      m(i, j) = static_cast<float>(random.normal(static_cast<std::uint64_t>(i * cols + j)));
    }
  }
  return m;
}

// Singular values of a small matrix by one-sided Jacobi rotations of its columns, in double: slow
// and obvious.
std::vector<double> slow_singular_values(const Matrix& m) {
  const bool tall = m.rows() >= m.cols();
  const std::int64_t rows = tall ? m.rows() : m.cols(), cols = tall ? m.cols() : m.rows();
  Dense column(static_cast<std::size_t>(cols), std::vector<double>(static_cast<std::size_t>(rows)));
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      column[static_cast<std::size_t>(j)][static_cast<std::size_t>(i)] = tall ? m(i, j) : m(j, i);
    }
  }
  const auto product = [](const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
    return sum;
  };
  for (int sweep = 0; sweep < 60; ++sweep) {
    for (std::size_t p = 0; p < column.size(); ++p) {
      for (std::size_t q = p + 1; q < column.size(); ++q) {
        const double pq = product(column[p], column[q]);
        if (std::abs(pq) < 1e-300) continue;
        const double gap = product(column[q], column[q]) - product(column[p], column[p]);
        const double angle = 0.5 * std::atan2(2 * pq, gap), c = std::cos(angle),
                     s = std::sin(angle);
        for (std::size_t k = 0; k < column[p].size(); ++k) {
          const double a = column[p][k], b = column[q][k];
          column[p][k] = c * a - s * b;
          column[q][k] = s * a + c * b;
        }
      }
    }
  }
  std::vector<double> values;
  for (const auto& c : column) values.push_back(std::sqrt(product(c, c)));
  std::sort(values.rbegin(), values.rend());
  return values;
}

LinearOperator operator_of(ThreadPool& pool, const Matrix& a) {
  return {a.rows(), a.cols(),
          [&](MatrixView<const float> x, MatrixView<float> y) {
            gemm(pool, 1, a.view(), false, x, false, 0, y);
          },
          [&](MatrixView<const float> x, MatrixView<float> y) {
            gemm(pool, 1, a.view(), true, x, false, 0, y);
          }};
}

double product_of_columns(const Matrix& m, std::int64_t a, std::int64_t b) {
  double sum = 0;
  for (std::int64_t i = 0; i < m.rows(); ++i) sum += double{m(i, a)} * m(i, b);
  return sum;
}

void check_orthonormal(const Matrix& m) {
  for (std::int64_t a = 0; a < m.cols(); ++a) {
    for (std::int64_t b = a; b < m.cols(); ++b) {
      EXPECT_NEAR(product_of_columns(m, a, b), a == b, 1e-5) << a << " " << b;
    }
  }
}

TEST(TruncatedSvd, OfFullRankIsTheSvd) {
  QuietMonitor monitor;
  ThreadPool pool(2);
  for (const auto& [rows, cols] :
       {std::pair{1, 1}, std::pair{1, 7}, std::pair{9, 4}, std::pair{12, 30}, std::pair{40, 40}}) {
    const Matrix a = random_matrix(Random(3), rows, cols);
    const auto svd = truncated_svd({Random(1), pool, monitor}, "svd", operator_of(pool, a),
                                   {.rank = 100, .oversampling = 5, .iterations = 2});
    ASSERT_TRUE(svd.ok());
    const std::vector<double> expected = slow_singular_values(a);
    ASSERT_EQ(svd->values.size(), expected.size());
    for (std::size_t k = 0; k < expected.size(); ++k) {
      EXPECT_NEAR(svd->values[k], expected[k], 1e-4 * expected[0]);
    }
    check_orthonormal(svd->left);
    check_orthonormal(svd->right);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < expected.size(); ++k) {
          const auto c = static_cast<std::int64_t>(k);
          sum += double{svd->left(i, c)} * svd->values[k] * svd->right(j, c);
        }
        EXPECT_NEAR(sum, a(i, j), 1e-4 * expected[0]);
      }
    }
  }
}

TEST(TruncatedSvd, FindsTheLargestOfADecayingSpectrum) {
  QuietMonitor monitor;
  ThreadPool pool(2);
  Matrix a = random_matrix(Random(5), 120, 70);
  for (std::int64_t j = 0; j < 70; ++j) {
    const auto scale = static_cast<float>(std::pow(0.9, static_cast<double>(j)));
    for (std::int64_t i = 0; i < 120; ++i) a(i, j) *= scale;
  }
  const std::vector<double> expected = slow_singular_values(a);
  const auto svd = truncated_svd({Random(1), pool, monitor}, "svd", operator_of(pool, a),
                                 {.rank = 12, .oversampling = 8, .iterations = 4});
  ASSERT_TRUE(svd.ok());
  ASSERT_EQ(svd->values.size(), 12u);
  for (std::size_t k = 0; k < 12; ++k) {
    EXPECT_NEAR(svd->values[k], expected[k], 2e-3 * expected[k]) << k;
  }
  check_orthonormal(svd->right);
}

TEST(TruncatedSvd, ARankThatIsNotThereIsZero) {
  QuietMonitor monitor;
  ThreadPool pool(1);
  const Matrix thin = random_matrix(Random(6), 30, 3), wide = random_matrix(Random(7), 3, 25);
  Matrix a(30, 25);
  gemm(pool, 1, thin.view(), false, wide.view(), false, 0, a.view());
  const auto svd = truncated_svd({Random(1), pool, monitor}, "svd", operator_of(pool, a),
                                 {.rank = 10, .oversampling = 6, .iterations = 3});
  ASSERT_TRUE(svd.ok());
  for (std::size_t k = 3; k < 10; ++k) EXPECT_LT(svd->values[k], 1e-4f * svd->values[0]);
  check_orthonormal(svd->left);
  check_orthonormal(svd->right);
}

TEST(TruncatedSvd, TheSameBytesForAnyNumberOfThreads) {
  QuietMonitor monitor;
  const Matrix a = random_matrix(Random(8), 1500, 300);
  std::vector<Matrix> rights;
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    auto svd = truncated_svd({Random(1), pool, monitor}, "svd", operator_of(pool, a), {.rank = 20});
    ASSERT_TRUE(svd.ok());
    rights.push_back(std::move(svd->right));
    EXPECT_EQ(std::memcmp(rights[0].data(), rights.back().data(), rights[0].bytes()), 0);
  }
}

TEST(TruncatedSvd, OfRankZeroMultipliesNothing) {
  QuietMonitor monitor;
  ThreadPool pool(1);
  const auto never = [](MatrixView<const float>, MatrixView<float>) { FAIL(); };
  const auto svd = truncated_svd({Random(1), pool, monitor}, "svd", {30, 20, never, never},
                                 {.rank = 0, .oversampling = 8});
  ASSERT_TRUE(svd.ok());
  EXPECT_TRUE(svd->values.empty());
  EXPECT_EQ(svd->left.rows(), 30);
  EXPECT_EQ(svd->right.rows(), 20);
}

TEST(TruncatedSvd, NothingAndWhatIsNotFinite) {
  QuietMonitor monitor;
  ThreadPool pool(1);
  for (const auto& [rows, cols] : {std::pair{0, 0}, std::pair{0, 5}, std::pair{5, 0}}) {
    const Matrix a(rows, cols);
    const auto svd =
        truncated_svd({Random(1), pool, monitor}, "svd", operator_of(pool, a), {.rank = 3});
    ASSERT_TRUE(svd.ok());
    EXPECT_TRUE(svd->values.empty());
    EXPECT_EQ(svd->left.rows(), rows);
    EXPECT_EQ(svd->right.rows(), cols);
  }
  Matrix zero(4, 6);
  const auto nothing =
      truncated_svd({Random(1), pool, monitor}, "svd", operator_of(pool, zero), {.rank = 3});
  ASSERT_TRUE(nothing.ok());
  EXPECT_EQ(nothing->values, std::vector<float>(3, 0.0f));
  check_orthonormal(nothing->right);
  zero(1, 1) = std::numeric_limits<float>::quiet_NaN();
  const auto spoilt =
      truncated_svd({Random(1), pool, monitor}, "svd", operator_of(pool, zero), {.rank = 3});
  ASSERT_FALSE(spoilt.ok());
  EXPECT_EQ(spoilt.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace vitrine

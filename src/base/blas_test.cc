#include "base/blas.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/random.h"

namespace vitrine {
namespace {

Matrix random_matrix(std::int64_t rows, std::int64_t cols, std::string_view name) {
  Matrix m(rows, cols);
  const Random random = Random(7).fork(name);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      m(i, j) = static_cast<float>(random.normal(static_cast<std::uint64_t>(i * cols + j)));
    }
  }
  return m;
}

float at(MatrixView<const float> m, bool transpose, std::int64_t i, std::int64_t j) {
  return transpose ? m.data[j * m.stride + i] : m.data[i * m.stride + j];
}

// alpha op(A) op(B) + beta C in double.
double slow_cell(float alpha, MatrixView<const float> a, bool ta, MatrixView<const float> b,
                 bool tb, float beta, float c, std::int64_t i, std::int64_t j) {
  const std::int64_t depth = ta ? a.rows : a.cols;
  double sum = 0;
  for (std::int64_t k = 0; k < depth; ++k) sum += double{at(a, ta, i, k)} * double{at(b, tb, k, j)};
  return double{alpha} * sum + double{beta} * double{c};
}

// Symmetric positive definite: X^T X + shift.
Matrix random_spd(std::int64_t n, float shift) {
  ThreadPool pool(1);
  const Matrix x = random_matrix(n <= 1000 ? n + 5 : 40, n, "spd");
  Matrix a(n, n);
  syrk(pool, 1, x.view(), 0, a.view());
  for (std::int64_t i = 0; i < n; ++i) a(i, i) += shift;
  return a;
}

bool same_bytes(const Matrix& a, const Matrix& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

TEST(Blas, GemmEqualsTheSum) {
  ThreadPool pool(2);
  for (const auto [rows, cols, depth] :
       {std::array{1, 1, 1}, std::array{3, 7, 5}, std::array{65, 33, 17}, std::array{20, 1040, 9},
        std::array{1050, 12, 4}, std::array{4, 5, 0}}) {
    for (int flags = 0; flags < 4; ++flags) {
      const bool ta = (flags & 1) != 0, tb = (flags & 2) != 0;
      const Matrix a = ta ? random_matrix(depth, rows, "a") : random_matrix(rows, depth, "a");
      const Matrix b = tb ? random_matrix(cols, depth, "b") : random_matrix(depth, cols, "b");
      const Matrix before = random_matrix(rows, cols, "c");
      Matrix c = random_matrix(rows, cols, "c");
      gemm(pool, 1.5f, a.view(), ta, b.view(), tb, -0.5f, c.view());
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < cols; ++j) {
          ASSERT_NEAR(c(i, j),
                      slow_cell(1.5f, a.view(), ta, b.view(), tb, -0.5f, before(i, j), i, j), 1e-4);
        }
      }
    }
  }
}

TEST(Blas, SyrkFillsBothTriangles) {
  ThreadPool pool(2);
  for (const auto [rows, cols] :
       {std::array{3, 1}, std::array{40, 65}, std::array{1, 130}, std::array{9, 1100}}) {
    const Matrix a = random_matrix(rows, cols, "a");
    Matrix c(cols, cols);
    for (std::int64_t i = 0; i < cols; ++i) c(i, i) = 2;
    syrk(pool, 0.5f, a.view(), 3.0f, c.view());
    for (std::int64_t i = 0; i < cols; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) {
        const float before = i == j ? 2.0f : 0.0f;
        ASSERT_NEAR(c(i, j), slow_cell(0.5f, a.view(), true, a.view(), false, 3.0f, before, i, j),
                    1e-3);
        ASSERT_EQ(c(i, j), c(j, i));
      }
    }
  }
}

TEST(Blas, InverseTimesMatrixIsIdentity) {
  ThreadPool pool(2);
  for (const std::int64_t n : {1, 2, 31, 255, 256, 257, 600, 770, 2100}) {
    const Matrix a = random_spd(n, static_cast<float>(n));
    Matrix inverse = random_spd(n, static_cast<float>(n));
    ASSERT_TRUE(invert_spd(pool, inverse.view()).ok());
    Matrix product(n, n);
    gemm(pool, 1, a.view(), false, inverse.view(), false, 0, product.view());
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        ASSERT_NEAR(product(i, j), i == j ? 1.0 : 0.0, 2e-5) << n;
        ASSERT_EQ(inverse(i, j), inverse(j, i));
      }
    }
  }
}

TEST(Blas, ResultsDoNotDependOnTheThreads) {
  const Matrix a = random_matrix(500, 100, "a"), b = random_matrix(100, 2500, "b");
  std::vector<Matrix> products, inverses;
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    Matrix c(500, 2500);
    gemm(pool, 1, a.view(), false, b.view(), false, 0, c.view());
    products.push_back(std::move(c));
    Matrix inverse = random_spd(2100, 10);
    ASSERT_TRUE(invert_spd(pool, inverse.view()).ok());
    inverses.push_back(std::move(inverse));
  }
  for (std::size_t i = 1; i < products.size(); ++i) {
    EXPECT_TRUE(same_bytes(products[0], products[i]));
    EXPECT_TRUE(same_bytes(inverses[0], inverses[i]));
  }
}

TEST(Blas, RefusesWhatIsNotPositiveDefinite) {
  ThreadPool pool(1);
  Matrix indefinite = random_spd(300, 1);
  indefinite(290, 290) = -1;
  EXPECT_EQ(invert_spd(pool, indefinite.view()).error().code, Code::kInvalid);
  Matrix not_a_number = random_spd(300, 1);
  not_a_number(280, 280) = std::nanf("");
  EXPECT_EQ(invert_spd(pool, not_a_number.view()).error().code, Code::kInvalid);
  Matrix zero(4, 4), b(4, 1);
  EXPECT_EQ(solve_spd(zero.view(), b.view()).error().code, Code::kInvalid);
  Matrix empty;
  EXPECT_TRUE(invert_spd(pool, empty.view()).ok());
}

TEST(Blas, SolveGivesBackTheSolution) {
  ThreadPool pool(1);
  for (const std::int64_t n : {1, 5, 64, 130}) {
    Matrix a = random_spd(n, static_cast<float>(n));
    const Matrix x = random_matrix(n, 3, "x");
    Matrix b(n, 3);
    gemm(pool, 1, a.view(), false, x.view(), false, 0, b.view());
    ASSERT_TRUE(solve_spd(a.view(), b.view()).ok());
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < 3; ++j) ASSERT_NEAR(b(i, j), x(i, j), 1e-4);
    }
  }
}

TEST(Blas, EigenvectorsTurnTheMatrixDiagonal) {
  ThreadPool pool(1);
  for (const std::int64_t n : {1, 4, 33}) {
    const Matrix a = random_spd(n, 0);
    Matrix q = random_spd(n, 0);
    ASSERT_TRUE(eigenvectors(q.view()).ok());
    Matrix product(n, n), diagonal(n, n), identity(n, n);
    gemm(pool, 1, q.view(), false, a.view(), false, 0, product.view());
    gemm(pool, 1, product.view(), false, q.view(), true, 0, diagonal.view());
    gemm(pool, 1, q.view(), false, q.view(), true, 0, identity.view());
    const float largest = diagonal(0, 0);
    for (std::int64_t i = 0; i < n; ++i) {
      const float before = i > 0 ? diagonal(i - 1, i - 1) : largest;
      EXPECT_LE(diagonal(i, i), before + 1e-5f * largest);
      for (std::int64_t j = 0; j < n; ++j) {
        EXPECT_NEAR(identity(i, j), i == j ? 1 : 0, 1e-5);
        const float off = i == j ? 0 : diagonal(i, j);
        EXPECT_NEAR(off, 0, 1e-5 * double{largest});
      }
    }
  }
  Matrix not_a_number(2, 2);
  not_a_number(1, 0) = std::nanf("");
  EXPECT_EQ(eigenvectors(not_a_number.view()).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace vitrine

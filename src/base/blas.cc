#include "base/blas.h"

#include <cblas.h>
#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace vitrine {
namespace {

// Blocks are fixed, whatever the pool: the sums inside a block are OpenBLAS's, in one thread.
constexpr std::int64_t kTile = 768;
constexpr std::int64_t kFactorBlock = 256;

void use_one_thread() {
  static const bool done = (openblas_set_num_threads(1), true);
  static_cast<void>(done);
}

int narrow(std::int64_t value) {
  VT_CHECK(value >= 0 && value <= std::numeric_limits<int>::max());
  return static_cast<int>(value);
}

CBLAS_TRANSPOSE flag(bool transpose) { return transpose ? CblasTrans : CblasNoTrans; }

std::int64_t blocks_of(std::int64_t count, std::int64_t size) { return (count + size - 1) / size; }

template <class T>
MatrixView<T> part(MatrixView<T> m, std::int64_t row, std::int64_t col, std::int64_t rows,
                   std::int64_t cols) {
  return {m.data + row * m.stride + col, rows, cols, m.stride};
}

// One product in this thread; the shapes are those of C.
void multiply(float alpha, MatrixView<const float> a, bool transpose_a, MatrixView<const float> b,
              bool transpose_b, float beta, MatrixView<float> c) {
  const std::int64_t depth = transpose_a ? a.rows : a.cols;
  if (c.rows == 0 || c.cols == 0) return;
  cblas_sgemm(CblasRowMajor, flag(transpose_a), flag(transpose_b), narrow(c.rows), narrow(c.cols),
              narrow(depth), alpha, a.data, narrow(std::max<std::int64_t>(1, a.stride)), b.data,
              narrow(std::max<std::int64_t>(1, b.stride)), beta, c.data, narrow(c.stride));
}

// A square matrix cut into blocks of kFactorBlock: block (i, j) and its extents.
struct Blocked {
  MatrixView<float> a;
  std::int64_t count() const { return blocks_of(a.rows, kFactorBlock); }
  std::int64_t at(std::int64_t i) const { return i * kFactorBlock; }
  std::int64_t size(std::int64_t i) const { return std::min(kFactorBlock, a.rows - at(i)); }
  MatrixView<float> block(std::int64_t i, std::int64_t j) const {
    return part(a, at(i), at(j), size(i), size(j));
  }
};

void solve_triangle(CBLAS_SIDE side, CBLAS_TRANSPOSE transpose, float alpha,
                    MatrixView<const float> triangle, MatrixView<float> b) {
  cblas_strsm(CblasRowMajor, side, CblasLower, transpose, CblasNonUnit, narrow(b.rows),
              narrow(b.cols), alpha, triangle.data, narrow(triangle.stride), b.data,
              narrow(b.stride));
}

// A <- L in the lower triangle of one block. A row-major lower triangle is LAPACK's upper one:
// nothing is copied. OpenBLAS lets NaN pass.
bool factor_block(MatrixView<float> a) {
  if (LAPACKE_spotrf_work(LAPACK_COL_MAJOR, 'U', narrow(a.rows), a.data, narrow(a.stride)) != 0) {
    return false;
  }
  for (std::int64_t i = 0; i < a.rows; ++i) {
    const float pivot = a.data[i * a.stride + i];
    if (!(pivot > 0) || !std::isfinite(pivot)) return false;
  }
  return true;
}

// A = L L^T in the lower triangle, right-looking. False when A is not positive definite.
bool factor(ThreadPool& pool, const Blocked& m) {
  for (std::int64_t k = 0; k < m.count(); ++k) {
    const MatrixView<float> diagonal = m.block(k, k);
    if (!factor_block(diagonal)) return false;
    pool.run(m.count() - k - 1, [&](std::int64_t step) {
      solve_triangle(CblasRight, CblasTrans, 1, diagonal, m.block(k + 1 + step, k));
    });
    // Row block i of what is left, up to its diagonal block, whose upper half is scratch.
    pool.run(m.count() - k - 1, [&](std::int64_t step) {
      const std::int64_t i = m.count() - 1 - step;  // the longest first
      const std::int64_t cols = m.at(i) + m.size(i) - m.at(k + 1);
      const MatrixView<float> left = part(m.a, m.at(k + 1), m.at(k), cols, m.size(k));
      multiply(-1, m.block(i, k), false, left, true, 1,
               part(m.a, m.at(i), m.at(k + 1), m.size(i), cols));
    });
  }
  return true;
}

// L <- L^-1, row block by row block from the top: X_kj = -L_kk^-1 sum over m < k of L_km X_mj.
bool invert_triangle(ThreadPool& pool, const Blocked& m) {
  Matrix copy(kFactorBlock, m.a.rows);
  for (std::int64_t k = 0; k < m.count(); ++k) {
    const MatrixView<float> diagonal = m.block(k, k);
    for (std::int64_t i = 0; i < diagonal.rows; ++i) {
      std::copy_n(m.a.data + (m.at(k) + i) * m.a.stride, m.at(k), copy.row(i).data());
    }
    pool.run(k, [&](std::int64_t j) {
      const MatrixView<float> out = m.block(k, j);
      const MatrixView<const float> row =
          part(MatrixView<const float>(copy.view()), 0, m.at(j), m.size(k), m.at(k) - m.at(j));
      multiply(-1, row, false, part(m.a, m.at(j), m.at(j), m.at(k) - m.at(j), m.size(j)), false, 0,
               out);
      solve_triangle(CblasLeft, CblasNoTrans, 1, diagonal, out);
    });
    if (LAPACKE_strtri_work(LAPACK_COL_MAJOR, 'U', 'N', narrow(diagonal.rows), diagonal.data,
                            narrow(diagonal.stride)) != 0) {
      return false;
    }
    for (std::int64_t i = 0; i < diagonal.rows; ++i) {  // the factorisation left scratch there
      std::fill(diagonal.row(i).begin() + i + 1, diagonal.row(i).end(), 0.0f);
    }
  }
  return true;
}

// X <- X^T X in the lower triangle, row block by row block from the top: row block i needs its own
// rows and those below, which are still X.
void square_triangle(ThreadPool& pool, const Blocked& m) {
  Matrix corner(kFactorBlock, kFactorBlock);
  for (std::int64_t i = 0; i < m.count(); ++i) {
    const MatrixView<float> diagonal = m.block(i, i);
    const std::int64_t below = m.a.rows - m.at(i) - m.size(i);
    const MatrixView<float> column = part(m.a, m.at(i) + m.size(i), m.at(i), below, m.size(i));
    pool.run(i + 1, [&](std::int64_t j) {
      MatrixView<float> out = m.block(i, j);
      if (j == i) {
        out = part(corner.view(), 0, 0, m.size(i), m.size(i));
        multiply(1, diagonal, true, diagonal, false, 0, out);
      } else {
        cblas_strmm(CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit,
                    narrow(out.rows), narrow(out.cols), 1, diagonal.data, narrow(diagonal.stride),
                    out.data, narrow(out.stride));
      }
      multiply(1, column, true, part(m.a, m.at(i) + m.size(i), m.at(j), below, m.size(j)), false, 1,
               out);
    });
    for (std::int64_t r = 0; r < diagonal.rows; ++r) {
      std::copy_n(corner.row(r).data(), r + 1, diagonal.row(r).data());
    }
  }
}

Error not_positive_definite() {
  return {Code::kInvalid, "the matrix is not positive definite: use a larger regularisation"};
}

}  // namespace

void gemm(ThreadPool& pool, float alpha, MatrixView<const float> a, bool transpose_a,
          MatrixView<const float> b, bool transpose_b, float beta, MatrixView<float> c) {
  VT_CHECK((transpose_a ? a.cols : a.rows) == c.rows && (transpose_b ? b.rows : b.cols) == c.cols);
  VT_CHECK((transpose_a ? a.rows : a.cols) == (transpose_b ? b.cols : b.rows));
  use_one_thread();
  const std::int64_t across = blocks_of(c.cols, kTile);
  pool.run(blocks_of(c.rows, kTile) * across, [&](std::int64_t tile) {
    const std::int64_t i = tile / across * kTile, j = tile % across * kTile;
    const std::int64_t rows = std::min(kTile, c.rows - i), cols = std::min(kTile, c.cols - j);
    multiply(alpha, transpose_a ? part(a, 0, i, a.rows, rows) : part(a, i, 0, rows, a.cols),
             transpose_a, transpose_b ? part(b, j, 0, cols, b.cols) : part(b, 0, j, b.rows, cols),
             transpose_b, beta, part(c, i, j, rows, cols));
  });
}

void syrk(ThreadPool& pool, float alpha, MatrixView<const float> a, float beta,
          MatrixView<float> c) {
  VT_CHECK(a.cols == c.rows && c.rows == c.cols);
  use_one_thread();
  const std::int64_t side = blocks_of(c.rows, kTile);
  pool.run(side * side, [&](std::int64_t tile) {
    const std::int64_t i = tile / side * kTile, j = tile % side * kTile;
    if (j > i) return;
    const std::int64_t rows = std::min(kTile, c.rows - i), cols = std::min(kTile, c.cols - j);
    if (i == j) {
      cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, narrow(rows), narrow(a.rows), alpha,
                  a.data + i, narrow(a.stride), beta, c.data + i * c.stride + i, narrow(c.stride));
    } else {
      multiply(alpha, part(a, 0, i, a.rows, rows), true, part(a, 0, j, a.rows, cols), false, beta,
               part(c, i, j, rows, cols));
    }
  });
  fill_upper(pool, c);
}

void fill_upper(ThreadPool& pool, MatrixView<float> a) {
  constexpr std::int64_t kSide = 64;
  parallel_for(pool, a.rows, kSide, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t low = 0; low < end; low += kSide) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t high = std::min(low + kSide, i);
        for (std::int64_t j = low; j < high; ++j)
          a.data[j * a.stride + i] = a.data[i * a.stride + j];
      }
    }
  });
}

Status invert_spd(ThreadPool& pool, MatrixView<float> a) {
  VT_CHECK(a.rows == a.cols);
  use_one_thread();
  const Blocked blocked{a};
  if (!factor(pool, blocked) || !invert_triangle(pool, blocked)) return not_positive_definite();
  square_triangle(pool, blocked);
  fill_upper(pool, a);
  return {};
}

Status solve_spd(MatrixView<float> a, MatrixView<float> b) {
  VT_CHECK(a.rows == a.cols && b.rows == a.rows);
  use_one_thread();
  if (a.rows == 0 || b.cols == 0) return {};
  if (!factor_block(a)) return not_positive_definite();
  solve_triangle(CblasLeft, CblasNoTrans, 1, a, b);
  solve_triangle(CblasLeft, CblasTrans, 1, a, b);
  return {};
}

}  // namespace vitrine

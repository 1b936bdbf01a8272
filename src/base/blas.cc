#include "base/blas.h"

#include <cblas.h>
#include <lapacke.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <new>
#include <vector>

namespace vitrine {
namespace {

// Blocks are fixed, whatever the pool: the sums inside a block are OpenBLAS's, in one thread.
constexpr std::int64_t kTile = 1024;
constexpr std::int64_t kLeaf = 256;  // side of a triangle that LAPACK gets

// A thread inside OpenBLAS. It works there in a buffer that is kept for the next one, and when it
// cannot get the memory it tries for ever: so we look whether there is room before.
class Inside {
 public:
  Inside() {
    static const bool done = (openblas_set_num_threads(1), true);
    static_cast<void>(done);
    if (const int threads = ++threads_; threads > buffers_.load()) make_room(threads);
  }
  ~Inside() { --threads_; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  static constexpr std::size_t kBuffer = (std::size_t{128} << 20) + (1 << 16);

  static void make_room(int threads) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    if (threads <= buffers_.load()) return;
    void* const room = ::mmap(nullptr, kBuffer, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) {
      --threads_;
      throw std::bad_alloc();
    }
    ::munmap(room, kBuffer);
    buffers_.store(threads);
  }

  static inline std::atomic<int> threads_{0}, buffers_{0};
};

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
  const Inside inside;
  cblas_sgemm(CblasRowMajor, flag(transpose_a), flag(transpose_b), narrow(c.rows), narrow(c.cols),
              narrow(depth), alpha, a.data, narrow(std::max<std::int64_t>(1, a.stride)), b.data,
              narrow(std::max<std::int64_t>(1, b.stride)), beta, c.data, narrow(c.stride));
}

// Lower triangle of C = alpha op(A) op(A)^T + beta C, where op(A) is A^T when `transpose`.
void syrk_lower(ThreadPool& pool, float alpha, MatrixView<const float> a, bool transpose,
                float beta, MatrixView<float> c) {
  const std::int64_t side = blocks_of(c.rows, kTile), depth = transpose ? a.rows : a.cols;
  const auto strip = [&](std::int64_t from, std::int64_t size) {
    return transpose ? part(a, 0, from, depth, size) : part(a, from, 0, size, depth);
  };
  pool.run(side * side, [&](std::int64_t tile) {
    const std::int64_t i = tile / side * kTile, j = tile % side * kTile;
    if (j > i) return;
    const std::int64_t rows = std::min(kTile, c.rows - i), cols = std::min(kTile, c.cols - j);
    const MatrixView<float> out = part(c, i, j, rows, cols);
    if (i == j) {
      const Inside inside;
      cblas_ssyrk(CblasRowMajor, CblasLower, flag(transpose), narrow(rows), narrow(depth), alpha,
                  strip(i, rows).data, narrow(a.stride), beta, out.data, narrow(c.stride));
    } else {
      multiply(alpha, strip(i, rows), transpose, strip(j, cols), !transpose, beta, out);
    }
  });
}

// B <- alpha op(L)^-1 B, or B op(L)^-1 from the right, in strips that do not depend on each other.
void solve_lower(ThreadPool& pool, CBLAS_SIDE side, bool transpose, float alpha,
                 MatrixView<const float> lower, MatrixView<float> b) {
  parallel_for(
      pool, side == CblasLeft ? b.cols : b.rows, kTile, [&](std::int64_t low, std::int64_t high) {
        const MatrixView<float> strip = side == CblasLeft ? part(b, 0, low, b.rows, high - low)
                                                          : part(b, low, 0, high - low, b.cols);
        const Inside inside;
        cblas_strsm(CblasRowMajor, side, CblasLower, flag(transpose), CblasNonUnit,
                    narrow(strip.rows), narrow(strip.cols), alpha, lower.data, narrow(lower.stride),
                    strip.data, narrow(strip.stride));
      });
}

// A square matrix in quarters. The lower triangle is the two triangles and `below`.
struct Quarters {
  MatrixView<float> upper_left, below, lower_right;
};

Quarters quarters(MatrixView<float> a) {
  const std::int64_t head = (a.rows / 2 + 63) / 64 * 64, tail = a.rows - head;
  return {part(a, 0, 0, head, head), part(a, head, 0, tail, head), part(a, head, head, tail, tail)};
}

// The three steps work on the lower triangle in place, by halves until kLeaf: nearly all of the
// work is then products of large blocks. A row-major lower triangle is LAPACK's upper one: nothing
// is copied.

// A <- L with A = L L^T. False when A is not positive definite; OpenBLAS lets NaN pass.
bool factor(ThreadPool& pool, MatrixView<float> a) {
  if (a.rows > kLeaf) {
    const Quarters q = quarters(a);
    if (!factor(pool, q.upper_left)) return false;
    solve_lower(pool, CblasRight, true, 1, q.upper_left, q.below);
    syrk_lower(pool, -1, q.below, false, 1, q.lower_right);
    return factor(pool, q.lower_right);
  }
  const Inside inside;
  if (LAPACKE_spotrf_work(LAPACK_COL_MAJOR, 'U', narrow(a.rows), a.data, narrow(a.stride)) != 0) {
    return false;
  }
  for (std::int64_t i = 0; i < a.rows; ++i) {
    const float pivot = a.data[i * a.stride + i];
    if (!(pivot > 0) || !std::isfinite(pivot)) return false;
  }
  return true;
}

// L <- X = L^-1, L without zeros on its diagonal.
void invert_lower(ThreadPool& pool, MatrixView<float> a) {
  if (a.rows > kLeaf) {
    const Quarters q = quarters(a);
    solve_lower(pool, CblasLeft, false, -1, q.lower_right, q.below);
    solve_lower(pool, CblasRight, false, 1, q.upper_left, q.below);
    invert_lower(pool, q.upper_left);
    invert_lower(pool, q.lower_right);
    return;
  }
  const Inside inside;
  const int failed =
      LAPACKE_strtri_work(LAPACK_COL_MAJOR, 'U', 'N', narrow(a.rows), a.data, narrow(a.stride));
  VT_CHECK(failed == 0);
}

// X <- X^T X.
void square_lower(ThreadPool& pool, MatrixView<float> a) {
  if (a.rows > kLeaf) {
    const Quarters q = quarters(a);
    square_lower(pool, q.upper_left);
    syrk_lower(pool, 1, q.below, true, 1, q.upper_left);
    parallel_for(pool, q.below.cols, kTile, [&](std::int64_t low, std::int64_t high) {
      const Inside inside;
      cblas_strmm(CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit,
                  narrow(q.below.rows), narrow(high - low), 1, q.lower_right.data, narrow(a.stride),
                  q.below.data + low, narrow(a.stride));
    });
    square_lower(pool, q.lower_right);
    return;
  }
  const Inside inside;
  LAPACKE_slauum_work(LAPACK_COL_MAJOR, 'U', narrow(a.rows), a.data, narrow(a.stride));
}

Error not_positive_definite() {
  return {Code::kInvalid, "the matrix is not positive definite: use a larger regularisation"};
}

}  // namespace

void gemm(ThreadPool& pool, float alpha, MatrixView<const float> a, bool transpose_a,
          MatrixView<const float> b, bool transpose_b, float beta, MatrixView<float> c) {
  VT_CHECK((transpose_a ? a.cols : a.rows) == c.rows && (transpose_b ? b.rows : b.cols) == c.cols);
  VT_CHECK((transpose_a ? a.rows : a.cols) == (transpose_b ? b.cols : b.rows));
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
  syrk_lower(pool, alpha, a, true, beta, c);
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
  if (a.rows == 0) return {};
  if (!factor(pool, a)) return not_positive_definite();
  invert_lower(pool, a);
  square_lower(pool, a);
  fill_upper(pool, a);
  return {};
}

Status solve_spd(MatrixView<float> a, MatrixView<float> b) {
  VT_CHECK(a.rows == a.cols && b.rows == a.rows);
  if (a.rows == 0 || b.cols == 0) return {};
  ThreadPool here(1);
  if (!factor(here, a)) return not_positive_definite();
  solve_lower(here, CblasLeft, false, 1, a, b);
  solve_lower(here, CblasLeft, true, 1, a, b);
  return {};
}

Status eigenvectors(MatrixView<float> a) {
  VT_CHECK(a.rows == a.cols);
  const auto n = static_cast<std::size_t>(a.rows);
  std::vector<double> square(n * n), values(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = a.row(static_cast<std::int64_t>(i));
    for (std::size_t j = 0; j < n; ++j) {
      if (!std::isfinite(row[j])) return Error{Code::kInvalid, "the matrix is not finite"};
      square[i * n + j] = double{row[j]};
    }
  }
  if (n == 0) return {};
  const Inside inside;
  // The columns of a column-major matrix are the rows of ours.
  if (LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', narrow(a.rows), square.data(), narrow(a.rows),
                     values.data()) != 0) {
    return Error{Code::kInternal, "the eigenvectors of a matrix did not converge"};
  }
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = a.row(static_cast<std::int64_t>(n - 1 - i));  // LAPACK's order ascends
    for (std::size_t j = 0; j < n; ++j) row[j] = static_cast<float>(square[i * n + j]);
  }
  return {};
}

// A row-major matrix is LAPACK's transposed one: A = Q T is its A^T = T^T Q^T, a lower triangle
// times orthonormal rows.
void orthonormalize(MatrixView<float> a, MatrixView<float> triangle) {
  VT_CHECK(a.rows >= a.cols);
  const Inside inside;
  const int rows = narrow(a.cols), cols = narrow(a.rows);
  if (rows > 0) {
    const int stride = narrow(a.stride);
    std::vector<float> tau(static_cast<std::size_t>(rows));
    float wish = 0;  // the size of the work space that makes it fast
    LAPACKE_sgelqf_work(LAPACK_COL_MAJOR, rows, cols, a.data, stride, tau.data(), &wish, -1);
    std::vector<float> work(std::max<std::size_t>(1, static_cast<std::size_t>(wish)));
    LAPACKE_sgelqf_work(LAPACK_COL_MAJOR, rows, cols, a.data, stride, tau.data(), work.data(),
                        narrow(static_cast<std::int64_t>(work.size())));
    if (triangle.data != nullptr) {
      VT_CHECK(triangle.rows == a.cols && triangle.cols == a.cols);
      for (std::int64_t i = 0; i < a.cols; ++i) {
        for (std::int64_t j = 0; j < a.cols; ++j) {
          triangle.data[i * triangle.stride + j] = j < i ? 0 : a.data[i * a.stride + j];
        }
      }
    }
    LAPACKE_sorglq_work(LAPACK_COL_MAJOR, rows, cols, rows, a.data, stride, tau.data(), work.data(),
                        narrow(static_cast<std::int64_t>(work.size())));
  }
}

// LAPACK decomposes A^T = V diag(values) U^T: its two factors, by columns, are ours by rows.
Status small_svd(MatrixView<float> a, MatrixView<float> u, std::span<float> values,
                 MatrixView<float> v_transposed) {
  VT_CHECK(a.rows == a.cols && static_cast<std::int64_t>(values.size()) == a.rows);
  VT_CHECK(u.rows == a.rows && u.cols == a.rows);
  VT_CHECK(v_transposed.rows == a.rows && v_transposed.cols == a.rows);
  if (a.rows == 0) return {};
  const Inside inside;
  const int n = narrow(a.rows);
  std::vector<int> integers(values.size() * 8);
  std::vector<float> work(1);
  int failed = 0;
  for (int size = -1; size != 0;) {  // first asks how much work space it wants
    failed = LAPACKE_sgesdd_work(LAPACK_COL_MAJOR, 'S', n, n, a.data, narrow(a.stride),
                                 values.data(), v_transposed.data, narrow(v_transposed.stride),
                                 u.data, narrow(u.stride), work.data(), size, integers.data());
    if (size > 0 || failed != 0) break;
    size = static_cast<int>(work[0]);
    work.resize(static_cast<std::size_t>(size));
  }
  if (failed != 0) return Error{Code::kInvalid, "the singular values do not converge"};
  return {};
}

}  // namespace vitrine

#include "model/ridge.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/blas.h"
#include "base/result.h"

namespace vitrine {
namespace {

// Eight floats: a register of the instruction set that everything is compiled for. All loops run
// over whole vectors; what pads a row is zero.
using Vector [[gnu::vector_size(32)]] = float;
constexpr std::int64_t kVector = 8;

Vector load(const float* p) {
  Vector v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
void store(float* p, Vector v) { std::memcpy(p, &v, sizeof v); }

// The sums of eight vectors, as the lanes of one.
Vector sums_of(const Vector (&v)[8]) {
  Vector pair[4];
  for (int i = 0; i < 4; ++i) {
    const Vector a = v[2 * i], b = v[2 * i + 1];
    pair[i] = __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14) +
              __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
  }
  Vector four[2];
  for (int i = 0; i < 2; ++i) {
    const Vector a = pair[2 * i], b = pair[2 * i + 1];
    four[i] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13) +
              __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  }
  return __builtin_shufflevector(four[0], four[1], 0, 1, 2, 3, 8, 9, 10, 11) +
         __builtin_shufflevector(four[0], four[1], 4, 5, 6, 7, 12, 13, 14, 15);
}

float sum_of(Vector v) { return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7])); }

float dot(const float* a, const float* b, std::int64_t n) {
  Vector sum{};
  for (std::int64_t k = 0; k < n; k += kVector) sum += load(a + k) * load(b + k);
  return sum_of(sum);
}

// out[i] = row i . x, for rows in steps of eight: a multiple of eight rows is readable.
void multiply(const float* rows, std::int64_t stride, std::int64_t count, std::int64_t width,
              const float* x, float* out) {
  for (std::int64_t i = 0; i < count; i += kVector) {
    const float* row = rows + i * stride;
    Vector sum[kVector] = {};
    for (std::int64_t k = 0; k < width; k += kVector) {
      const Vector right = load(x + k);
      for (int r = 0; r < kVector; ++r) sum[r] += load(row + r * stride + k) * right;
    }
    store(out + i, sums_of(sum));
  }
}

// x += sum_i factors[i] row_i; a multiple of four rows and factors is readable.
void add_rows(const float* rows, std::int64_t stride, std::int64_t count, std::int64_t width,
              const float* factors, float* x) {
  for (std::int64_t i = 0; i < count; i += 4) {
    const float *row = rows + i * stride, *f = factors + i;
    for (std::int64_t k = 0; k < width; k += kVector) {
      Vector sum = load(x + k);
      sum += load(row + k) * f[0];
      sum += load(row + stride + k) * f[1];
      sum += load(row + 2 * stride + k) * f[2];
      sum += load(row + 3 * stride + k) * f[3];
      store(x + k, sum);
    }
  }
}

// The upper triangle of C C^T, two rows by four at a time; a few entries around it are written,
// too. Whole fours of rows are readable.
void short_gram(const float* rows, std::int64_t stride, std::int64_t count, std::int64_t width,
                MatrixView<float> out) {
  for (std::int64_t i = 0; i < count; i += 2) {
    const float* a = rows + i * stride;
    for (std::int64_t j = i / 4 * 4; j < count; j += 4) {
      const float* b = rows + j * stride;
      Vector sum[8] = {};
      for (std::int64_t k = 0; k < width; k += kVector) {
        const Vector a0 = load(a + k), a1 = load(a + stride + k);
        for (int r = 0; r < 4; ++r) {
          const Vector right = load(b + r * stride + k);
          sum[r] += a0 * right;
          sum[4 + r] += a1 * right;
        }
      }
      float sums[8];
      store(sums, sums_of(sum));
      float* to = out.data + i * out.stride + j;
      std::copy_n(sums, 4, to);
      std::copy_n(sums + 4, 4, to + out.stride);
    }
  }
}

// A = U^T U in the upper triangle, four pivots at a time; what lies left of the diagonal is
// overwritten. False when A is not positive definite.
bool factor_small(MatrixView<float> a) {
  const std::int64_t n = a.rows, padded = (n + kVector - 1) / kVector * kVector;
  const auto row = [&](std::int64_t i) { return a.data + i * a.stride; };
  for (std::int64_t i = 0; i < n; ++i) std::fill(row(i) + n, row(i) + padded, 0.0f);
  for (std::int64_t j = 0; j < n; j += 4) {
    const std::int64_t panel = std::min<std::int64_t>(4, n - j);
    for (std::int64_t p = j; p < j + panel; ++p) {
      const float pivot = row(p)[p];
      if (!(pivot > 0) || !std::isfinite(pivot)) return false;
      const float inverse = 1 / std::sqrt(pivot);
      for (std::int64_t k = p / kVector * kVector; k < padded; k += kVector)
        store(row(p) + k, load(row(p) + k) * inverse);
      for (std::int64_t q = p + 1; q < j + panel; ++q) {
        const float f = row(p)[q];
        for (std::int64_t k = q / kVector * kVector; k < padded; k += kVector)
          store(row(q) + k, load(row(q) + k) - load(row(p) + k) * f);
      }
    }
    if (panel < 4) break;
    const float *p0 = row(j), *p1 = row(j + 1), *p2 = row(j + 2), *p3 = row(j + 3);
    for (std::int64_t i = j + 4; i < n; ++i) {
      const float f0 = p0[i], f1 = p1[i], f2 = p2[i], f3 = p3[i];
      float* to = row(i);
      for (std::int64_t k = i / kVector * kVector; k < padded; k += kVector) {
        Vector v = load(to + k);
        v -= load(p0 + k) * f0;
        v -= load(p1 + k) * f1;
        v -= load(p2 + k) * f2;
        v -= load(p3 + k) * f3;
        store(to + k, v);
      }
    }
  }
  return true;
}

// Solves U^T U x = b in place.
void substitute(MatrixView<const float> u, float* b) {
  const std::int64_t n = u.rows;
  for (std::int64_t i = 0; i < n; ++i) {
    const float* row = u.data + i * u.stride;
    const float value = b[i] /= row[i];
    for (std::int64_t k = i + 1; k < n; ++k) b[k] -= value * row[k];
  }
  for (std::int64_t i = n; i-- > 0;) {
    const float* row = u.data + i * u.stride;
    std::int64_t k = i + 1;
    float sum = 0;
    for (; k < n && k % kVector != 0; ++k) sum += row[k] * b[k];
    Vector lanes{};
    for (; k + kVector <= n; k += kVector) lanes += load(row + k) * load(b + k);
    sum += sum_of(lanes);
    for (; k < n; ++k) sum += row[k] * b[k];
    b[i] = (b[i] - sum) / row[i];
  }
}

// Above this side, blocked factorisation and packed products win.
constexpr std::int64_t kSmall = 160;

}  // namespace

Ridge::Ridge(std::int64_t width) : width_(width), here_(1) {
  const auto padded = static_cast<std::size_t>(Matrix(0, width).stride());
  for (std::vector<float>* v : {&y_, &residual_, &direction_, &image_}) v->assign(padded, 0);
}

// Four or eight rows are read at once, so there are up to seven more of them: zeros.
void Ridge::reset(std::int64_t rows) {
  if (rows + kVector > rows_.rows()) rows_ = Matrix(rows + rows / 2 + 2 * kVector, width_);
  count_ = rows;
  const auto padded = static_cast<std::size_t>(rows + kVector);
  for (std::vector<float>* v : {&targets_, &left_, &right_}) {
    if (v->size() < padded) v->resize(padded * 3 / 2);
  }
  for (std::int64_t i = rows; i < rows + kVector; ++i) {
    std::ranges::fill(rows_.row(i), 0.0f);
    target(i) = 0;
  }
}

bool Ridge::solve_system(MatrixView<float> a, float* b) {
  for (std::int64_t i = 0; i < a.rows; ++i) a.data[i * a.stride + i] += 1;
  if (a.rows <= kSmall) {
    if (!factor_small(a)) return false;
    substitute(a, b);
    return true;
  }
  return solve_spd(a, {b, a.rows, 1, 1}).ok();
}

// solve() for the columns [begin, end) alone, multiples of sixteen: y holds r there.
bool Ridge::solve_columns(std::int64_t begin, std::int64_t end, std::span<const float> targets,
                          float* y) {
  const float* rows = rows_.data() + begin;
  const std::int64_t stride = rows_.stride(), cols = std::min(end, width_) - begin;
  const std::int64_t padded = (cols + kVector - 1) / kVector * kVector;
  const bool few = count_ < cols;
  const std::int64_t side = few ? count_ : cols;
  if (system_.rows() < side + 4) system_ = Matrix(side + side / 2 + 8, side + side / 2 + 8);
  const MatrixView<float> system{system_.data(), side, side, system_.stride()};
  if (few) {
    multiply(rows, stride, count_, padded, y, right_.data());
    for (std::int64_t i = 0; i < count_; ++i) {
      const auto at = static_cast<std::size_t>(i);
      right_[at] = targets[at] - right_[at];
    }
    if (side <= kSmall) {
      short_gram(rows, stride, count_, padded, system);
    } else {
      const MatrixView<const float> c{rows, count_, cols, stride};
      gemm(here_, 1, c, false, c, true, 0, system);
    }
    if (!solve_system(system, right_.data())) return false;
    std::fill_n(right_.begin() + count_, 4, 0.0f);
    add_rows(rows, stride, count_, padded, right_.data(), y);
  } else {
    syrk(here_, 1, {rows, count_, cols, stride}, 0, system);
    add_rows(rows, stride, count_, padded, targets.data(), y);
    if (!solve_system(system, y)) return false;
  }
  return true;
}

bool Ridge::solve(std::span<float> y) {
  std::copy(y.begin(), y.end(), y_.begin());
  if (!solve_columns(0, width_, targets_, y_.data())) return false;
  std::copy_n(y_.begin(), y.size(), y.begin());
  return true;
}

bool Ridge::solve_blocks(std::span<float> y, std::int64_t block) {
  VT_CHECK(block > 0 && block % 16 == 0);
  if (count_ <= block || block >= width_) {  // one exact solution costs no more than the blocks
    std::ranges::fill(y, 0.0f);
    return solve(y);
  }
  const float* rows = rows_.data();
  const std::int64_t stride = rows_.stride();
  std::copy(y.begin(), y.end(), y_.begin());
  multiply(rows, stride, count_, stride, y_.data(), left_.data());
  for (std::int64_t i = 0; i < count_ + kVector; ++i) {
    const auto at = static_cast<std::size_t>(i);
    left_[at] = i < count_ ? targets_[at] - left_[at] : 0;
  }
  for (std::int64_t begin = 0; begin < width_; begin += block) {
    const std::int64_t end = std::min(begin + block, stride);
    float* step = direction_.data() + begin;
    for (std::int64_t k = 0; k < end - begin; ++k)
      step[k] = -y_[static_cast<std::size_t>(begin + k)];
    if (!solve_columns(begin, end, left_, step)) return false;
    multiply(rows + begin, stride, count_, end - begin, step, right_.data());
    for (std::int64_t i = 0; i < count_; ++i)
      left_[static_cast<std::size_t>(i)] -= right_[static_cast<std::size_t>(i)];
    for (std::int64_t k = 0; k < end - begin; ++k)
      y_[static_cast<std::size_t>(begin + k)] += step[k];
  }
  std::copy_n(y_.begin(), y.size(), y.begin());
  return true;
}

void Ridge::descend(std::span<float> y, int steps) {
  const float* rows = rows_.data();
  const std::int64_t stride = rows_.stride();
  float *x = y_.data(), *r = residual_.data(), *p = direction_.data(), *q = image_.data();
  std::copy(y.begin(), y.end(), x);
  // r = C^T (t - C x) - x
  multiply(rows, stride, count_, stride, x, left_.data());
  for (std::int64_t i = 0; i < count_ + 4; ++i) {
    const auto at = static_cast<std::size_t>(i);
    left_[at] = i < count_ ? targets_[at] - left_[at] : 0;
  }
  for (std::int64_t k = 0; k < stride; ++k) r[k] = -x[k];
  add_rows(rows, stride, count_, stride, left_.data(), r);
  std::copy_n(r, stride, p);
  float length = dot(r, r, stride);
  for (int step = 0; step < steps && length > 1e-20f; ++step) {
    multiply(rows, stride, count_, stride, p, left_.data());
    std::copy_n(p, stride, q);
    add_rows(rows, stride, count_, stride, left_.data(), q);
    const float alpha = length / dot(p, q, stride);
    for (std::int64_t k = 0; k < stride; ++k) x[k] += alpha * p[k];
    if (step + 1 == steps) break;
    for (std::int64_t k = 0; k < stride; ++k) r[k] -= alpha * q[k];
    const float next = dot(r, r, stride), beta = next / length;
    length = next;
    for (std::int64_t k = 0; k < stride; ++k) p[k] = r[k] + beta * p[k];
  }
  std::copy_n(x, y.size(), y.begin());
}

}  // namespace vitrine

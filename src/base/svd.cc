#include "base/svd.h"

#include <algorithm>
#include <cmath>

#include "base/blas.h"

namespace vitrine {
namespace {

Matrix normal_block(ThreadPool& pool, const Random& random, std::int64_t rows, std::int64_t cols) {
  Matrix block(rows, cols);
  parallel_for(pool, rows, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::span<float> row = block.row(i);
      for (std::int64_t j = 0; j < cols; ++j) {
        row[static_cast<std::size_t>(j)] =
            static_cast<float>(random.normal(static_cast<std::uint64_t>(i * cols + j)));
      }
    }
  });
  return block;
}

bool finite(const Matrix& m) {
  for (std::int64_t i = 0; i < m.rows(); ++i) {
    for (const float v : m.row(i)) {
      if (!std::isfinite(v)) return false;
    }
  }
  return true;
}

// The product of a block with the first columns of a small square matrix.
Matrix rotated(ThreadPool& pool, const Matrix& block, MatrixView<const float> small, bool transpose,
               std::int64_t rank) {
  Matrix out(block.rows(), rank);
  const MatrixView<const float> first{small.data, transpose ? rank : small.rows,
                                      transpose ? small.cols : rank, small.stride};
  gemm(pool, 1, block.view(), false, first, transpose, 0, out.view());
  return out;
}

}  // namespace

Result<TruncatedSvd> truncated_svd(const Run& run, std::string_view stage_name,
                                   const LinearOperator& a, const SvdOptions& options) {
  const std::int64_t side = std::min(a.rows, a.cols);
  const std::int64_t rank = std::min<std::int64_t>(options.rank, side);
  const std::int64_t width = std::min<std::int64_t>(rank + options.oversampling, side);
  TruncatedSvd svd;
  if (rank == 0) {
    svd.left = Matrix(a.rows, 0);
    svd.right = Matrix(a.cols, 0);
    return svd;
  }
  const auto steps = static_cast<std::uint64_t>(2 * options.iterations + 2);
  Stage stage(run.monitor, stage_name, steps, "products");
  Matrix right = normal_block(run.pool, run.random, a.cols, width), left(a.rows, width);
  orthonormalize(right.view());
  std::uint64_t step = 0;
  for (int i = 0; i < options.iterations; ++i) {
    VT_TRY(stage.proceed(step++));
    a.apply(right.view(), left.view());
    orthonormalize(left.view());
    VT_TRY(stage.proceed(step++));
    a.transpose(left.view(), right.view());
    orthonormalize(right.view());
  }
  VT_TRY(stage.proceed(step++));
  a.apply(right.view(), left.view());
  if (!finite(left)) return Error{Code::kInvalid, "a product is not finite"};
  Matrix triangle(width, width), across(width, width), along(width, width);
  orthonormalize(left.view(), triangle.view());
  std::vector<float> values(static_cast<std::size_t>(width));
  VT_TRY(small_svd(triangle.view(), across.view(), values, along.view()));
  VT_TRY(stage.proceed(step));
  values.resize(static_cast<std::size_t>(rank));
  svd.values = std::move(values);
  svd.left = rotated(run.pool, left, across.view(), false, rank);
  svd.right = rotated(run.pool, right, along.view(), true, rank);
  return svd;
}

}  // namespace vitrine

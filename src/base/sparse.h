// Products of a sparse matrix with dense blocks, the step that every method on a graph repeats.
#pragma once

#include <cstdint>
#include <span>

#include "base/matrix.h"
#include "base/parallel.h"

namespace vitrine {

// A sparse matrix by rows that owns nothing: row r holds weights[e] at columns[e] for e in
// [offsets[r], offsets[r + 1]); columns lie below `cols`.
struct SparseView {
  std::span<const std::uint64_t> offsets;  // rows + 1; empty: no rows
  std::span<const std::uint32_t> columns;
  std::span<const float> weights;
  std::int64_t cols = 0;
  std::int64_t rows() const {
    return offsets.empty() ? 0 : static_cast<std::int64_t>(offsets.size()) - 1;
  }
};

// out (a.rows x w, overwritten) = A x for a row-major block x (a.cols x w). Each row of `out` is
// one chain of fused multiply-adds in the order of its entries, so the result does not depend on
// the number of threads. Shapes must agree (VT_CHECK); `out` and `x` must not overlap. Cost: w
// multiply-adds and w floats read per entry.
void multiply(ThreadPool& pool, const SparseView& a, MatrixView<const float> x,
              MatrixView<float> out);

}  // namespace vitrine

#include "base/sparse.h"

#include <algorithm>

#include "base/kernels.h"
#include "base/result.h"

namespace vitrine {

void multiply(ThreadPool& pool, const SparseView& a, MatrixView<const float> x,
              MatrixView<float> out) {
  VT_CHECK(a.cols == x.rows && out.rows == a.rows() && out.cols == x.cols);
  constexpr std::int64_t kRows = 64;
  const auto axpy = kernels().axpy;
  parallel_for(pool, out.rows, kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::span<float> row = out.row(r);
      std::fill(row.begin(), row.end(), 0.0f);
      const auto place = static_cast<std::size_t>(r);
      for (std::uint64_t e = a.offsets[place]; e < a.offsets[place + 1]; ++e) {
        axpy(a.weights[e], x.data + std::int64_t{a.columns[e]} * x.stride, row.data(), x.cols);
      }
    }
  });
}

}  // namespace vitrine

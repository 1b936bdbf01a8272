// Truncated singular value decomposition of a matrix that is known by its products alone, by
// randomised subspace iteration: Halko, Martinsson and Tropp, "Finding structure with randomness",
// SIAM Review 2011, algorithms 4.4 and 5.1. With G of independent normal draws,
//
//   Q_0 = orth(G),   Q_i = orth(A^T orth(A Q_(i-1))),   A Q_n = P T,   T = X S Y^T
//
// and A is near (P X) S (Q_n Y)^T. The error of a singular value falls by (s_(k + oversampling + 1)
// / s_k)^2 with each iteration; two to four are enough for anything that ranks.
//
// Cost: 2 n + 1 products with blocks of k + oversampling columns, and 4 m (k + oversampling)^2
// multiplications for each of the 2 n + 1 orthonormalisations of m rows; nothing for rank 0.
// Memory: one block on each side.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/matrix.h"
#include "base/run.h"

namespace vitrine {

// A (rows x cols). Both products overwrite y with as many columns as x has.
struct LinearOperator {
  std::int64_t rows = 0, cols = 0;
  std::function<void(MatrixView<const float> x, MatrixView<float> y)> apply;      // y = A x
  std::function<void(MatrixView<const float> x, MatrixView<float> y)> transpose;  // y = A^T x
};

struct SvdOptions {
  int rank = 64;
  int oversampling = 16;
  int iterations = 3;
};

// A near left diag(values) right^T; columns are orthonormal, the values fall.
struct TruncatedSvd {
  std::vector<float> values;  // min(rank, rows, cols) of them
  Matrix left;                // rows x values
  Matrix right;               // cols x values
};

// Draws come from run.random; the same bytes for any number of threads as long as the products are.
// `stage` names the work to the monitor. kCancelled; kInvalid when the products are not finite.
Result<TruncatedSvd> truncated_svd(const Run& run, std::string_view stage, const LinearOperator& a,
                                   const SvdOptions& options);

}  // namespace vitrine

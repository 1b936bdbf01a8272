// One regression per item: how the column of an item in the interactions is predicted by the
// columns of a few other items, its candidates. What `slim` and the sparse `ease` solve; they
// differ in how one regression is solved.
//
// With X the interactions (persons x items), D = diag(n_u^-person_exponent), n_u the distinct items
// of person u, and G = X^T D X, the regression of item j on its candidates S is
//
//   min over b   1/2 | D^(1/2) (X_j - X_S b) |^2  +  1/2 sum_i lambda_i b_i^2     (+ what else)
//   lambda_i = lambda (G_ii / mean G)^frequency_exponent
//
// and needs only G_SS, G_Sj and lambda. G is never formed: the block G_SS is summed from the
// persons who took at least one candidate. S holds the `candidates` items with the largest G_ij /
// G_ii^0.4, or all that occur with j: every item with G_ij = 0 is left out.
//
// Cost per item: the co-occurrences of j, the pairs of candidates that persons have, and what the
// solver needs; memory items * candidates * 16 bytes while fitting. In parallel over items; the
// same bytes for any number of threads.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/matrix.h"
#include "base/run.h"
#include "data/histories.h"
#include "index/mask.h"

namespace vitrine {

struct RegressionOptions {
  int candidates = 200;
  double lambda = 100;
  double frequency_exponent = 0;
  double person_exponent = 0;
  const Bitmap* targets = nullptr;  // the items to regress, null: all
  const Bitmap* sources = nullptr;  // the items that may be candidates, null: all
};

// The regression of one item on n candidates.
struct Regression {
  MatrixView<float> gram;         // n x n, lower triangle: G_SS + diag(lambda_i); to overwrite
  std::span<const float> target;  // n: G_Sj
  double norm = 0;                // G_jj
  std::span<float> weights;       // n: b, to be filled; zero on entry
};

// Solves every regression with `solve`, which is called from several threads at once. Row i of the
// result holds the weights b_i of item i in the regressions of the others, zeros left out.
// kCancelled when the monitor said so; else the first error of `solve`; kInvalid when a weight is
// not finite. `name` is that of the model.
Result<SparseRows> solve_item_regressions(const Run& run, std::string_view name,
                                          const Interactions& interactions,
                                          const RegressionOptions& options,
                                          const std::function<Status(const Regression&)>& solve);

// A way to solve: without any further term, by the Cholesky factor of the Gram matrix. kInvalid
// when that is numerically not positive definite.
Status solve_by_cholesky(const Regression& regression);

// What each person counts: n^-exponent for n distinct items, 0 for nobody's.
std::vector<float> person_weights(const Interactions& interactions, double exponent);

// By item: lambda (f_i / mean f)^exponent for frequencies f; the mean is over those above 0, and
// an item without any gets lambda.
std::vector<float> ridge_of(std::span<const double> frequencies, double lambda, double exponent);

// kExhausted when solving may need more bytes than the limit, with both and with a number of
// candidates that fits; `more_weights` per candidate are held besides (16 bytes each). `targets` as
// in the options.
Status check_regression_memory(std::string_view name, const Interactions& interactions,
                               int candidates, int threads, int limit_mb,
                               std::uint64_t more_weights = 0, const Bitmap* targets = nullptr);

}  // namespace vitrine

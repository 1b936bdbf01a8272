// The pieces that mf is fitted with, and answers with: ratings as a sparse matrix both ways, one
// row solved against the other side, and the prior means that follow from who rated what.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/matrix.h"
#include "base/run.h"
#include "data/histories.h"

namespace vitrine {

// Which events are ratings: those of that type where there are any, else all of them.
bool has_ratings(const Histories& histories);
inline bool is_rating(const HistoryEvent& event, bool ratings_only) {
  return !ratings_only || event.type == EventType::kRating;
}

// One rating per cell, the last one.
struct Ratings {
  SparseRows by_row, by_item;  // the weights are the ratings
  double mean = 0, deviation = 1;
};
// Centred and divided by their deviation (1 where all are equal).
Ratings standard_ratings(const Histories& histories, bool ratings_only);

// The Gaussian beliefs about one side's vectors, one row each: factors, then the bias.
struct Beliefs {
  Beliefs(std::int64_t rows, std::int64_t factors);
  std::int64_t factors() const { return mean.cols() - 1; }

  Matrix mean, variance;
  Matrix prior;                   // means before any rating
  std::vector<double> precision;  // of the deviations from there, by column
};

// The belief about a row whose ratings `values` are of `others`' rows `columns`:
//
//   rating = p . q + b_p + b_q + noise of that variance
//
// The row's posterior precision A and mean are, with z = (q, 1) and s the variances of q,
//
//   A = diag(precision) + (sum z z^T + diag(s, 0)) / noise
//   A mean = diag(precision) prior + sum (value - b_q) z / noise
//
// and `variance` is the diagonal of A^-1. False where A is numerically not positive definite.
bool solve_row(std::span<const std::uint32_t> columns, std::span<const float> values,
               const Matrix& other_mean, const Matrix& other_variance, double noise,
               std::span<const float> prior, std::span<const double> precision,
               std::span<float> mean, std::span<float> variance);

// Prior means from who rated what, as SVD++ has them:  prior_r = |N(r)|^-1/2 sum_{c in N(r)} w_c .
class ImplicitPrior {
 public:
  // Rows and columns of the same cells; both must outlive it.
  ImplicitPrior(const SparseRows& rows, const SparseRows& columns, std::int64_t width);

  // Moves w towards the ridge regression of `target` (one row per row) on the cells, by some steps
  // of conjugate gradients from the present w.
  void fit(ThreadPool& pool, const Matrix& target, double regularization);
  void fill(ThreadPool& pool, Matrix& prior) const;
  const Matrix& weights() const { return weights_; }

 private:
  void gather(ThreadPool& pool, const SparseRows& cells, const Matrix& from, bool scale_source,
              Matrix& to) const;
  const SparseRows& rows_;
  const SparseRows& columns_;
  std::vector<float> scale_;  // |N(r)|^-1/2
  Matrix weights_;            // one row per column of the cells
};

}  // namespace vitrine

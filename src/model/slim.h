// Sparse linear method: item j is predicted by a few other items, chosen and weighed by an elastic
// net. One regression per item,
//
//   min over b   1/2 | D^(1/2) (X_j - X b) |^2  +  l1 |b|_1  +  1/2 sum_i l2_i b_i^2,    b_j = 0
//   D = diag(n_u^-person_exponent),   l2_i = l2 (f_i / mean f)^frequency_exponent,  f_i = G_ii
//
// over its best `candidates` (model/item_regressions.h), b >= 0 if `non_negative`; a history scores
// item j by the sum of b_i over its distinct items i (weighted by the best event weight if the
// interactions are not binary). Ning and Karypis, "SLIM: sparse linear methods for top-n
// recommender systems", ICDM 2011, equation 4; the two exponents are ours (0: the paper's).
//
// Solved by coordinate descent with covariance updates (Friedman, Hastie and Tibshirani, JSS 2010):
// a gradient for each candidate is kept, a weight that moves changes all of them by one row of the
// Gram matrix. Passes over the weights that are not zero alternate with passes over all, until none
// moves the prediction by more than 1e-5 of the target's norm. Cost: model/item_regressions.h, and
// candidates * (weights that move) multiplications per pass. The same bytes for any number of
// threads.
//
// Only items that somebody took together with another can be listed; a history without a known
// item gives an empty list.
#pragma once

#include <memory>

#include "model/model.h"

namespace vitrine {

struct SlimOptions {
  double l1 = 0.1;
  double l2 = 100;
  double person_exponent = 0;
  double frequency_exponent = 0;
  bool non_negative = true;
  int candidates = 200;
  int memory_limit_mb = 8192;

  static constexpr std::string_view kName = "slim";
  static constexpr auto fields() {
    using O = SlimOptions;
    return std::tuple{
        Field{"l1", &O::l1, 0.0, 1e6, "more leaves fewer items per regression"},
        Field{"l2", &O::l2, 1e-3, 1e9, "L2 regularisation; more for sparser data"},
        Field{"person_exponent", &O::person_exponent, 0.0, 2.0,
              "a person weighs their number of items to minus this; more mutes heavy users"},
        Field{"frequency_exponent", &O::frequency_exponent, 0.0, 2.0,
              "l2 of an item grows with its frequency to this; more mutes popular items"},
        Field{"non_negative", &O::non_negative, "weights below 0 are not allowed"},
        Field{"candidates", &O::candidates, 1, 8192,
              "items that may explain another one: those most often taken with it"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 1, 1 << 24,
              "fitting refuses to start when it would need more"}};
  }
};

// kExhausted, with the number, when the weights would not fit in memory.
Result<std::unique_ptr<const Model>> fit_slim(const Run& run, const SlimOptions& options,
                                              const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_slim(ArchiveReader& reader, const Catalogue& catalogue);

}  // namespace vitrine

// How far predicted ratings are off: root mean square error and mean absolute error over all
// held-out ratings, as in the tables of rating prediction. Small differences in them say little
// about lists.
#pragma once

#include <vector>

#include "eval/evaluate.h"

namespace vitrine {

// "rmse" and "mae" of score_all against EvaluationCase::ratings. Predictions are clipped to the
// range of the training part's values, as is usual (MyMediaLite, Surprise). Every rating counts the
// same; the intervals resample persons, all of one person's ratings together. per_case is empty:
// the mean over all ratings is not a mean over persons. Deterministic for any number of threads.
// kInvalid for a split that holds no ratings; kCancelled.
Result<std::vector<MetricValue>> rating_errors(const Run& run, const Recommender& recommender,
                                               const Split& split, std::size_t items,
                                               const EvaluateOptions& options);

}  // namespace vitrine

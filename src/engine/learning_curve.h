// How much better models get with more data: every model of a recipe fitted on shares of its
// training part, asked the same questions each time.
#pragma once

#include <string>
#include <vector>

#include "engine/recipe_run.h"

namespace vitrine {

struct CurveStep {
  double share = 1;
  std::size_t events = 0;  // that were fitted
  std::vector<RecipeRow> rows;
};
struct LearningCurve {
  std::string by, metric;  // "persons" or "history"; choose_by
  std::vector<CurveStep> steps;
  Value to_json() const;
};

// On 10, 20, 50 and 100 % of the persons (random ones, nested) or of everybody's history (the
// latest part). The histories that questions show stay whole. Of the first split.
Result<LearningCurve> learning_curve(const Run& run, const Recipe& recipe, const RecipeSplits& data,
                                     const std::string& by);

}  // namespace vitrine

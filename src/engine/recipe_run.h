// Measuring what a recipe describes.
#pragma once

#include <string>
#include <vector>

#include "engine/recipe_splits.h"
#include "eval/evaluate.h"

namespace vitrine {

// One metric of one row over all its fits: one per fold and seed.
struct RecipeValue {
  std::string metric;
  double mean = 0;
  double low = 0, high = 0;    // interval over persons; low == high where there is none
  double spread = 0;           // standard deviation over seeds; 0 with one
  double standard_error = 0;   // over folds; 0 with one
  std::vector<double> by_run;  // fold by fold, seed by seed within
};

struct RecipeRow {
  std::string name, kind;
  Table options;
  std::vector<RecipeValue> values;
  std::size_t cases = 0, skipped = 0;    // persons or questions, over all folds
  Usage fit, scoring;                    // means per fit; memory: the largest peak
  std::optional<Comparison> comparison;  // with the recipe's compare_to; not over folds
  Evaluation evaluation;                 // of one split: seeds averaged case by case
  const RecipeValue* find(std::string_view metric) const;
};

struct RecipeTable {
  Recipe recipe;
  std::string protocol;  // of the first fold
  std::size_t folds = 1, train_events = 0;
  std::uint64_t dropped_new_items = 0;
  std::string compared_to, compared_by;  // empty: nothing is compared
  std::vector<RecipeRow> rows;
  Value to_json() const;
};

// One model on the splits of `data`, `how` overriding the recipe's [evaluate]. Fits get seeds 1 to
// recipe.seeds. `anonymous`: the person is withheld from the model.
Result<RecipeRow> measure_row(const Run& run, const Recipe& recipe, const RecipeSplits& data,
                              const RecipeModel& model, const EvaluateOptions& how);

// All rows on the test part, popularity of all time and of seven days in front on time splits.
Result<RecipeTable> run_recipe(const Run& run, const Recipe& recipe, const RecipeSplits& data);
Result<RecipeTable> run_recipe(const Run& run, FileSystem& files, const Recipe& recipe,
                               const std::string& folder);

// Every model that has something to tune, on the validation part: one option in turn over its
// values, the others held, until a whole round changes nothing. Each trial is told to the monitor.
struct RecipeSearch {
  std::string model, protocol;
  int fits = 0;
  double value = 0;  // of choose_by
  Table options;     // the best
};
Result<std::vector<RecipeSearch>> tune_recipe(const Run& run, FileSystem& files,
                                              const Recipe& recipe, const std::string& folder);

}  // namespace vitrine

// The files of a recipe as splits.
#pragma once

#include <string>
#include <vector>

#include "data/catalogue.h"
#include "data/split.h"
#include "engine/recipe.h"

namespace vitrine {

struct RecipeSplits {
  Vocabulary vocabulary;
  Catalogue catalogue;        // of [items]; empty rows without
  std::vector<Split> splits;  // one, or one per fold
};

enum class RecipePart {
  kTest,        // fitted on all of training, [validation_source] included
  kValidation,  // inside the training part: what settings are chosen on; a given test file is not
                // even opened
};

inline constexpr std::uint64_t kFirstSeed = 1;  // of splits, resamples and the first fit

// Paths are relative to `folder`. Splits and their random draws are the same whatever run.random.
// kNotFound, with the remedy, for a file that is not there; else what importing and splitting say,
// prefixed with the recipe's path.
Result<RecipeSplits> recipe_splits(const Run& run, FileSystem& files, const Recipe& recipe,
                                   const std::string& folder, RecipePart part);

// What a row of the recipe is fitted on and asked: the split, with the row's own `weights` where it
// has some.
Result<Split> split_of_row(const Recipe& recipe, const RecipeModel& model, const Split& split);

}  // namespace vitrine

// Tables of recipes for people and for programs.
#pragma once

#include <string>

#include "engine/engine.h"
#include "engine/learning_curve.h"
#include "engine/recipe_run.h"
#include "engine/robustness.h"

namespace vitrine {

std::string recipe_text(const RecipeTable& table);
std::string robustness_text(const RobustnessTable& table);
std::string curve_text(const LearningCurve& curve);
std::string recipe_text(const Recipe& recipe, const RecipeSearch& search);
Value recipe_json(const Recipe& recipe, const RecipeSearch& search);

// One dot plot for each metric of the recipe, and the curve when it has steps; written to `folder`
// as <stem>-<metric>.svg and <stem>-learning-<by>.svg.
Status plot_recipe(FileSystem& files, const std::string& folder, const RecipeTable& table);
Status plot_curve(FileSystem& files, const std::string& folder, const Recipe& recipe,
                  const LearningCurve& curve);
// The same for a shop's own table: one for each of `columns`, or the usual ones.
Status plot_evaluation(FileSystem& files, const std::string& folder, const EvaluationTable& table,
                       const std::vector<std::string>& columns);

}  // namespace vitrine

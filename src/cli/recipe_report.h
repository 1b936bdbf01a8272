// Tables of recipes for people and for programs.
#pragma once

#include <string>

#include "engine/recipe_run.h"

namespace vitrine {

std::string recipe_text(const RecipeTable& table);
std::string recipe_text(const Recipe& recipe, const RecipeSearch& search);
Value recipe_json(const Recipe& recipe, const RecipeSearch& search);

}  // namespace vitrine

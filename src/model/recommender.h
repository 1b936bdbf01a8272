// A model as eval/ wants it: a function from queries to ranked items.
#pragma once

#include <string>

#include "eval/evaluate.h"
#include "model/model.h"

namespace vitrine {

// `model` must outlive the result. Thread-safe like the model. `anonymous` withholds who asks, so
// that a model with user rows answers from the history alone.
Recommender recommender_of(std::string name, const Model& model, bool anonymous = false);

}  // namespace vitrine

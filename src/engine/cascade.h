// What the steps of a placement's cascade are worth: when a deadline is near, the models that come
// last in it are left out, and popularity is what remains (rank/pipeline.h).
#pragma once

#include <string>
#include <vector>

#include "eval/evaluate.h"

namespace vitrine {

struct CascadeStep {
  std::string name;                     // "full", "2 of 3 models", "first model", "popularity"
  std::vector<std::string> models;      // that are asked, in the cascade's order
  Evaluation evaluation;                // usage is of the lists of all cases
  double cpu_ms = 0;                    // mean CPU time of a list, milliseconds
  std::vector<Comparison> comparisons;  // of ndcg and recall with the full step; none of itself
};

struct CascadeTable {
  std::string placement, split;
  EvaluateOptions options;
  std::size_t cases = 0, train_events = 0;
  std::vector<CascadeStep> steps;  // from the full placement down to popularity
  Value to_json() const;
};

}  // namespace vitrine

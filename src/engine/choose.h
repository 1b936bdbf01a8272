// Choosing models and settings by validation, within a time budget. Each model is tuned (tune.h);
// then the models are fused greedily, best first, as long as the lists get better. Deterministic
// when the budget does not run out.
#pragma once

#include <string>
#include <vector>

#include "engine/config.h"
#include "engine/fitting.h"
#include "engine/tune.h"

namespace vitrine {

struct Choice {
  std::vector<ModelConfig> models;  // to fit, popularity first
  PlacementOptions home;            // models and weights of the lists
  std::vector<TuneTrial> trials;
  double metric = 0;  // of the lists, on validation
  bool out_of_time = false;
};

// `validation` lies inside the part that may be learned from. Models that do not fit into memory
// are left out with a note.
Result<Choice> choose_models(const Run& run, const Config& config, const Split& validation,
                             const Catalogue& catalogue, const Survey& survey);

// The choice as the lines of a vitrine.toml: what differs from the defaults.
Result<std::string> choice_toml(const Choice& choice, const TrainOptions& options);

// Whether a kind's setting differs from its default: the table of those that do.
Result<Table> settings_beyond_defaults(const ModelConfig& model);

}  // namespace vitrine

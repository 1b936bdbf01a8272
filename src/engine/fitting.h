// Fitting and measuring configured models: what training, choosing and evaluation share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/checkpoints.h"
#include "engine/config.h"
#include "engine/snapshot.h"
#include "engine/survey.h"
#include "engine/usage.h"

namespace vitrine {

// What one model was fitted from: the histories with the interactions made of them.
struct FitInput {
  FitInput(const Histories& h, const Catalogue& c, const InteractionOptions& options)
      : histories(h), merge(options), interactions(build_interactions(h, options)), catalogue(c) {}
  const Histories& histories;
  InteractionOptions merge;
  Interactions interactions;
  const Catalogue& catalogue;
};

struct FittedModel {
  NamedModel named;
  Usage usage;
};

// Errors name the model. `previous`: to start from, where the kind can; or null. `checkpoint`:
// where a long fit keeps its state, or null.
Result<FittedModel> fit_model(const Run& run, const ModelConfig& config, const FitInput& input,
                              Validator* validator = nullptr, const Model* previous = nullptr,
                              Checkpoint* checkpoint = nullptr);
// Of a training. `stage` names its checkpoints; `previous`: the snapshot whose models are started
// from, or null.
Result<std::vector<FittedModel>> fit_models(const Run& run, const std::vector<ModelConfig>& configs,
                                            const FitInput& input,
                                            const CheckpointFolder& checkpoints,
                                            std::string_view stage,
                                            const Snapshot* previous = nullptr);

// The configuration's split, or, where that needs times and the data has none, each person's last
// events.
Result<Split> held_out_split(const Run& run, const Histories& histories, const Survey& survey,
                             SplitOptions options);

// The options for measuring by `metric`: its cutoff is among the cutoffs.
EvaluateOptions measuring_options(EvaluateOptions options, std::string_view metric);

// metric -> {mean, low, high}
Table metrics_table(const Evaluation& evaluation);
Table comparison_table(const Comparison& comparison);

}  // namespace vitrine

#include "engine/fitting.h"

#include <algorithm>

namespace vitrine {

Result<FittedModel> fit_model(const Run& run, const ModelConfig& config, const FitInput& input,
                              Validator* validator, const Model* previous, Checkpoint* checkpoint) {
  VT_TRY(const ModelKind* kind, find_model(config.kind));
  const Run own{run.random.fork("fit/" + config.name), run.pool, run.monitor};
  const TrainingSet set{input.histories, input.interactions, input.catalogue, nullptr,
                        validator,       input.merge,        checkpoint};
  const SystemUsage clock;
  const Usage before = clock.now();
  auto model = kind->fit(own, config.options, set, previous);
  if (!model.ok()) {
    if (model.error().code == Code::kCancelled) return model.error();
    return model.error().prefixed("[models." + config.name + "]");
  }
  return FittedModel{{config.name, config.kind, std::move(model).value()},
                     between(before, clock.now())};
}

Result<std::vector<FittedModel>> fit_models(const Run& run, const std::vector<ModelConfig>& configs,
                                            const FitInput& input,
                                            const CheckpointFolder& checkpoints,
                                            std::string_view stage, const Snapshot* previous) {
  std::vector<FittedModel> fitted;
  for (const ModelConfig& config : configs) {
    const Model* start = previous == nullptr ? nullptr : previous->find(config.name);
    std::optional<Checkpoint> checkpoint = checkpoints.of(config.name, stage);
    VT_TRY(fitted.emplace_back(),
           fit_model(run, config, input, nullptr, start, checkpoint ? &*checkpoint : nullptr));
  }
  return fitted;
}

Result<Split> held_out_split(const Run& run, const Histories& histories, const Survey& survey,
                             SplitOptions options) {
  if (options.kind == "time" && !has_times(survey)) options.kind = "last";
  return make_split(run, histories, options);
}

EvaluateOptions measuring_options(EvaluateOptions options, std::string_view metric) {
  const std::string cutoff = std::to_string(metric_cutoff(metric));
  const auto& known = options.cutoffs;
  if (std::find(known.begin(), known.end(), cutoff) == known.end())
    options.cutoffs.push_back(cutoff);
  options.auc = false;
  options.sampled_negatives = 0;
  return options;
}

Table comparison_table(const Comparison& comparison) {
  return {{"metric", comparison.metric},
          {"baseline", comparison.baseline},
          {"difference", comparison.difference},
          {"low", comparison.low},
          {"high", comparison.high},
          {"p", comparison.p},
          {"p_adjusted", comparison.p_adjusted}};
}

Table metrics_table(const Evaluation& evaluation) {
  Table table;
  for (const MetricValue& metric : evaluation.metrics) {
    table.set(metric.name,
              Table{{"mean", metric.mean}, {"low", metric.low}, {"high", metric.high}});
  }
  return table;
}

}  // namespace vitrine

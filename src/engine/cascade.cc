#include "engine/cascade.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/dataset.h"
#include "engine/fitting.h"
#include "engine/recommenders.h"
#include "engine/sources.h"
#include "engine/state.h"
#include "eval/corrections.h"

namespace vitrine {
namespace {

// The models that training fits, for a placement, and popularity; on what is not held out.
Result<Snapshot> fitted_placement(const Run& run, const Config& config, const FitInput& input,
                                  const PlacementOptions& placement) {
  const auto among = [](const std::vector<std::string>& names, const std::string& name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<ModelConfig> wanted;
  for (const ModelConfig& model : config.models) {
    if (placement.models.empty() && !is_personal(model.kind)) continue;
    if (among(placement.models, model.name) && among(config.train.models, model.name))
      wanted.push_back(model);
  }
  if (wanted.empty()) {
    return Error{Code::kInvalid, "[placements." + placement.name +
                                     "]: none of its models is among those of [train] models"};
  }
  VT_TRY(const ModelKind* popularity, find_model("popularity"));
  VT_TRY(Table options, popularity->complete({}));
  wanted.push_back({"popularity (fallback)", "popularity", std::move(options)});
  Snapshot snapshot;
  for (const ModelConfig& model : wanted) {
    VT_TRY(FittedModel fitted, fit_model(run, model, input));
    snapshot.models.push_back(std::move(fitted.named));
  }
  return snapshot;
}

std::string step_name(std::size_t asked, std::size_t all) {
  if (asked == 0) return "popularity";
  if (asked == all) return "full";
  return asked == 1 ? "first model" : fmt::format("{} of {} models", asked, all);
}

// The first `asked` of the sources, in the cascade's order.
std::vector<Source> first_sources(const PlacementSources& all, std::size_t asked) {
  std::vector<Source> sources;
  for (std::size_t place = 0; place < asked; ++place)
    sources.push_back(all.sources[all.cascade[place]]);
  return sources;
}

// By ndcg and recall: few enough for an honest correction of p.
bool is_compared(const MetricValue& metric) {
  return metric.name.starts_with("ndcg@") || metric.name.starts_with("recall@");
}

Status compare_with_full(const Run& run, CascadeTable& table) {
  const Evaluation& full = table.steps.front().evaluation;
  std::vector<Comparison*> all;
  for (std::size_t s = 1; s < table.steps.size(); ++s) {
    CascadeStep& step = table.steps[s];
    for (const MetricValue& metric : full.metrics) {
      if (!is_compared(metric)) continue;
      VT_TRY(Comparison comparison,
             compare(run, step.evaluation, full, metric.name, table.options));
      step.comparisons.push_back(std::move(comparison));
    }
    for (Comparison& comparison : step.comparisons) all.push_back(&comparison);
  }
  return adjust(all, table.options.correction);
}

Table step_table(const CascadeStep& step) {
  List comparisons;
  for (const Comparison& c : step.comparisons) comparisons.push_back(comparison_table(c));
  return {{"name", step.name},
          {"models", List(step.models.begin(), step.models.end())},
          {"metrics", metrics_table(step.evaluation)},
          {"cpu_ms", step.cpu_ms},
          {"vs_full", std::move(comparisons)}};
}

}  // namespace

Result<CascadeTable> Engine::evaluate_cascade(const Run& run, const SplitOptions& split_options,
                                              const EvaluateOptions& options,
                                              std::string_view placement_name) const {
  const Config& config = state_->config;
  VT_TRY(const PlacementOptions* placement, config.placement(placement_name));
  VT_TRY(const auto log, state_->log_to_read());
  VT_TRY(KnownIds known, state_->known_ids());
  VT_TRY(const Dataset data,
         build_dataset(run, *log, state_->types, config, kWholeLog, std::move(known)));
  VT_TRY(const Split split, make_split(run, data.histories, split_options));
  const auto counts = item_counts(split.train());
  const FitInput input(split.train(), data.catalogue, config.interactions);
  VT_TRY(const Snapshot snapshot, fitted_placement(run, config, input, *placement));
  const PlacementSources sources = placement_sources(snapshot, *placement);
  CascadeTable table;
  table.placement = placement_name;
  table.split = split.description();
  table.options = options;
  table.train_events = split.train().size();
  const std::size_t all = sources.sources.size();
  for (std::size_t asked = all + 1; asked-- > 0;) {
    CascadeStep step;
    step.name = step_name(asked, all);
    const std::vector<Source> first = first_sources(sources, asked);
    for (const Source& source : first) step.models.emplace_back(source.name);
    VT_TRY(step.evaluation,
           vitrine::evaluate(
               run, pipeline_recommender(step.name, first, config.pipeline, sources.fallback),
               split, counts, options));
    table.cases = step.evaluation.cases;
    if (table.cases > 0)
      step.cpu_ms = 1000 * step.evaluation.usage.cpu_s / static_cast<double>(table.cases);
    table.steps.push_back(std::move(step));
  }
  VT_TRY(compare_with_full(run, table));
  return table;
}

Value CascadeTable::to_json() const {
  List rows;
  for (const CascadeStep& step : steps) rows.push_back(step_table(step));
  return Table{{"placement", placement},
               {"split", split},
               {"options", write_options(options)},
               {"cases", cases},
               {"train_events", train_events},
               {"steps", std::move(rows)}};
}

}  // namespace vitrine

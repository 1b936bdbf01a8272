// `vitrine evaluate`: models and baselines over one split, side by side.
#include <algorithm>

#include "base/json.h"
#include "engine/fitting.h"
#include "engine/trainer.h"
#include "eval/corrections.h"
#include "eval/trec.h"
#include "model/recommender.h"

namespace vitrine {
namespace {

constexpr std::string_view kBaseline = "popularity", kWeekly = "popularity_7d";

Table usage_table(const Usage& usage) {
  return {{"elapsed_s", usage.elapsed_s},
          {"cpu_s", usage.cpu_s},
          {"memory_peak_bytes", usage.memory_peak_bytes}};
}

Table row_table(const EvaluatedModel& model) {
  List comparisons;
  for (const Comparison& c : model.comparisons) comparisons.push_back(comparison_table(c));
  return {{"name", model.name},
          {"cases", model.evaluation.cases},
          {"skipped", model.evaluation.skipped},
          {"metrics", metrics_table(model.evaluation)},
          {"fit", usage_table(model.fit)},
          {"scoring", usage_table(model.evaluation.usage)},
          {"comparisons", std::move(comparisons)}};
}

// The wanted models with the two baselines in front. A configured model that is the baseline is not
// measured twice.
Result<std::vector<ModelConfig>> lineup(const Config& config,
                                        const std::vector<std::string>& names) {
  VT_TRY(const ModelKind* popularity, find_model("popularity"));
  VT_TRY(Table all, popularity->complete({}));
  VT_TRY(Table week, popularity->complete(Table{{"window_days", 7.0}}));
  std::vector<ModelConfig> models{{std::string(kBaseline), "popularity", std::move(all)},
                                  {std::string(kWeekly), "popularity", std::move(week)}};
  std::vector<ModelConfig> wanted;
  if (names.empty()) wanted = config.models;
  for (const std::string& name : names) {
    if (name == kBaseline || name == kWeekly) continue;
    VT_TRY(const ModelConfig* model, config.model(name));
    wanted.push_back(*model);
  }
  for (ModelConfig& model : wanted) {
    const auto same = [&](const ModelConfig& m) {
      return m.name == model.name && m.kind == model.kind && m.options == model.options;
    };
    if (std::any_of(models.begin(), models.end(), same)) continue;
    for (ModelConfig& known : models) {
      if (known.name == model.name) known.name += "_baseline";
    }
    models.push_back(std::move(model));
  }
  return models;
}

// Names for dumps: the user's id, or the number of the case for an anonymous session.
struct DumpNames {
  const Split& split;
  const Vocabulary& vocabulary;
  std::string of_case(std::size_t i) const {
    const auto user = split[i].user;
    return user ? std::string(vocabulary.id(*user)) : "session-" + std::to_string(i);
  }
  std::string of_item(ItemIndex item) const { return std::string(vocabulary.id(item)); }
};

// <split>.qrels and <model>.run; metrics.json follows when all models are done (tests/ranx reads
// them).
Status dump(FileSystem& files, const std::string& folder, const std::string& split,
            const std::string& model, const EvaluatedLists& lists, const DumpNames& names) {
  const auto case_name = [&](std::size_t i) { return names.of_case(i); };
  const auto item_name = [&](ItemIndex item) { return names.of_item(item); };
  VT_TRY(files.make_folder(folder));
  VT_TRY(write_qrels(files, folder + "/" + split + ".qrels", lists, case_name, item_name));
  return write_run(files, folder + "/" + model + ".run", lists, case_name, item_name, model);
}

// The metric that is compared: the one that training goes by, at a cutoff that was measured.
std::string main_metric(const std::string& configured, const EvaluateOptions& options) {
  const std::string cutoff = std::to_string(metric_cutoff(configured));
  const auto& known = options.cutoffs;
  if (known.empty() || std::find(known.begin(), known.end(), cutoff) != known.end())
    return configured;
  return configured.substr(0, configured.find('@') + 1) + known.back();
}

}  // namespace

Value EvaluationTable::to_json() const {
  List rows;
  for (const EvaluatedModel& model : models) rows.push_back(row_table(model));
  return Table{{"split", split},
               {"options", write_options(options)},
               {"cases", cases},
               {"train_events", train_events},
               {"models", std::move(rows)}};
}

Result<EvaluationTable> evaluate_models(const Run& run, const Config& config, const Dataset& data,
                                        FileSystem& files, const SplitOptions& split_options,
                                        const EvaluateOptions& options,
                                        const std::vector<std::string>& models,
                                        const std::string& dump_folder) {
  VT_TRY(const auto configs, lineup(config, models));
  VT_TRY(const Split split, make_split(run, data.histories, split_options));
  const auto counts = item_counts(split.train());
  const FitInput input(split.train(), data.catalogue, config.interactions);
  EvaluationTable table;
  table.split = split.description();
  table.options = options;
  table.train_events = split.train().size();
  for (const ModelConfig& model : configs) {
    VT_TRY(const FittedModel fitted, fit_model(run, model, input));
    EvaluatedLists lists;
    VT_TRY(Evaluation evaluation,
           evaluate(run, recommender_of(model.name, *fitted.named.model), split, counts, options,
                    dump_folder.empty() ? nullptr : &lists));
    if (!dump_folder.empty()) {
      VT_TRY(dump(files, dump_folder, split_options.kind, model.name, lists,
                  {split, data.vocabulary}));
    }
    table.cases = evaluation.cases;
    table.models.push_back({model.name, std::move(evaluation), fitted.usage, {}});
  }
  const std::string metric = main_metric(config.train.metric, options);
  const Evaluation& baseline = table.models.front().evaluation;
  for (std::size_t i = 1; i < table.models.size(); ++i) {
    EvaluatedModel& model = table.models[i];
    if (model.evaluation.find(metric) == nullptr) continue;
    VT_TRY(Comparison comparison, compare(run, model.evaluation, baseline, metric, options));
    model.comparisons.push_back(std::move(comparison));
  }
  std::vector<Comparison*> compared;
  for (EvaluatedModel& model : table.models) {
    for (Comparison& comparison : model.comparisons) compared.push_back(&comparison);
  }
  VT_TRY(adjust(compared, options.correction));
  if (!dump_folder.empty()) {
    VT_TRY(write_file_atomically(files, dump_folder + "/metrics.json",
                                 to_json_pretty(table.to_json()) + "\n"));
  }
  return table;
}

}  // namespace vitrine

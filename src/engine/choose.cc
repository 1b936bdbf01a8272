#include "engine/choose.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/toml.h"
#include "engine/recommenders.h"
#include "engine/sources.h"
#include "model/recommender.h"

namespace vitrine {
namespace {

// Settings that are worth trying, in this order; each value against the best so far.
struct Setting {
  std::string_view kind, key;
  std::vector<Value> values;
  bool needs_times = false;
};

std::vector<Setting> settings_to_try() {
  return {
      {"popularity", "window_days", {7.0, 14.0, 30.0, 90.0}, true},
      {"item_knn", "window", {0, 100}},
      {"item_knn", "distance_decay", {1.0, 0.95}},
      {"item_knn", "backward", {1.0}},
      {"item_knn", "target_exponent", {0.3, 0.7}},
      {"item_knn", "similarity", {"bm25", "jaccard"}},
      {"item_knn", "history_decay", {0.99, 0.95, 0.8}, true},
      {"item_knn", "half_life_days", {90.0, 365.0}, true},
      {"item_knn", "person_exponent", {0.0, 1.0}},
      {"item_knn", "shrinkage", {10.0}},
      {"ease", "lambda", {100.0, 1000.0, 3000.0}},
  };
}

constexpr float kFusionWeights[] = {1.0F, 0.5F, 0.25F, 2.0F};

struct Best {
  ModelConfig config;
  FittedModel fitted;
  double metric = 0;
};

class Chooser {
 public:
  Chooser(const Run& run, const Config& config, const Split& validation, const Catalogue& catalogue,
          const Survey& survey)
      : run_(run),
        config_(config),
        validation_(validation),
        survey_(survey),
        input_(validation.train(), catalogue, config.interactions),
        counts_(item_counts(validation.train())),
        options_(measuring_options(config.evaluate, config.train.metric)) {
    options_.cutoffs = {std::to_string(metric_cutoff(config.train.metric))};
    options_.bootstrap = 0;
  }

  Result<Choice> choose() {
    for (const ModelConfig& model : config_.models) {
      if (model.kind == "together") {
        if (has_baskets(survey_)) choice_.models.push_back(model);
        continue;
      }
      VT_TRY(tune(model));
    }
    std::stable_sort(best_.begin(), best_.end(),
                     [](const Best& a, const Best& b) { return a.metric > b.metric; });
    VT_TRY(fuse());
    collect();
    return std::move(choice_);
  }

 private:
  bool time_left() {
    const bool left = clock_.now().elapsed_s < config_.train.budget_seconds;
    if (!left) choice_.out_of_time = true;
    return left;
  }

  Result<double> measure(const Recommender& recommender) {
    VT_TRY(const Evaluation evaluation,
           evaluate(run_, recommender, validation_, counts_, options_));
    const MetricValue* metric = evaluation.find(config_.train.metric);
    if (metric == nullptr) {
      return Error{Code::kInvalid,
                   "[train] metric: there is no metric '" + config_.train.metric + "'"};
    }
    return metric->mean;
  }

  // Fits and measures; nothing when the model does not fit into memory.
  Result<std::optional<Best>> attempt(const ModelConfig& config, const std::string& settings) {
    auto fitted = fit_model(run_, config, input_);
    if (!fitted.ok()) {
      if (fitted.error().code != Code::kExhausted) return fitted.error();
      run_.monitor.note(fitted.error().message + "; left out");
      return std::optional<Best>();
    }
    VT_TRY(const double metric, measure(recommender_of(config.name, *fitted->named.model)));
    choice_.trials.push_back({config.name, settings, metric});
    run_.monitor.note(
        fmt::format("{} {}: {} {:.4f}", config.name, settings, config_.train.metric, metric));
    return std::optional(Best{config, std::move(fitted).value(), metric});
  }

  Status tune(const ModelConfig& model) {
    VT_TRY(auto best, attempt(model, "as configured"));
    if (!best) return {};
    for (const Setting& setting : settings_to_try()) {
      if (setting.kind != model.kind || (setting.needs_times && !has_times(survey_))) continue;
      for (const Value& value : setting.values) {
        const Value* now = best->config.options.find(setting.key);
        if ((now != nullptr && *now == value) || !time_left()) continue;
        ModelConfig changed = best->config;
        changed.options.set(setting.key, value);
        VT_TRY(auto tried, attempt(changed, describe(setting.key, value)));
        if (tried && tried->metric > best->metric) best = std::move(tried);
      }
    }
    best_.push_back(std::move(*best));
    return {};
  }

  static std::string describe(std::string_view key, const Value& value) {
    std::string text = to_toml(Table{{std::string(key), value}});
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }

  // Best first; one more joins when the lists get better. Popularity may join too: what sells this
  // week matters in a shop with seasons.
  Status fuse() {
    choice_.home.name = "home";
    std::vector<Source> sources;
    const Model* fallback = nullptr;
    for (const Best& best : best_) {
      if (fallback == nullptr && best.config.kind == "popularity") {
        fallback = best.fitted.named.model.get();
      }
    }
    for (const Best& best : best_) {
      std::optional<Source> joins;
      for (const float weight : kFusionWeights) {
        const bool first = sources.empty();
        if (!first && !time_left()) break;
        std::vector<Source> with = sources;
        with.push_back({best.fitted.named.name, best.fitted.named.model.get(), weight});
        VT_TRY(const double metric,
               measure(pipeline_recommender("fusion", with, config_.pipeline, fallback)));
        if (first || metric > choice_.metric) {
          choice_.metric = metric;
          joins = with.back();
        }
        if (first) break;
      }
      if (joins) sources.push_back(*joins);
    }
    for (const Source& source : sources) {
      choice_.home.models.emplace_back(source.name);
      if (source.weight != 1) {
        choice_.home.weights.push_back(fmt::format("{}={:g}", source.name, source.weight));
      }
    }
    return {};
  }

  bool named_by_placement(const std::string& model) const {
    for (const PlacementOptions& placement : config_.placements) {
      const auto& names = placement.models;
      if (std::find(names.begin(), names.end(), model) != names.end()) return true;
    }
    return false;
  }

  // What the lists use or a placement names, popularity, and together.
  void collect() {
    std::vector<ModelConfig> models;
    const auto& used = choice_.home.models;
    for (const ModelConfig& model : config_.models) {  // in the configured order
      for (const Best& best : best_) {
        const bool wanted = !is_personal(best.config.kind) || named_by_placement(model.name) ||
                            std::find(used.begin(), used.end(), best.config.name) != used.end();
        if (best.config.name == model.name && wanted) models.push_back(best.config);
      }
    }
    models.insert(models.end(), choice_.models.begin(), choice_.models.end());
    choice_.models = std::move(models);
  }

  const Run& run_;
  const Config& config_;
  const Split& validation_;
  const Survey& survey_;
  const FitInput input_;
  const std::vector<std::uint32_t> counts_;
  EvaluateOptions options_;
  const SystemUsage clock_;
  std::vector<Best> best_;
  Choice choice_;
};

}  // namespace

Result<Choice> choose_models(const Run& run, const Config& config, const Split& validation,
                             const Catalogue& catalogue, const Survey& survey) {
  return Chooser(run, config, validation, catalogue, survey).choose();
}

Result<Table> settings_beyond_defaults(const ModelConfig& model) {
  VT_TRY(const ModelKind* kind, find_model(model.kind));
  VT_TRY(const Table defaults, kind->complete({}));
  Table out;
  for (const auto& [key, value] : model.options) {
    const Value* usual = defaults.find(key);
    if (usual == nullptr || !(*usual == value)) out.set(key, value);
  }
  return out;
}

Result<std::string> choice_toml(const Choice& choice, const TrainOptions& options) {
  List names, home_models, home_weights;
  Table models;
  for (const ModelConfig& model : choice.models) {
    names.push_back(model.name);
    VT_TRY(const Table settings, settings_beyond_defaults(model));
    Table section;
    if (model.kind != model.name) section.set("kind", model.kind);
    for (const auto& [key, value] : settings) section.set(key, value);
    models.set(model.name, std::move(section));
  }
  for (const std::string& name : choice.home.models) home_models.push_back(name);
  for (const std::string& weight : choice.home.weights) home_weights.push_back(weight);
  Table home{{"models", std::move(home_models)}};
  if (!home_weights.empty()) home.set("weights", std::move(home_weights));
  const Table table{{"train", Table{{"models", std::move(names)}, {"metric", options.metric}}},
                    {"models", std::move(models)},
                    {"placements", Table{{"home", std::move(home)}}}};
  return fmt::format("# Chosen by validation: {} {:.4f}.\n", options.metric, choice.metric) +
         to_toml(table);
}

}  // namespace vitrine

#include "engine/choose.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/toml.h"
#include "engine/recommenders.h"
#include "engine/similar.h"
#include "engine/sources.h"
#include "engine/tune.h"
#include "model/recommender.h"

namespace vitrine {
namespace {

// Of the budget: the rest is for fusing.
constexpr double kTuningShare = 0.8;
constexpr int kTrialsMax = 24;  // of a model

constexpr float kFusionWeights[] = {1.0F, 0.5F, 0.25F, 2.0F};

class Chooser {
 public:
  Chooser(const Run& run, const Config& config, const Split& validation, const Catalogue& catalogue,
          const Survey& survey)
      : run_(run),
        config_(config),
        validation_(validation),
        catalogue_(catalogue),
        survey_(survey),
        counts_(item_counts(validation.train())),
        options_(measuring_options(config.evaluate, config.train.metric)) {
    options_.cutoffs = {std::to_string(metric_cutoff(config.train.metric))};
    options_.bootstrap = 0;
  }

  Result<Choice> choose() {
    std::size_t left = config_.models.size();
    for (const ModelConfig& model : config_.models) {
      if (model.kind == "together") {
        if (has_baskets(survey_)) choice_.models.push_back(model);
        --left;
        continue;
      }
      // What is left is shared by the models that are left.
      const double spent = clock_.now().elapsed_s;
      const double all = kTuningShare * config_.train.budget_seconds;
      VT_TRY(tune(model, std::max(1e-3, (all - spent) / static_cast<double>(left--))));
    }
    if (best_.empty()) return Error{Code::kInvalid, "no model could be fitted to choose from"};
    std::stable_sort(best_.begin(), best_.end(),
                     [](const Tuned& a, const Tuned& b) { return a.value > b.value; });
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

  // A model more than once as configured, and as often again as it has settings to search.
  Status tune(const ModelConfig& model, double seconds) {
    TuneOptions options;
    VT_TRY(const std::vector<TuneTask> tasks, tune_tasks({model}, options, has_times(survey_)));
    const std::size_t searched = tasks.front().space.dimensions.size();
    options.trials = std::min(kTrialsMax, 4 + 2 * static_cast<int>(searched));
    options.seconds = seconds;
    const TuneGround data{validation_, catalogue_,           config_.interactions,
                          options_,    config_.train.metric, config_.shop.seed};
    TuneLog log;
    auto report = tune_models(run_, tasks, data, options, log);
    if (!report.ok()) {
      const Code code = report.error().code;  // too large, or cannot be fitted as it is
      if (code != Code::kExhausted && code != Code::kInvalid) return report.error();
      run_.monitor.note(report.error().message + "; left out");
      return {};
    }
    if (report->interrupted) return Error{Code::kCancelled, "cancelled"};
    choice_.out_of_time |= report->out_of_time;
    for (TuneTrial& trial : report->trials) choice_.trials.push_back(std::move(trial));
    best_.push_back(std::move(report->models.front()));
    return {};
  }

  // Best first; one more joins when the lists get better. Popularity may join too: what sells this
  // week matters in a shop with seasons.
  Status fuse() {
    choice_.home.name = "home";
    std::vector<Source> sources;
    const Model* fallback = nullptr;
    for (const Tuned& best : best_) {
      if (fallback == nullptr && best.config.kind == "popularity") {
        fallback = best.fitted->named.model.get();
      }
    }
    for (const Tuned& best : best_) {
      std::optional<Source> joins;
      for (const float weight : kFusionWeights) {
        const bool first = sources.empty();
        if (!first && !time_left()) break;
        std::vector<Source> with = sources;
        with.push_back({best.fitted->named.name, best.fitted->named.model.get(), weight});
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

  // The one that answers for what is similar in this way, where it was tuned.
  std::string similar_by(const SimilarWay& way) const {
    for (const std::string_view kind : way.kinds) {
      for (const Tuned& best : best_) {
        if (best.config.kind == kind) return best.config.name;
      }
    }
    return {};
  }

  // What the lists use or a placement names, what knows a way of being similar, popularity, and
  // together.
  void collect() {
    std::vector<std::string> used = choice_.home.models;
    for (const SimilarWay& way : similar_ways()) {
      const auto serves = [&](const Tuned& best) {
        return std::find(used.begin(), used.end(), best.config.name) != used.end() &&
               std::find(way.kinds.begin(), way.kinds.end(), best.config.kind) != way.kinds.end();
      };
      if (std::none_of(best_.begin(), best_.end(), serves)) used.push_back(similar_by(way));
    }
    std::vector<ModelConfig> models;
    for (const ModelConfig& model : config_.models) {  // in the configured order
      for (const Tuned& best : best_) {
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
  const Catalogue& catalogue_;
  const Survey& survey_;
  const std::vector<std::uint32_t> counts_;
  EvaluateOptions options_;
  const SystemUsage clock_;
  std::vector<Tuned> best_;
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

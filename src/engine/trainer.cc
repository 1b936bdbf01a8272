#include "engine/trainer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/kernels.h"
#include "engine/choose.h"
#include "engine/fitting.h"
#include "engine/gate.h"
#include "engine/recommenders.h"
#include "engine/sources.h"
#include "model/recommender.h"

namespace vitrine {
namespace {

constexpr std::string_view kLists = "home";  // the row of the pipeline among the metrics

// What a snapshot depends on: neither machine nor network.
Table training_part(const Config& config) {
  Table table = config_to_table(config);
  for (const std::string_view section : {"server", "log", "sources"}) table.erase(section);
  Table* shop = table.find("shop")->as_table();
  shop->erase("folder");
  shop->erase("threads");
  return table;
}

Measured measured(const MetricValue& metric) { return {metric.mean, metric.low, metric.high}; }

// Whether the champion has seen none of the events that the cases ask about.
bool unseen(const Manifest& champion, const Split& split) {
  if (champion.last_event == kNoTime) return false;
  for (std::size_t i = 0; i < split.cases(); ++i) {
    if (split[i].now == kNoTime || split[i].now <= champion.last_event) return false;
  }
  return split.cases() > 0;
}

class Trainer {
 public:
  Trainer(const Run& run, Config config, Dataset data, const Snapshot* champion,
          const TrainRequest& request, const CheckpointFolder& checkpoints)
      : run_(run),
        served_(config),
        config_(std::move(config)),
        data_(std::move(data)),
        champion_(champion),
        request_(request),
        checkpoints_(checkpoints),
        survey_(survey(data_.histories)) {}

  Result<Trained> train() {
    trained_.report.cleaning = data_.cleaning;
    trained_.report.data_says = survey_text(survey_);
    if (data_.histories.size() == 0) {
      return Error{Code::kInvalid, "there are no events to learn from (" +
                                       std::to_string(data_.cleaning.rows_in) +
                                       " before cleaning); `vitrine import` brings some in"};
    }
    VT_TRY(select_models());
    if (request_.validate) VT_TRY(measure());
    gate_.volume = day_volume(data_.histories);
    VT_TRY(fit_everything());
    if (champion_ != nullptr) {
      VT_TRY(gate_.drift,
             list_drift(run_, *champion_, served_, *snapshot_, config_, data_.histories));
    }
    judge();
    return std::move(trained_);
  }

 private:
  Status select_models() {
    if (!config_.train.models.empty()) {
      std::vector<ModelConfig> named;
      for (const std::string& name : config_.train.models) {
        VT_TRY(const ModelConfig* model, config_.model(name));
        named.push_back(*model);
      }
      config_.models = std::move(named);
    } else if (auto choice = choose(); choice.ok()) {
      VT_TRY(trained_.report.chosen_toml, choice_toml(*choice, config_.train));
      apply(*choice);
    } else if (choice.error().code == Code::kInvalid) {
      // Too little data to hold anything out: everything that is configured, as it is.
      trained_.report.data_says += choice.error().message + ": models are taken as configured.\n";
    } else {
      return choice.error();
    }
    return add_fallback();
  }

  Result<Choice> choose() {
    VT_TRY(const Split outer, held_out_split(run_, data_.histories, survey_, config_.split));
    SplitOptions options = config_.split;
    if (options.kind == "time" && !has_times(survey_)) options.kind = "last";
    VT_TRY(const Split inner, validation_split(run_, outer, options));
    return choose_models(run_, config_, inner, data_.catalogue, survey_);
  }

  void apply(const Choice& choice) {
    config_.models = choice.models;
    for (PlacementOptions& placement : config_.placements) {
      if (placement.name != choice.home.name || !placement.models.empty()) continue;
      placement.models = choice.home.models;
      placement.weights = choice.home.weights;
    }
    if (choice.out_of_time) {
      run_.monitor.note("train.budget_seconds ran out: not every setting was tried");
    }
  }

  // Visitors that nothing is known about are shown what is popular.
  Status add_fallback() {
    const auto popularity = [](const ModelConfig& m) { return m.kind == "popularity"; };
    const auto& models = config_.models;
    if (std::any_of(models.begin(), models.end(), popularity)) return {};
    const auto taken = [](const ModelConfig& m) { return m.name == "popularity"; };
    const bool free = std::none_of(models.begin(), models.end(), taken);
    VT_TRY(const ModelKind* kind, find_model("popularity"));
    VT_TRY(Table options, kind->complete({}));
    config_.models.push_back(
        {free ? "popularity" : "popularity-all", "popularity", std::move(options)});
    return {};
  }

  // On events held out of fitting: every model, and the lists of the placement "home".
  Status measure() {
    auto split = held_out_split(run_, data_.histories, survey_, config_.split);
    if (!split.ok()) {
      if (split.error().code != Code::kInvalid) return split.error();
      trained_.report.data_says +=
          "Nothing could be held out to measure on: " + split.error().message + "\n";
      return {};
    }
    const EvaluateOptions options = measuring_options(config_.evaluate, config_.train.metric);
    const auto counts = item_counts(split->train());
    const FitInput input(split->train(), data_.catalogue, config_.interactions);
    Snapshot fitted;
    VT_TRY(auto models, fit_models(run_, config_.models, input, checkpoints_, "validation"));
    for (FittedModel& model : models) {
      VT_TRY(const Evaluation evaluation,
             evaluate(run_, recommender_of(model.named.name, *model.named.model), *split, counts,
                      options));
      metrics_.set(model.named.name, metrics_table(evaluation));
      fitted.models.push_back(std::move(model.named));
    }
    VT_TRY(const Evaluation lists, measure_lists(fitted, config_, *split, counts, options));
    metrics_.set(kLists, metrics_table(lists));
    const MetricValue* metric = lists.find(config_.train.metric);
    if (metric == nullptr) {
      return Error{Code::kInvalid,
                   "[train] metric: there is no metric '" + config_.train.metric + "'"};
    }
    if (lists.cases > 0) gate_.metric = measured(*metric);
    const auto cutoff = std::to_string(metric_cutoff(config_.train.metric));
    const MetricValue* coverage = lists.find("coverage@" + cutoff);
    if (coverage != nullptr && lists.cases > 0) gate_.coverage = coverage->mean;
    return measure_champion(*split, counts, options);
  }

  Result<Evaluation> measure_lists(const Snapshot& snapshot, const Config& config,
                                   const Split& split, std::span<const std::uint32_t> counts,
                                   const EvaluateOptions& options) {
    VT_TRY(const PlacementOptions* home, config.placement(kLists));
    const PlacementSources sources = placement_sources(snapshot, *home);
    return evaluate(run_,
                    pipeline_recommender(std::string(kLists), sources.sources, config_.pipeline,
                                         sources.fallback),
                    split, counts, options);
  }

  Status measure_champion(const Split& split, std::span<const std::uint32_t> counts,
                          const EvaluateOptions& options) {
    if (champion_ == nullptr) return {};
    gate_.champion_metric = recorded_metric(champion_->manifest, config_.train.metric);
    if (!unseen(champion_->manifest, split)) return {};
    VT_TRY(const Evaluation lists, measure_lists(*champion_, served_, split, counts, options));
    const MetricValue* metric = lists.find(config_.train.metric);
    if (metric == nullptr || lists.cases == 0) return {};
    gate_.champion_metric = measured(*metric);
    gate_.same_events = true;
    return {};
  }

  Status fit_everything() {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->catalogue = std::make_shared<const Catalogue>(std::move(data_.catalogue));
    const FitInput input(data_.histories, *snapshot->catalogue, config_.interactions);
    VT_TRY(auto models, fit_models(run_, config_.models, input, checkpoints_, "final",
                                   config_.train.warm_start ? champion_ : nullptr));
    Manifest& manifest = snapshot->manifest;
    manifest.sequence = data_.sequence;
    manifest.users = data_.vocabulary.users.size();
    manifest.items = data_.vocabulary.items.size();
    manifest.seed = config_.shop.seed;
    manifest.threads = run_.pool.threads();
    manifest.kernels = kernels().name;
    manifest.last_event = data_.histories.last_time();
    manifest.events = data_.histories.size();
    manifest.items_fingerprint = items_fingerprint(data_.vocabulary, manifest.items);
    manifest.config = training_part(config_);
    manifest.metrics = metrics_;
    for (FittedModel& model : models) {
      manifest.models.emplace_back(model.named.name, model.named.kind);
      trained_.report.fits.emplace_back(model.named.name, model.usage);
      snapshot->models.push_back(std::move(model.named));
    }
    snapshot_ = std::move(snapshot);
    return {};
  }

  void judge() {
    gate_.events = data_.histories.size();
    gate_.events_dropped = data_.events_dropped;
    gate_.champion = champion_ == nullptr ? nullptr : &champion_->manifest;
    const GateVerdict verdict = check_gate(gate_, config_.train);
    Publication& publication = snapshot_->manifest.publication;
    publication.passed = verdict.passes || request_.force;
    publication.champion = champion_ == nullptr ? "" : champion_->manifest.name;
    publication.verdict = verdict.text();
    publication.checks = verdict.checks;
    if (request_.force) {
      publication.reason = request_.reason.empty() ? "no reason given" : request_.reason;
      if (!verdict.passes) publication.verdict += "; forced: " + publication.reason;
    }
    trained_.report.verdict = publication.verdict;
    trained_.report.manifest = snapshot_->manifest;
    trained_.snapshot = std::move(snapshot_);
  }

  const Run& run_;
  const Config served_;  // by which the champion answers: without what is chosen here
  Config config_;
  Dataset data_;
  const Snapshot* champion_;
  const TrainRequest& request_;
  const CheckpointFolder& checkpoints_;
  const Survey survey_;
  Table metrics_;
  GateInput gate_;
  std::shared_ptr<Snapshot> snapshot_;
  Trained trained_;
};

}  // namespace

Result<Trained> train_snapshot(const Run& run, const Config& config, Dataset data,
                               const Snapshot* champion, const TrainRequest& request,
                               const CheckpointFolder& checkpoints) {
  return Trainer(run, config, std::move(data), champion, request, checkpoints).train();
}

}  // namespace vitrine

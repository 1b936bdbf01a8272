#include "engine/tune.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/toml.h"
#include "engine/choose.h"
#include "engine/recipe_splits.h"
#include "eval/metrics.h"
#include "model/recommender.h"
#include "model/validator.h"

namespace vitrine {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();
constexpr int kHalvingFactor = 3;
constexpr int kBracketSettings[] = {9, 5, 3};  // Hyperband for three rungs and a factor of three
constexpr std::string_view kEpochs = "epochs";
constexpr int kPatience = 3;  // epochs that may bring nothing

// Histories in which only a share of the persons have any events.
Histories some_persons(const Histories& all, double share, const Random& random) {
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  for (std::size_t r = 0; r < all.rows(); ++r) {
    if (random.uniform(r) < share) {
      const auto row = all.row(r);
      events.insert(events.end(), row.begin(), row.end());
    }
    offsets.push_back(events.size());
  }
  return {std::move(offsets), std::move(events), all.users(), all.items()};
}

// How many epochs the best of several measurements stands for.
int epochs_of(const Table& options, int measurement) {
  const Value* every = options.find("measure_every");
  const Value* most = options.find(kEpochs);
  const double epochs = measurement * (every == nullptr ? 1 : every->number(1));
  return static_cast<int>(std::min(epochs, most->number(epochs)));
}

// Fits and measures.
class Measuring {
 public:
  Measuring(const Run& run, const TuneGround& data)
      : run_(run), data_(data), counts_(item_counts(data.validation.train())), how_(data.evaluate) {
    how_.cutoffs = {std::to_string(metric_cutoff(data.metric))};
    how_.bootstrap = 0;
    how_.auc = false;
    how_.sampled_negatives = 0;
  }

  struct Outcome {
    double value = 0;
    int epochs = 0;  // 0: it does not learn in epochs
    FittedModel fitted;
  };
  Result<Outcome> measure(const ModelConfig& config, double share) {
    std::optional<SplitValidator> validator;
    if (config.options.find(kEpochs) != nullptr) {
      VT_TRY(validator, SplitValidator::create(data_.validation, counts_,
                                               {data_.metric, how_.repeat, how_.seen, kPatience}));
    }
    Outcome outcome;
    VT_TRY(outcome.fitted, fit_model(run_, config, part(share), validator ? &*validator : nullptr));
    if (validator && validator->best_measurement() > 0) {
      outcome.value = validator->best();
      outcome.epochs = epochs_of(config.options, validator->best_measurement());
      return outcome;
    }
    VT_TRY(const Evaluation evaluation,
           evaluate(run_, recommender_of(config.name, *outcome.fitted.named.model),
                    data_.validation, counts_, how_));
    const MetricValue* metric = evaluation.find(data_.metric);
    if (metric == nullptr) {
      return Error{Code::kInvalid, "there is no metric '" + data_.metric + "'"};
    }
    outcome.value = metric->mean;
    return outcome;
  }

 private:
  struct Part {
    double share;
    Histories histories;
    FitInput input;
    Part(double s, Histories h, const TuneGround& data)
        : share(s), histories(std::move(h)), input(histories, data.catalogue, data.interactions) {}
  };
  const FitInput& part(double share) {
    for (const auto& known : parts_) {
      if (known->share == share) return known->input;
    }
    const Histories& all = data_.validation.train();
    parts_.push_back(std::make_unique<Part>(
        share, share < 1 ? some_persons(all, share, run_.random.fork("tune/persons")) : all,
        data_));
    return parts_.back()->input;
  }

  const Run& run_;
  const TuneGround& data_;
  const std::vector<std::uint32_t> counts_;
  EvaluateOptions how_;
  std::vector<std::unique_ptr<Part>> parts_;
};

// What the tuning of all models shares.
struct Search {
  const Run& run;
  const TuneGround& data;
  const TuneOptions& options;
  TuneLog& log;
  TuneReport& report;
  Measuring measuring{run, data};
  SystemUsage clock = {};
};

class ModelTuner {
 public:
  // `deadline`: seconds of the clock; 0: none.
  ModelTuner(Search& search, const ModelConfig& base, SearchSpace space, double deadline)
      : search_(search),
        base_(base),
        space_(std::move(space)),
        deadline_(deadline),
        random_(search.run.random.fork("tune/" + base.name)),
        stage_(search.run.monitor, "tune " + base.name,
               static_cast<std::uint64_t>(search.options.trials), "trials"),
        ground_(ground_of(search.data, base)) {}

  Status tune() {
    VT_TRY(attempt(0, as_configured(), 1));
    if (best_) best_->configured = best_->value;
    if (!space_.dimensions.empty()) {
      VT_TRY(search_.options.method == "halving" ? brackets() : one_by_one());
    }
    if (!best_) return last_error_;
    return {};
  }
  std::optional<Tuned> take() { return std::move(best_); }

 private:
  Table as_configured() const {
    Table settings;
    for (const Dimension& dimension : space_.dimensions) {
      const Value* value = base_.options.find(dimension.key);
      if (value != nullptr) settings.set(dimension.key, *value);
    }
    return settings;
  }

  bool time_left() {
    const bool left = deadline_ <= 0 || search_.clock.now().elapsed_s < deadline_;
    if (!left) search_.report.out_of_time = true;
    return left;
  }

  std::optional<Table> next(int number, std::span<const Tried> besides = {}) const {
    std::vector<Tried> tried = whole_;
    tried.insert(tried.end(), besides.begin(), besides.end());
    const Proposal how = search_.options.method == "random" ? Proposal::kRandom : Proposal::kTpe;
    return propose(how, space_, random_, static_cast<std::uint64_t>(number), tried);
  }

  Status one_by_one() {
    for (int number = 1; number < search_.options.trials && time_left(); ++number) {
      const auto settings = next(number);
      if (!settings) break;
      VT_TRY(attempt(number, *settings, 1));
    }
    return {};
  }

  // Settings of one rung of a bracket.
  struct Running {
    int number;
    Table settings;
    double value;
  };
  Status brackets() {
    int number = 1;
    for (std::size_t b = 0; number < search_.options.trials && time_left();
         b = (b + 1) % std::size(kBracketSettings)) {
      const int count = std::min(kBracketSettings[b], search_.options.trials - number);
      std::vector<Running> running;
      std::vector<Tried> proposed;
      for (int i = 0; i < count; ++i, ++number) {
        const auto settings = next(number, proposed);
        if (!settings) return {};
        proposed.push_back({*settings, kNothing});
        running.push_back({number, *settings, kNothing});
      }
      VT_TRY(bracket(std::move(running), std::size(kBracketSettings) - 1 - b));
    }
    return {};
  }

  Status bracket(std::vector<Running> running, std::size_t rungs_below) {
    double share = 1;
    for (std::size_t r = 0; r < rungs_below; ++r) share /= kHalvingFactor;
    for (;; share *= kHalvingFactor) {
      const bool last = share > 0.99;
      for (Running& one : running) {
        if (!time_left()) return {};
        VT_TRY(one.value, attempt(one.number, one.settings, last ? 1 : share));
      }
      if (last) return {};
      std::stable_sort(running.begin(), running.end(),
                       [](const Running& a, const Running& b) { return a.value > b.value; });
      running.resize(std::max<std::size_t>(1, running.size() / kHalvingFactor));
    }
  }

  // Fits and measures, or takes what the file of trials knows. The value, kNothing without one.
  Result<double> attempt(int number, const Table& settings, double share) {
    VT_TRY(stage_.proceed(static_cast<std::uint64_t>(number)));
    TuneTrial trial;
    trial.model = base_.name;
    trial.number = number;
    trial.share = share;
    trial.settings = settings;
    trial.ground = ground_;
    ModelConfig config = base_;
    for (const auto& [key, value] : settings) config.options.set(key, value);
    VT_TRY(auto before, search_.log.finished(trial, search_.data.metric, search_.data.seed));
    std::optional<FittedModel> fitted;
    if (before) {
      trial = std::move(*before);
    } else {
      auto outcome = search_.measuring.measure(config, share);
      if (outcome.ok()) {
        trial.value = outcome->value;
        if (outcome->epochs > 0) trial.settings.set(kEpochs, outcome->epochs);
        trial.fit = outcome->fitted.usage;
        fitted = std::move(outcome->fitted);
      } else {
        const Code code = outcome.error().code;
        if (code != Code::kExhausted && code != Code::kInvalid) return outcome.error();
        trial.error = outcome.error().message;
        last_error_ = outcome.error();
      }
      VT_TRY(search_.log.add(trial, search_.data.metric, search_.data.seed));
    }
    note(trial);
    const double value = trial.value.value_or(kNothing);
    if (share == 1) whole_.push_back({settings, value});
    if (share == 1 && trial.value && (!best_ || value > best_->value)) {
      for (const auto& [key, setting] : trial.settings) config.options.set(key, setting);
      const double configured = best_ ? best_->configured : value;
      best_ = Tuned{std::move(config), value, configured, std::move(fitted)};
    }
    search_.report.trials.push_back(std::move(trial));
    return value;
  }

  void note(const TuneTrial& trial) const {
    std::string text = to_toml(trial.settings);
    std::replace(text.begin(), text.end(), '\n', ' ');
    const std::string on =
        trial.share < 1 ? fmt::format(" on {:.0f} % of the persons", 100 * trial.share) : "";
    search_.run.monitor.note(
        trial.value ? fmt::format("{} {}: {} {:.4f}{}  {}", trial.model, trial.number,
                                  search_.data.metric, *trial.value, on, text)
                    : fmt::format("{} {}: {}", trial.model, trial.number, trial.error));
  }

  Search& search_;
  const ModelConfig& base_;
  const SearchSpace space_;
  const double deadline_;
  const Random random_;
  Stage stage_;
  const std::string ground_;
  std::vector<Tried> whole_;  // trials on all persons
  std::optional<Tuned> best_;
  Error last_error_{Code::kInvalid, "no settings could be fitted"};
};

// Ranges that name the model or no model at all, over what `space` holds.
Status lay_over(const ModelConfig& model, const ModelKind& kind,
                const std::vector<std::string>& ranges, SearchSpace& space) {
  for (const std::string& text : ranges) {
    const std::size_t dot = text.find('.'), equals = text.find('=');
    const bool named = dot < equals;
    if (named && text.substr(0, dot) != model.name) continue;
    VT_TRY(add_range(space, kind, named ? std::string_view(text).substr(dot + 1) : text));
  }
  return {};
}

Status check_names(const std::vector<std::string>& ranges, const std::vector<TuneTask>& tasks) {
  for (const std::string& range : ranges) {
    const std::size_t dot = range.find('.');
    if (dot > range.find('=')) continue;
    const auto named = [&](const TuneTask& t) { return t.model.name == range.substr(0, dot); };
    if (std::any_of(tasks.begin(), tasks.end(), named)) continue;
    return Error{Code::kInvalid, "range '" + range + "': no such model is tuned"};
  }
  return {};
}

}  // namespace

Result<std::vector<TuneTask>> tune_tasks(const std::vector<ModelConfig>& models,
                                         const TuneOptions& options, bool timed) {
  std::vector<TuneTask> tasks;
  for (const ModelConfig& model : models) {
    VT_TRY(const ModelKind* kind, find_model(model.kind));
    TuneTask task{model, declared_space(*kind)};
    std::erase_if(task.space.dimensions,
                  [&](const Dimension& d) { return d.needs_times && !timed; });
    VT_TRY(lay_over(model, *kind, options.ranges, task.space));
    tasks.push_back(std::move(task));
  }
  VT_TRY(check_names(options.ranges, tasks));
  return tasks;
}

Result<TuneReport> tune_models(const Run& run, const std::vector<TuneTask>& tasks,
                               const TuneGround& data, const TuneOptions& options, TuneLog& log) {
  TuneReport report;
  report.metric = data.metric;
  report.split = data.validation.description();
  report.seed = data.seed;
  Search search{run, data, options, log, report};
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    const double deadline =
        options.seconds * static_cast<double>(t + 1) / static_cast<double>(tasks.size());
    ModelTuner tuner(search, tasks[t].model, tasks[t].space, deadline);
    const Status status = tuner.tune();
    if (auto best = tuner.take()) report.models.push_back(std::move(*best));
    if (status.ok()) continue;
    report.interrupted = status.error().code == Code::kCancelled && !report.models.empty();
    if (!report.interrupted) return status.error();
    break;
  }
  return report;
}

namespace {

// What trials cannot measure is said before the first of them.
Status check_tunable(const Recipe& recipe) {
  const auto invalid = [&](const std::string& why) {
    return Error{Code::kInvalid, recipe.path + ": " + why + "; `vitrine evaluate --recipe " +
                                     recipe.path + " --tune` can search it"};
  };
  const std::size_t at = recipe.choose_by.find('@');
  if (at == std::string::npos || find_metric(recipe.choose_by.substr(0, at)) == nullptr)
    return invalid("tuning goes by a metric of lists, as ndcg@20, not by " + recipe.choose_by);
  for (const RecipeModel& model : recipe.models) {
    if (!model.weights.empty() ||
        !(write_options(model.interactions) == write_options(recipe.models.front().interactions))) {
      return invalid("tuning needs the same weights and interactions for all models");
    }
  }
  return {};
}

}  // namespace

Result<TuneReport> tune_by_recipe(const Run& run, FileSystem& files, const std::string& path,
                                  const std::string& folder, const TuneOptions& options,
                                  std::int64_t seed) {
  VT_TRY(const Recipe recipe, read_recipe(files, path));
  VT_TRY(check_tunable(recipe));
  std::vector<TuneTask> tasks;
  for (const RecipeModel& model : recipe.models) {
    VT_TRY(const ModelKind* kind, find_model(model.kind));
    VT_TRY(Table complete, kind->complete(model.options));
    TuneTask task{{model.name, model.kind, std::move(complete)}, {}};
    if (model.tune.empty()) task.space = declared_space(*kind);
    for (const auto& [key, values] : model.tune) {
      VT_TRY(add_values(task.space, *kind, key, *values.as_list()));
    }
    VT_TRY(lay_over(task.model, *kind, options.ranges, task.space));
    tasks.push_back(std::move(task));
  }
  VT_TRY(check_names(options.ranges, tasks));
  VT_TRY(TuneLog log, TuneLog::open(files, options.resume));
  VT_TRY(const RecipeSplits data,
         recipe_splits(run, files, recipe, folder, RecipePart::kValidation));
  const TuneGround on{data.splits.front(), data.catalogue,   recipe.models.front().interactions,
                      recipe.evaluate,     recipe.choose_by, seed};
  return tune_models(run, tasks, on, options, log);
}

Result<TuneReport> tune_configured(const Run& run, const Config& config, const Dataset& data,
                                   FileSystem& files, const TuneOptions& options,
                                   const std::vector<std::string>& names) {
  std::vector<ModelConfig> models;
  for (const std::string& name : names) {
    VT_TRY(const ModelConfig* model, config.model(name));
    models.push_back(*model);
  }
  for (const ModelConfig& model : config.models) {
    if (names.empty() && model.kind != "together") models.push_back(model);
  }
  VT_TRY(TuneLog log, TuneLog::open(files, options.resume));
  const Survey what = survey(data.histories);
  VT_TRY(const Split outer, held_out_split(run, data.histories, what, config.split));
  SplitOptions inner = config.split;
  if (inner.kind == "time" && !has_times(what)) inner.kind = "last";
  VT_TRY(const Split validation, validation_split(run, outer, inner));
  VT_TRY(const std::vector<TuneTask> tasks, tune_tasks(models, options, has_times(what)));
  const TuneGround on{validation,      data.catalogue,      config.interactions,
                      config.evaluate, config.train.metric, config.shop.seed};
  return tune_models(run, tasks, on, options, log);
}

Value TuneReport::to_json() const {
  List list, best;
  for (const TuneTrial& trial : trials) list.push_back(trial.to_json(metric, seed));
  for (const Tuned& model : models) {
    best.push_back(Table{{"model", model.config.name},
                         {"value", model.value},
                         {"configured", model.configured},
                         {"options", model.config.options}});
  }
  return Table{{"metric", metric},
               {"split", split},
               {"models", std::move(best)},
               {"trials", std::move(list)},
               {"toml", toml()}};
}

std::string TuneReport::toml() const {
  std::string text;
  for (const Tuned& model : models) {
    const auto settings = settings_beyond_defaults(model.config);
    Table section;
    if (model.config.kind != model.config.name) section.set("kind", model.config.kind);
    for (const auto& [key, value] : settings.ok() ? *settings : model.config.options) {
      section.set(key, value);
    }
    text +=
        fmt::format("# {} {:.4f}, as configured {:.4f}\n", metric, model.value, model.configured);
    text += to_toml(Table{{"models", Table{{model.config.name, std::move(section)}}}});
  }
  return text;
}

}  // namespace vitrine

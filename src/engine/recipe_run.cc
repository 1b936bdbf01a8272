#include "engine/recipe_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "engine/fitting.h"
#include "eval/bootstrap.h"
#include "eval/corrections.h"
#include "model/recommender.h"

namespace vitrine {
namespace {

double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

// Of a sample: n - 1.
double deviation_of(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

// Several fits over the same cases as one: every case gets the mean of its values.
Evaluation averaged(const Run& run, std::vector<Evaluation> seeds, const EvaluateOptions& how) {
  if (seeds.size() == 1) return std::move(seeds.front());
  Evaluation out = seeds.front();
  const double share = 1.0 / static_cast<double>(seeds.size());
  for (std::size_t m = 0; m < out.metrics.size(); ++m) {
    MetricValue& metric = out.metrics[m];
    std::vector<double> sums(metric.per_case.size());
    metric.mean = metric.low = metric.high = 0;
    for (const Evaluation& seed : seeds) {
      metric.mean += seed.metrics[m].mean * share;
      metric.low += seed.metrics[m].low * share;
      metric.high += seed.metrics[m].high * share;
      for (std::size_t i = 0; i < sums.size(); ++i)
        sums[i] += static_cast<double>(seed.metrics[m].per_case[i]);
    }
    for (std::size_t i = 0; i < sums.size(); ++i)
      metric.per_case[i] = static_cast<float>(sums[i] * share);
    std::vector<double> means = resample_means(run, metric.per_case, 1, how.bootstrap);
    if (means.empty()) continue;
    const Interval interval = percentile_interval(means, how.confidence);
    metric.low = interval.low, metric.high = interval.high;
  }
  return out;
}

void add_usage(Usage& total, const Usage& one, double share) {
  total.elapsed_s += one.elapsed_s * share;
  total.cpu_s += one.cpu_s * share;
  total.memory_bytes = std::max(total.memory_bytes, one.memory_bytes);
  total.memory_peak_bytes = std::max(total.memory_peak_bytes, one.memory_peak_bytes);
}

// The fits of one row, fold by fold.
class RowBuilder {
 public:
  RowBuilder(const Run& run, const Recipe& recipe, const RecipeSplits& data,
             const RecipeModel& model, const EvaluateOptions& how)
      : run_(run), recipe_(recipe), data_(data), model_(model), how_(how) {
    row_.name = model.name;
    row_.kind = model.kind;
    row_.options = model.options;
  }

  Result<RecipeRow> build() {
    for (const Split& split : data_.splits) {
      VT_TRY(const Split own, split_of_row(recipe_, model_, split));
      VT_TRY(add_fold(own));
    }
    for (std::size_t m = 0; m < folds_.front().metrics.size(); ++m) add_value(m);
    if (folds_.size() == 1) row_.evaluation = std::move(folds_.front());
    return std::move(row_);
  }

 private:
  Status add_fold(const Split& split) {
    const FitInput input(split.train(), data_.catalogue, model_.interactions);
    const std::vector<std::uint32_t> counts = item_counts(split.train());
    std::vector<Evaluation> seeds;
    for (int s = 0; s < recipe_.seeds; ++s) {
      const Run own{Random(kFirstSeed + static_cast<std::uint64_t>(s)), run_.pool, run_.monitor};
      reset_memory_peak();
      VT_TRY(const FittedModel fitted,
             fit_model(own, {model_.name, model_.kind, model_.options}, input));
      VT_TRY(Evaluation evaluation,
             evaluate(run_, recommender_of(model_.name, *fitted.named.model, model_.anonymous),
                      split, counts, how_));
      const double share =
          1.0 / static_cast<double>(data_.splits.size() * static_cast<std::size_t>(recipe_.seeds));
      add_usage(row_.fit, fitted.usage, share);
      add_usage(row_.scoring, evaluation.usage, share);
      seeds.push_back(std::move(evaluation));
    }
    row_.cases += seeds.front().cases;
    row_.skipped += seeds.front().skipped;
    by_fold_.push_back({});
    for (std::size_t m = 0; m < seeds.front().metrics.size(); ++m) {
      by_fold_.back().push_back({});
      for (const Evaluation& seed : seeds) by_fold_.back().back().push_back(seed.metrics[m].mean);
    }
    folds_.push_back(averaged(run_, std::move(seeds), how_));
    return {};
  }

  void add_value(std::size_t m) {
    RecipeValue value;
    value.metric = folds_.front().metrics[m].name;
    std::vector<double> means;
    for (std::size_t f = 0; f < folds_.size(); ++f) {
      const std::vector<double>& seeds = by_fold_[f][m];
      means.push_back(mean_of(seeds));
      value.spread += deviation_of(seeds) / static_cast<double>(folds_.size());
      value.by_run.insert(value.by_run.end(), seeds.begin(), seeds.end());
    }
    value.mean = value.low = value.high = mean_of(means);
    if (folds_.size() == 1) {
      value.low = folds_.front().metrics[m].low;
      value.high = folds_.front().metrics[m].high;
    } else {
      value.standard_error = deviation_of(means) / std::sqrt(static_cast<double>(means.size()));
    }
    row_.values.push_back(std::move(value));
  }

  const Run& run_;
  const Recipe& recipe_;
  const RecipeSplits& data_;
  const RecipeModel& model_;
  const EvaluateOptions& how_;
  RecipeRow row_;
  std::vector<Evaluation> folds_;                          // seeds averaged
  std::vector<std::vector<std::vector<double>>> by_fold_;  // fold, metric, seed
};

// The recipe's models; on time splits the two lists for everybody in front; behind each model that
// wants it the same one without knowing who asks.
std::vector<RecipeModel> lineup(const Recipe& recipe) {
  std::vector<RecipeModel> models;
  if (recipe.split.kind == "time" && !recipe.test && recipe.folds.count == 0 &&
      recipe.folds.files.empty()) {
    models.push_back({.name = "popularity", .kind = "popularity", .options = {}, .tune = {}});
    models.push_back({.name = "popularity_7d",
                      .kind = "popularity",
                      .options = Table{{"window_days", 7.0}},
                      .tune = {}});
    std::erase_if(models, [&](const RecipeModel& baseline) {
      return std::any_of(recipe.models.begin(), recipe.models.end(),
                         [&](const RecipeModel& m) { return m.name == baseline.name; });
    });
  }
  for (const RecipeModel& model : recipe.models) {
    RecipeModel named = model;
    named.anonymous = false;
    models.push_back(named);
    if (!model.anonymous) continue;
    named.anonymous = true;
    named.name += ", anonymous";
    models.push_back(std::move(named));
  }
  return models;
}

const RecipeRow* reference_of(const RecipeTable& table) {
  const Recipe& recipe = table.recipe;
  if (table.rows.size() < 2 || table.folds > 1) return nullptr;
  if (recipe.compare_to.empty()) return &table.rows.front();
  const RecipeRow* found = nullptr;
  for (const RecipeRow& row : table.rows) {
    if (row.name == recipe.compare_to) return &row;
    const RecipeValue* value = row.find(recipe.choose_by);
    if (recipe.compare_to == "best" && value != nullptr &&
        (found == nullptr || value->mean > found->find(recipe.choose_by)->mean)) {
      found = &row;
    }
  }
  return found;
}

Status add_comparisons(const Run& run, RecipeTable& table) {
  const Recipe& recipe = table.recipe;
  const RecipeRow* reference = reference_of(table);
  if (reference == nullptr) return {};
  const MetricValue* metric = reference->evaluation.find(recipe.choose_by);
  if (metric == nullptr || metric->per_case.empty()) return {};
  table.compared_to = reference->name;
  table.compared_by = recipe.choose_by;
  std::vector<Comparison*> compared;
  for (RecipeRow& row : table.rows) {
    if (&row == reference) continue;
    VT_TRY(row.comparison,
           compare(run, row.evaluation, reference->evaluation, recipe.choose_by, recipe.evaluate));
    compared.push_back(&*row.comparison);
  }
  return adjust(compared, recipe.evaluate.correction);
}

class Searcher {
 public:
  Searcher(const Run& run, const Recipe& recipe, const RecipeSplits& data, RecipeModel model)
      : run_(run), recipe_(recipe), data_(data), model_(std::move(model)), how_(recipe.evaluate) {
    how_.bootstrap = 0;
    lower_ = recipe.choose_by == "rmse" || recipe.choose_by == "mae";
  }

  Result<RecipeSearch> search() {
    search_ = {model_.name, data_.splits.front().description(), 0, lower_ ? INFINITY : -INFINITY,
               model_.options};
    VT_TRY(attempt(search_.options));
    for (bool changed = true; changed;) {
      const Table start = search_.options;
      for (const auto& [name, values] : model_.tune) {
        for (const Value& value : *values.as_list()) {
          Table options = search_.options;
          options.set(name, value);
          if (options == search_.options) continue;
          VT_TRY(attempt(options));
        }
      }
      changed = !(start == search_.options);
    }
    return search_;
  }

 private:
  Status attempt(const Table& options) {
    RecipeModel model = model_;
    model.options = options;
    VT_TRY(const RecipeRow row, measure_row(run_, recipe_, data_, model, how_));
    const RecipeValue* value = row.find(recipe_.choose_by);
    if (value == nullptr)
      return Error{Code::kInvalid, recipe_.path + ": " + recipe_.choose_by + " is not measured"};
    const bool won = lower_ ? value->mean < search_.value : value->mean > search_.value;
    std::string line = model.name + (won ? " *" : "  ");
    for (const std::string& metric : recipe_.metrics) {
      const RecipeValue* shown = row.find(metric);
      if (shown != nullptr) line += fmt::format(" {} {:.4f}", metric, shown->mean);
    }
    run_.monitor.note(line + " " + to_json(options));
    ++search_.fits;
    if (won) search_.value = value->mean, search_.options = options;
    return {};
  }

  const Run& run_;
  const Recipe& recipe_;
  const RecipeSplits& data_;
  const RecipeModel model_;
  EvaluateOptions how_;
  bool lower_ = false;  // less is better
  RecipeSearch search_;
};

Table usage_table(const Usage& usage) {
  return {{"elapsed_s", usage.elapsed_s},
          {"cpu_s", usage.cpu_s},
          {"memory_peak_bytes", usage.memory_peak_bytes}};
}

Table row_json(const RecipeRow& row) {
  Table metrics;
  for (const RecipeValue& value : row.values) {
    metrics.set(value.metric, Table{{"mean", value.mean},
                                    {"low", value.low},
                                    {"high", value.high},
                                    {"spread", value.spread},
                                    {"standard_error", value.standard_error},
                                    {"by_run", List(value.by_run.begin(), value.by_run.end())}});
  }
  Table out{{"name", row.name},
            {"kind", row.kind},
            {"settings", row.options},
            {"cases", row.cases},
            {"skipped", row.skipped},
            {"metrics", std::move(metrics)},
            {"fit", usage_table(row.fit)},
            {"scoring", usage_table(row.scoring)}};
  if (row.comparison) {
    const Comparison& c = *row.comparison;
    out.set("comparison", Table{{"metric", c.metric},
                                {"baseline", c.baseline},
                                {"difference", c.difference},
                                {"low", c.low},
                                {"high", c.high},
                                {"p", c.p},
                                {"p_adjusted", c.p_adjusted}});
  }
  return out;
}

}  // namespace

Value RecipeTable::to_json() const {
  List out_rows, out_published;
  for (const RecipeRow& row : rows) out_rows.push_back(row_json(row));
  for (const PublishedRow& row : recipe.published) {
    Table values;
    for (std::size_t m = 0; m < recipe.metrics.size(); ++m) {
      if (row.values[m]) values.set(recipe.metrics[m], *row.values[m]);
    }
    out_published.push_back(
        Table{{"name", row.name}, {"source", row.source}, {"metrics", std::move(values)}});
  }
  return Table{{"recipe", recipe.name},
               {"note", recipe.note},
               {"protocol", protocol},
               {"folds", folds},
               {"seeds", recipe.seeds},
               {"train_events", train_events},
               {"dropped_new_items", dropped_new_items},
               {"options", write_options(recipe.evaluate)},
               {"models", std::move(out_rows)},
               {"published", std::move(out_published)}};
}

const RecipeValue* RecipeRow::find(std::string_view metric) const {
  const auto found = std::find_if(values.begin(), values.end(),
                                  [&](const RecipeValue& v) { return v.metric == metric; });
  return found == values.end() ? nullptr : &*found;
}

Result<RecipeRow> measure_row(const Run& run, const Recipe& recipe, const RecipeSplits& data,
                              const RecipeModel& model, const EvaluateOptions& how) {
  return RowBuilder(run, recipe, data, model, how).build();
}

Result<RecipeTable> run_recipe(const Run& run, FileSystem& files, const Recipe& recipe,
                               const std::string& folder) {
  VT_TRY(const RecipeSplits data, recipe_splits(run, files, recipe, folder, RecipePart::kTest));
  return run_recipe(run, recipe, data);
}

Result<RecipeTable> run_recipe(const Run& run, const Recipe& recipe, const RecipeSplits& data) {
  const Run own{Random(kFirstSeed), run.pool, run.monitor};
  RecipeTable table;
  table.recipe = recipe;
  table.protocol = data.splits.front().description();
  table.folds = data.splits.size();
  for (const Split& split : data.splits) {
    table.train_events += split.train().size() / data.splits.size();
    table.dropped_new_items += split.dropped_new_items();
  }
  for (const RecipeModel& model : lineup(recipe)) {
    VT_TRY(table.rows.emplace_back(), measure_row(own, recipe, data, model, recipe.evaluate));
  }
  for (const std::string& metric : recipe.metrics) {
    if (table.rows.front().find(metric) != nullptr) continue;
    return Error{
        Code::kInvalid,
        fmt::format("{}: \"{}\" is not measured; [evaluate] cutoffs or ratings may lack it",
                    recipe.path, metric)};
  }
  VT_TRY(add_comparisons(own, table));
  return table;
}

Result<std::vector<RecipeSearch>> tune_recipe(const Run& run, FileSystem& files,
                                              const Recipe& recipe, const std::string& folder) {
  const Run own{Random(kFirstSeed), run.pool, run.monitor};
  VT_TRY(const RecipeSplits data,
         recipe_splits(own, files, recipe, folder, RecipePart::kValidation));
  std::vector<RecipeSearch> searches;
  for (RecipeModel model : recipe.models) {
    if (model.tune.empty()) continue;
    model.anonymous = false;  // the row of its name
    VT_TRY(searches.emplace_back(), Searcher(own, recipe, data, model).search());
  }
  if (!searches.empty()) return searches;
  return Error{Code::kInvalid, recipe.path + ": no model has a [tune] with values to search"};
}

}  // namespace vitrine

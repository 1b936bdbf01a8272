// Accuracy by the papers' protocols, beside the published figures.
//
//   accuracy_bench bench/accuracy/gowalla_item_knn.toml ...
//       fits with the recipe's [options] on the whole training part, asks the test part once,
//       prints
//   accuracy_bench --tune RECIPE
//       searches the recipe's [tune] on a validation split inside the training part and prints what
//       it found; the test part is not touched
//
// A recipe names its files, its split and the validation split, the model and its settings, the
// values that were searched, and the published rows with their sources.
#include <fmt/format.h>

#include <cstdio>
#include <cstring>

#include "base/json.h"
#include "base/toml.h"
#include "bench/datasets.h"
#include "engine/usage.h"
#include "model/model.h"
#include "model/recommender.h"

namespace vitrine {
namespace {

struct Published {
  std::string name = "", source = "";
  std::vector<double> values;  // parallel to the recipe's metrics
};

struct Recipe {
  std::string name, note, model, choose_by;
  std::vector<std::string> metrics;
  std::vector<SourceOptions> sources;  // training, and the test part where it is a file of its own
  SplitOptions split, validation;
  EvaluateOptions evaluate;
  Table options, tune;
  std::vector<Published> published;
};

Result<Table> table_at(const Table& table, std::string_view key) {
  const Value* value = table.find(key);
  if (value == nullptr) return Table();
  if (value->as_table() == nullptr)
    return Error{Code::kInvalid, fmt::format("[{}] must be a table", key)};
  return *value->as_table();
}

Result<std::vector<Published>> published_rows(const Table& table,
                                              const std::vector<std::string>& metrics) {
  std::vector<Published> rows;
  const Value* list = table.find("published");
  if (list == nullptr || list->as_list() == nullptr) return rows;
  for (const Value& entry : *list->as_list()) {
    if (entry.as_table() == nullptr) return Error{Code::kInvalid, "[[published]] must hold tables"};
    Published row;
    VT_TRY(row.name, string_at(*entry.as_table(), "name"));
    VT_TRY(row.source, string_at(*entry.as_table(), "source"));
    for (const std::string& metric : metrics) {
      VT_TRY(const double value, number_at(*entry.as_table(), metric));
      row.values.push_back(value);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<Recipe> recipe_of(const Table& table) {
  Recipe recipe;
  VT_TRY(recipe.name, string_at(table, "name"));
  VT_TRY(recipe.note, string_at(table, "note"));
  VT_TRY(recipe.model, string_at(table, "model"));
  VT_TRY(recipe.choose_by, string_at(table, "choose_by"));
  const Value* metrics = table.find("metrics");
  if (metrics == nullptr || metrics->as_list() == nullptr) {
    return Error{Code::kInvalid, "metrics must be a list of names"};
  }
  for (const Value& metric : *metrics->as_list()) {
    if (metric.as_string() == nullptr)
      return Error{Code::kInvalid, "metrics must be a list of names"};
    recipe.metrics.push_back(*metric.as_string());
  }
  for (const char* part : {"train", "test"}) {
    VT_TRY(const Table source, table_at(table, part));
    if (source.empty()) continue;
    VT_TRY(SourceOptions options, read_options<SourceOptions>(source, part));
    recipe.sources.push_back(std::move(options));
  }
  VT_TRY(const Table split, table_at(table, "split"));
  VT_TRY(recipe.split, read_options<SplitOptions>(split, "[split]"));
  VT_TRY(const Table validation, table_at(table, "validation"));
  VT_TRY(recipe.validation, read_options<SplitOptions>(validation, "[validation]", recipe.split));
  VT_TRY(const Table evaluation, table_at(table, "evaluate"));
  recipe.evaluate.auc = false;
  VT_TRY(recipe.evaluate, read_options<EvaluateOptions>(evaluation, "[evaluate]", recipe.evaluate));
  VT_TRY(recipe.options, table_at(table, "options"));
  VT_TRY(recipe.tune, table_at(table, "tune"));
  VT_TRY(recipe.published, published_rows(table, recipe.metrics));
  return recipe;
}

// Fits on the training part of a split and asks its cases.
struct Measured {
  Evaluation evaluation;
  Usage fit;
};

Result<Measured> measure(const Run& run, const Recipe& recipe, const Table& options,
                         const Split& split, const EvaluateOptions& how) {
  VT_TRY(const ModelKind* kind, find_model(recipe.model));
  const Interactions interactions = build_interactions(split.train(), {});
  const Catalogue catalogue;
  Measured measured;
  const Usage before = run.monitor.usage();
  VT_TRY(const auto model,
         kind->fit(run, options, {split.train(), interactions, catalogue}, nullptr));
  measured.fit = between(before, run.monitor.usage());
  VT_TRY(measured.evaluation, evaluate(run, recommender_of(recipe.model, *model), split,
                                       item_counts(split.train()), how));
  return measured;
}

std::string row_of(const std::vector<std::string>& metrics, const Evaluation& evaluation) {
  std::string text;
  for (const std::string& metric : metrics) {
    const MetricValue* value = evaluation.find(metric);
    text += value == nullptr
                ? fmt::format("  {:>20}", "-")
                : fmt::format("  {:.4f} [{:.4f} {:.4f}]", value->mean, value->low, value->high);
  }
  return text;
}

void print_result(const Recipe& recipe, const Split& split, const Measured& measured) {
  const Evaluation& evaluation = measured.evaluation;
  fmt::print("\n{}\n{}\n{}\n", recipe.name, recipe.note, split.description());
  fmt::print("{} persons asked, {} without a truth item left, {} truth items new to training\n",
             evaluation.cases, evaluation.skipped, split.dropped_new_items());
  fmt::print("settings: {}\n", to_json(recipe.options));
  fmt::print("{:34}", "");
  for (const std::string& metric : recipe.metrics) fmt::print("  {:<22}", metric);
  fmt::print("\n{:34}{}\n", "vitrine " + recipe.model, row_of(recipe.metrics, evaluation));
  for (const Published& row : recipe.published) {
    fmt::print("{:34}", row.name);
    for (const double value : row.values) fmt::print("  {:<22.4f}", value);
    fmt::print("  {}\n", row.source);
  }
  fmt::print("fit {:.2f} CPU-s, scoring {:.2f} CPU-s, peak memory {:.0f} MB\n", measured.fit.cpu_s,
             evaluation.usage.cpu_s,
             static_cast<double>(evaluation.usage.memory_peak_bytes) / (1 << 20));
}

// One option in turn over its values, the others held, until a whole round changes nothing.
Status tune(const Run& run, const Recipe& recipe, const Split& validation) {
  EvaluateOptions how = recipe.evaluate;
  how.bootstrap = 0;
  Table best = recipe.options;
  double best_value = -1;
  int tried = 0;
  const auto try_options = [&](const Table& options) -> Status {
    VT_TRY(const Measured measured, measure(run, recipe, options, validation, how));
    const MetricValue* value = measured.evaluation.find(recipe.choose_by);
    if (value == nullptr) return Error{Code::kInvalid, recipe.choose_by + " is not measured"};
    fmt::print("{}{} {}\n", value->mean > best_value ? "*" : " ",
               row_of(recipe.metrics, measured.evaluation), to_json(options));
    std::fflush(stdout);
    ++tried;
    if (value->mean > best_value) {
      best_value = value->mean;
      best = options;
    }
    return {};
  };
  VT_TRY(try_options(best));
  for (bool changed = true; changed;) {
    const Table start = best;
    for (const auto& [name, values] : recipe.tune) {
      if (values.as_list() == nullptr) return Error{Code::kInvalid, name + " must list its values"};
      for (const Value& value : *values.as_list()) {
        Table options = best;
        options.set(name, value);
        if (options == best) continue;
        VT_TRY(try_options(options));
      }
    }
    changed = !(start == best);
  }
  fmt::print("\n{} fits on validation ({}); the best, {} {:.4f}:\n\n[options]\n{}", tried,
             validation.description(), recipe.choose_by, best_value, to_toml(best));
  return {};
}

Status run_recipe(const Run& run, const std::string& path, bool tuning) {
  VT_TRY(const std::string text, read_file(real_files(), path));
  VT_TRY(const Table table, parse_toml(text, path));
  auto parsed = recipe_of(table);
  if (!parsed.ok()) return parsed.error().prefixed(path);
  const Recipe& recipe = *parsed;
  VT_TRY(const auto histories, read_histories(run, recipe.sources));
  const bool files = histories.size() == 2;
  VT_TRY(const Split split,
         files ? split_from_files(histories[0], histories[1], "the published files")
               : make_split(run, histories[0], recipe.split));
  if (tuning) {
    VT_TRY(const Split inner, files ? make_split(run, split.train(), recipe.validation)
                                    : validation_split(run, split, recipe.validation));
    return tune(run, recipe, inner);
  }
  VT_TRY(const Measured measured, measure(run, recipe, recipe.options, split, recipe.evaluate));
  print_result(recipe, split, measured);
  return {};
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  vitrine::ThreadPool pool(2);
  vitrine::UsageMonitor monitor;
  const vitrine::Run run{vitrine::Random(1), pool, monitor};
  bool tuning = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--tune") == 0) {
      tuning = true;
      continue;
    }
    const vitrine::Status status = vitrine::run_recipe(run, argv[i], tuning);
    if (!status.ok()) {
      fmt::print(stderr, "{}\n", status.error().message);
      return 1;
    }
  }
  return 0;
}

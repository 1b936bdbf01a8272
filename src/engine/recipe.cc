#include "engine/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/toml.h"

namespace vitrine {
namespace {

constexpr int kSeedsMax = 100;

const std::vector<std::string_view>& known_keys() {
  static const std::vector<std::string_view> keys{
      "name",      "note",         "model",     "metrics",    "choose_by", "compare_to",
      "seeds",     "models",       "anonymous", "train",      "test",      "validation_source",
      "negatives", "items",        "split",     "validation", "folds",     "cleaning",
      "histories", "interactions", "evaluate",  "robustness", "options",   "tune",
      "published"};
  return keys;
}

Error invalid(std::string message) { return {Code::kInvalid, std::move(message)}; }

class RecipeReader {
 public:
  explicit RecipeReader(const Table& table) : table_(table) {}

  Result<Recipe> read() {
    for (const auto& entry : table_) {
      const auto& keys = known_keys();
      if (std::find(keys.begin(), keys.end(), entry.first) == keys.end())
        return options_detail::unknown_key(entry.first, keys, "recipe");
    }
    Recipe recipe;
    VT_TRY(read_words(recipe));
    VT_TRY(read_sources(recipe));
    VT_TRY(read_sections(recipe));
    VT_TRY(read_models(recipe));
    VT_TRY(check_reference(recipe));
    VT_TRY(read_published(recipe));
    return recipe;
  }

 private:
  Result<Table> section(std::string_view key) const {
    const Value* value = table_.find(key);
    if (value == nullptr) return Table();
    if (value->as_table() == nullptr) return invalid(fmt::format("[{}] must be a table", key));
    return *value->as_table();
  }

  template <class Options>
  Status read_section(std::string_view key, Options& options) const {
    VT_TRY(const Table table, section(key));
    VT_TRY(options, read_options<Options>(table, fmt::format("[{}]", key), options));
    return {};
  }

  Result<std::vector<Table>> tables(std::string_view key) const {
    std::vector<Table> out;
    const Value* value = table_.find(key);
    if (value == nullptr) return out;
    if (value->as_list() == nullptr) return invalid(fmt::format("[[{}]] must hold tables", key));
    for (const Value& entry : *value->as_list()) {
      if (entry.as_table() == nullptr) return invalid(fmt::format("[[{}]] must hold tables", key));
      out.push_back(*entry.as_table());
    }
    return out;
  }

  Status optional_text(std::string_view key, std::string& into) const {
    if (table_.find(key) == nullptr) return {};
    VT_TRY(into, string_at(table_, key));
    return {};
  }

  Status read_words(Recipe& recipe) const {
    VT_TRY(recipe.name, string_at(table_, "name"));
    VT_TRY(optional_text("note", recipe.note));
    VT_TRY(optional_text("compare_to", recipe.compare_to));
    const Value* metrics = table_.find("metrics");
    if (metrics == nullptr || metrics->as_list() == nullptr || metrics->as_list()->empty())
      return invalid("metrics must be a list of names, as [\"ndcg@20\"]");
    for (const Value& metric : *metrics->as_list()) {
      if (metric.as_string() == nullptr) return invalid("metrics must be a list of names");
      recipe.metrics.push_back(*metric.as_string());
    }
    recipe.choose_by = recipe.metrics.front();
    VT_TRY(optional_text("choose_by", recipe.choose_by));
    if (table_.find("seeds") != nullptr) {
      VT_TRY(const std::int64_t seeds, int_at(table_, "seeds"));
      if (seeds < 1 || seeds > kSeedsMax)
        return invalid(fmt::format("seeds must be from 1 to {}", kSeedsMax));
      recipe.seeds = static_cast<int>(seeds);
    }
    return {};
  }

  Status read_source(std::string_view key, std::optional<SourceOptions>& source) const {
    if (table_.find(key) == nullptr) return {};
    SourceOptions options;
    VT_TRY(read_section(key, options));
    if (options.path.empty()) return invalid(fmt::format("[{}] has no path", key));
    source = std::move(options);
    return {};
  }

  Status read_sources(Recipe& recipe) const {
    std::optional<SourceOptions> train;
    VT_TRY(read_source("train", train));
    if (!train) return invalid("[train] is missing: which file is fitted?");
    recipe.train = *train;
    VT_TRY(read_source("test", recipe.test));
    VT_TRY(read_source("validation_source", recipe.validation_source));
    VT_TRY(read_source("negatives", recipe.negatives));
    VT_TRY(read_source("items", recipe.items));
    if (recipe.items) recipe.items->kind = "items";
    if (recipe.negatives && recipe.negatives->context.size() != 1) {
      return invalid(
          "[negatives] context must name the one column that lists the items, separated by spaces");
    }
    return {};
  }

  Status read_sections(Recipe& recipe) const {
    VT_TRY(read_section("split", recipe.split));
    recipe.validation = recipe.split;
    VT_TRY(read_section("validation", recipe.validation));
    VT_TRY(read_section("folds", recipe.folds));
    VT_TRY(read_section("histories", recipe.histories));
    VT_TRY(read_section("robustness", recipe.robustness));
    recipe.evaluate.auc = false;
    VT_TRY(read_section("evaluate", recipe.evaluate));
    if (table_.find("cleaning") != nullptr) {
      recipe.cleaning.emplace();
      VT_TRY(read_section("cleaning", *recipe.cleaning));
    }
    const int parts = (recipe.test ? 1 : 0) + (recipe.folds.count > 0 ? 1 : 0) +
                      (recipe.folds.files.empty() ? 0 : 1);
    if (parts > 1) return invalid("[test], [folds] count and [folds] files exclude one another");
    if (recipe.folds.count == 1) return invalid("[folds] count must be at least 2");
    if (recipe.validation_source && !recipe.test) {
      return invalid(
          "[validation_source] goes with [test]: a test part that is carved out of the "
          "same events would be fitted while settings are chosen");
    }
    return check_held_back(recipe);
  }

  // What [split] keeps from fitting is what [validation] asks about, or nothing is.
  static Status check_held_back(const Recipe& recipe) {
    const SplitOptions& outer = recipe.split;
    const SplitOptions& inner = recipe.validation;
    if (outer.fit_hold_out == 0 && inner.fit_hold_out == 0) return {};
    if (recipe.folds.count > 0 || !recipe.folds.files.empty())
      return invalid("fit_hold_out does not go with [folds]");
    if (outer.kind != inner.kind || outer.fit_hold_out != inner.fit_hold_out)
      return invalid("[split] and [validation] need the same kind and fit_hold_out");
    return {};
  }

  Status read_models(Recipe& recipe) const {
    InteractionOptions interactions;
    VT_TRY(read_section("interactions", interactions));
    VT_TRY(interactions.resolve(EventTypes()));
    bool anonymous = false;
    if (const Value* value = table_.find("anonymous")) {
      if (value->as_bool() == nullptr) return invalid("anonymous must be true or false");
      anonymous = *value->as_bool();
    }
    if (table_.find("model") != nullptr) {
      RecipeModel model;
      VT_TRY(model.kind, string_at(table_, "model"));
      model.name = model.kind;
      VT_TRY(model.options, section("options"));
      VT_TRY(model.tune, section("tune"));
      model.anonymous = anonymous;
      model.interactions = interactions;
      recipe.models.push_back(std::move(model));
    } else if (table_.find("options") != nullptr || table_.find("tune") != nullptr) {
      return invalid("[options] and [tune] belong to model = \"...\", which is missing");
    }
    VT_TRY(const std::vector<Table> rows, tables("models"));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      RecipeModel model;
      model.anonymous = anonymous;
      model.interactions = interactions;
      auto read = read_model(rows[i], model);
      if (!read.ok()) return read.error().prefixed(fmt::format("[[models]] {}", i + 1));
      recipe.models.push_back(std::move(model));
    }
    if (recipe.models.empty()) return invalid("no model: give model = \"...\" or [[models]]");
    for (const RecipeModel& model : recipe.models) {
      VT_TRY(check_model(recipe, model));
    }
    return {};
  }

  static Status read_model(const Table& table, RecipeModel& model) {
    static const std::vector<std::string_view> known{"name",      "kind",    "options",     "tune",
                                                     "anonymous", "weights", "interactions"};
    for (const auto& [key, value] : table) {
      if (std::find(known.begin(), known.end(), key) == known.end())
        return options_detail::unknown_key(key, known, "row");
      const bool is_table = value.as_table() != nullptr;
      if ((key == "options" || key == "tune" || key == "interactions") && !is_table)
        return invalid(fmt::format("{} must be a table", key));
      if (key == "options") model.options = *value.as_table();
      if (key == "tune") model.tune = *value.as_table();
      if (key == "interactions") {
        VT_TRY(model.interactions, read_options<InteractionOptions>(
                                       *value.as_table(), "interactions", model.interactions));
        VT_TRY(model.interactions.resolve(EventTypes()));
      }
      if (key == "anonymous") {
        if (value.as_bool() == nullptr) return invalid("anonymous must be true or false");
        model.anonymous = *value.as_bool();
      }
      if (key == "weights") {
        VT_TRY(const HistoryOptions weights,
               read_options<HistoryOptions>(Table{{"weights", value}}, "row"));
        model.weights = weights.weights;
      }
    }
    VT_TRY(model.name, string_at(table, "name"));
    model.kind = model.name;
    if (table.find("kind") != nullptr) {
      VT_TRY(model.kind, string_at(table, "kind"));
    }
    return {};
  }

  static Status check_model(const Recipe& recipe, const RecipeModel& model) {
    const auto same = [&](const RecipeModel& m) { return m.name == model.name; };
    if (std::count_if(recipe.models.begin(), recipe.models.end(), same) > 1)
      return invalid(fmt::format("two models are named \"{}\"", model.name));
    VT_TRY(const ModelKind* kind, find_model(model.kind));
    auto complete = kind->complete(model.options);
    if (!complete.ok()) return complete.error().prefixed(fmt::format("options of {}", model.name));
    for (const auto& [option, values] : model.tune) {
      if (values.as_list() == nullptr)
        return invalid(fmt::format("[tune] {} must list its values", option));
    }
    return {};
  }

  static Status check_reference(const Recipe& recipe) {
    std::vector<std::string_view> known{"best", "popularity", "popularity_7d"};
    for (const RecipeModel& model : recipe.models) known.push_back(model.name);
    if (recipe.compare_to.empty() ||
        std::find(known.begin(), known.end(), recipe.compare_to) != known.end())
      return {};
    return invalid(fmt::format("compare_to: no row is named \"{}\"; there are {}",
                               recipe.compare_to, fmt::join(known, ", ")));
  }

  Status read_published(Recipe& recipe) const {
    VT_TRY(const std::vector<Table> rows, tables("published"));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      PublishedRow row;
      const auto read = [&]() -> Status {
        VT_TRY(row.name, string_at(rows[i], "name"));
        VT_TRY(row.source, string_at(rows[i], "source"));
        for (const std::string& metric : recipe.metrics) {
          row.values.emplace_back();
          if (rows[i].find(metric) == nullptr) continue;
          VT_TRY(const double value, number_at(rows[i], metric));
          if (!std::isfinite(value)) return invalid(metric + " must be a finite number");
          row.values.back() = value;
        }
        return {};
      }();
      if (!read.ok()) return read.error().prefixed(fmt::format("[[published]] {}", i + 1));
      recipe.published.push_back(std::move(row));
    }
    return {};
  }

  const Table& table_;
};

}  // namespace

Result<Recipe> recipe_from_table(const Table& table, const std::string& path) {
  auto recipe = RecipeReader(table).read();
  if (!recipe.ok()) return recipe.error().prefixed(path);
  recipe->path = path;
  return recipe;
}

Result<Recipe> read_recipe(FileSystem& files, const std::string& path) {
  if (!file_exists(files, path)) return Error{Code::kNotFound, path + ": no such recipe"};
  VT_TRY(const std::string text, read_file(files, path));
  VT_TRY(const Table table, parse_toml(text, path));
  return recipe_from_table(table, path);
}

}  // namespace vitrine

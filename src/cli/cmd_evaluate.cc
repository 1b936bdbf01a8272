#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "cli/command.h"
#include "cli/recipe_report.h"
#include "cli/report.h"

namespace vitrine {
namespace {

struct EvaluateFlags {
  std::vector<std::string> models, metrics, recipes;
  std::string split, repeat, dump, output, plot, curve, placement = "home";
  bool tune = false, cascade = false;
};

Status write_output(const EvaluateFlags& flags, const Value& json) {
  if (flags.output.empty()) return {};
  return write_file_atomically(real_files(), flags.output, to_json_pretty(json) + "\n");
}

Status tune_recipes(Session& session, const EvaluateFlags& flags, const std::string& folder) {
  for (const std::string& path : flags.recipes) {
    VT_TRY(const Recipe recipe, read_recipe(real_files(), path));
    VT_TRY(const auto searches, tune_recipe(session.run(), real_files(), recipe, folder));
    for (const RecipeSearch& search : searches)
      session.print(recipe_json(recipe, search), recipe_text(recipe, search));
  }
  return {};
}

// The table of one recipe and what belongs to it.
Result<Value> evaluate_recipe(Session& session, const EvaluateFlags& flags, const Recipe& recipe,
                              const std::string& folder) {
  const Run run = session.run();
  VT_TRY(const RecipeSplits data,
         recipe_splits(run, real_files(), recipe, folder, RecipePart::kTest));
  VT_TRY(const RecipeTable table, run_recipe(run, recipe, data));
  Table json = *table.to_json().as_table();
  std::string text = recipe_text(table) + "\n";
  if (!flags.plot.empty()) {
    VT_TRY(plot_recipe(real_files(), flags.plot, table));
  }
  if (recipe.robustness.any()) {
    VT_TRY(const RobustnessTable spoilt, run_robustness(run, recipe, data));
    json.set("robustness", spoilt.to_json());
    text += robustness_text(spoilt) + "\n";
  }
  if (!flags.curve.empty()) {
    VT_TRY(const LearningCurve curve, learning_curve(run, recipe, data, flags.curve));
    json.set("learning_curve", curve.to_json());
    text += curve_text(curve) + "\n";
    if (!flags.plot.empty()) {
      VT_TRY(plot_curve(real_files(), flags.plot, recipe, curve));
    }
  }
  if (!flags.plot.empty()) text += "Plots: " + flags.plot + "\n";
  if (!session.flags().json) session.print({}, text);
  return Value(std::move(json));
}

// One table after the other; with --json a list when there are several.
Status evaluate_recipes(Session& session, const EvaluateFlags& flags) {
  VT_TRY(const std::string folder, recipe_folder());
  if (flags.tune) return tune_recipes(session, flags, folder);
  List all;
  for (const std::string& path : flags.recipes) {
    VT_TRY(const Recipe recipe, read_recipe(real_files(), path));
    VT_TRY(all.emplace_back(), evaluate_recipe(session, flags, recipe, folder));
  }
  const Value json = all.size() == 1 ? all.front() : Value(all);
  if (session.flags().json) session.print(json, "");
  return write_output(flags, json);
}

// [split] and [evaluate], with what the flags say instead.
std::pair<SplitOptions, EvaluateOptions> protocol(const Config& config,
                                                  const EvaluateFlags& flags) {
  std::pair<SplitOptions, EvaluateOptions> both{config.split, config.evaluate};
  if (!flags.split.empty()) both.first.kind = flags.split;
  if (!flags.repeat.empty()) both.second.repeat = flags.repeat;
  return both;
}

Status evaluate_models(Session& session, const EvaluateFlags& flags) {
  VT_TRY(const auto engine, session.engine(OpenMode::kTool));
  const auto [split, options] = protocol(session.config(), flags);
  VT_TRY(const EvaluationTable table,
         engine->evaluate(session.run(), split, options, flags.models, flags.dump));
  const Value json = table.to_json();
  VT_TRY(write_output(flags, json));
  std::string text = evaluation_text(table, flags.metrics);
  if (!flags.plot.empty()) {
    VT_TRY(plot_evaluation(real_files(), flags.plot, table, flags.metrics));
    text += "Plots: " + flags.plot + "\n";
  }
  if (!flags.dump.empty()) text += "Ranked lists and truth in TREC form: " + flags.dump + "\n";
  session.print(json, text);
  return {};
}

Status evaluate_cascade(Session& session, const EvaluateFlags& flags) {
  if (!flags.models.empty() || !flags.recipes.empty() || !flags.dump.empty() ||
      !flags.plot.empty()) {
    return Error{Code::kInvalid,
                 "--cascade measures a placement: no models, --recipe, --dump or --plot with it"};
  }
  VT_TRY(const auto engine, session.engine(OpenMode::kTool));
  const auto [split, options] = protocol(session.config(), flags);
  VT_TRY(const CascadeTable table,
         engine->evaluate_cascade(session.run(), split, options, flags.placement));
  const Value json = table.to_json();
  VT_TRY(write_output(flags, json));
  session.print(json, cascade_text(table, flags.metrics));
  return {};
}

// A recipe says how it is measured: a flag that would be ignored beside it is refused.
Status check_flags(const EvaluateFlags& flags) {
  const auto is_of_recipe = [](const char* what, const char* remedy) {
    return Error{Code::kInvalid, fmt::format("{} cannot be given with --recipe: {}", what, remedy)};
  };
  if (flags.recipes.empty()) {
    if (flags.tune || !flags.curve.empty())
      return Error{Code::kInvalid, "--tune and --learning-curve belong to --recipe"};
    return {};
  }
  if (!flags.models.empty()) return is_of_recipe("a model", "its [[models]] say which");
  if (!flags.split.empty()) return is_of_recipe("--split", "its [split] says how");
  if (!flags.repeat.empty()) return is_of_recipe("--repeat", "its evaluate.repeat says whether");
  if (!flags.metrics.empty()) return is_of_recipe("--metrics", "its metrics are the columns");
  if (!flags.dump.empty()) return is_of_recipe("--dump", "it is for a shop's own data");
  if (flags.tune && !(flags.output.empty() && flags.plot.empty() && flags.curve.empty())) {
    return Error{Code::kInvalid,
                 "--output, --plot and --learning-curve are of the test part, which --tune does "
                 "not ask: run once with --tune and once without; --json prints the search"};
  }
  return {};
}

}  // namespace

Command evaluate_command() {
  auto flags = std::make_shared<EvaluateFlags>();
  return {"evaluate", "measure models on events they have not seen",
          "Full ranking over all items. Popularity of all time and of the last seven days is "
          "always in the table.\n\n"
          "  vitrine evaluate\n"
          "  vitrine evaluate ease item_knn --split last_group --repeat always\n"
          "  vitrine evaluate --cascade --placement home\n"
          "  vitrine evaluate --metrics ndcg@10,map@10,gini@10 --dump lists/ --output table.json\n"
          "  VITRINE_DATA=data-sets vitrine evaluate --recipe bench/accuracy/ml1m_ease.toml\n",
          [flags](Flags& f) {
            f.arguments("model", flags->models,
                        "models of [models.*]; all of them when none is named");
            f.choice("--split", flags->split,
                     {"time", "last", "last_group", "random", "users", "prefixes"},
                     "instead of split.kind");
            f.choice("--repeat", flags->repeat, {"never", "always"}, "instead of evaluate.repeat");
            f.list("--metrics", flags->metrics, "columns of the table; --json always has all");
            f.text("--dump", flags->dump, "folder for ranked lists and truth in TREC form");
            f.text("--output", flags->output, "file for the table as JSON");
            f.text("--plot", flags->plot, "folder for dot plots and learning curves as SVG");
            f.choice("--learning-curve", flags->curve, {"persons", "history"},
                     "of a recipe: fit on 10, 20, 50 and 100 % of them as well");
            f.list("--recipe", flags->recipes,
                   "a recipe instead of this shop: ours beside published figures, from the data "
                   "sets in VITRINE_DATA; may be repeated");
            f.flag("--cascade", flags->cascade,
                   "what a placement's lists lose, step by step, when there is no time for all of "
                   "its models");
            f.text("--placement", flags->placement, "of --cascade");
            f.flag("--tune", flags->tune,
                   "search the recipe's [tune] on its validation part; the test part is not asked");
          },
          [flags](Session& session) -> Status {
            if (flags->cascade) return evaluate_cascade(session, *flags);
            VT_TRY(check_flags(*flags));
            return flags->recipes.empty() ? evaluate_models(session, *flags)
                                          : evaluate_recipes(session, *flags);
          }};
}

}  // namespace vitrine

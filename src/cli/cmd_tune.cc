#include <fmt/format.h>

#include <algorithm>

#include "base/toml.h"
#include "cli/command.h"
#include "cli/text_table.h"

namespace vitrine {
namespace {

struct TuneFlags {
  TuneOptions options;
  std::vector<std::string> models;
  std::string recipe;
};

std::string report_text(const TuneReport& report) {
  TextTable table({"model", ">trials", ">as configured", ">best", ">fits, CPU-s"});
  for (const Tuned& model : report.models) {
    std::size_t trials = 0;
    double cpu = 0;
    for (const TuneTrial& trial : report.trials) {
      if (trial.model != model.config.name) continue;
      ++trials;
      cpu += trial.fit.cpu_s;
    }
    table.row({model.config.name, std::to_string(trials), fmt::format("{:.4f}", model.configured),
               fmt::format("{:.4f}", model.value), fmt::format("{:.1f}", cpu)});
  }
  std::string text =
      fmt::format("{} on validation: {}\n\n", report.metric, report.split) + table.str() + "\n";
  if (report.out_of_time) text += "The time ran out before the trials did.\n\n";
  return text + report.toml();
}

Result<TuneReport> search(Session& session, const TuneFlags& flags) {
  if (!flags.recipe.empty()) {
    if (!flags.models.empty()) {
      return Error{Code::kInvalid, "--recipe tunes the recipe's own models; name no others"};
    }
    VT_TRY(const std::string folder, recipe_folder());
    return tune_by_recipe(session.run(), real_files(), flags.recipe, folder, flags.options,
                          session.config().shop.seed);
  }
  VT_TRY(const auto engine, session.engine(OpenMode::kTool));
  return engine->tune(session.run(), flags.options, flags.models);
}

Status tune(Session& session, const TuneFlags& flags) {
  VT_TRY(const TuneReport report, search(session, flags));
  session.print(report.to_json(), report_text(report));
  if (report.interrupted) {
    return Error{Code::kCancelled,
                 flags.options.resume.empty()
                     ? "interrupted: this is the best so far; with --resume FILE a search can go on"
                     : "interrupted: the same command goes on from " + flags.options.resume};
  }
  return {};
}

}  // namespace

Command tune_command() {
  auto flags = std::make_shared<TuneFlags>();
  return {
      "tune", "search the settings of models on a validation split",
      "Prints the best settings as lines of a vitrine.toml. What `vitrine evaluate` holds out is "
      "not touched.\n"
      "--resume FILE keeps every trial as a line of JSON; the same command goes on from "
      "there.\n\n"
      "  vitrine tune ease item_knn\n"
      "  vitrine tune item_knn --trials 100 --seconds 600 --resume trials.jsonl\n"
      "  vitrine tune ease --range lambda=50..5000:log\n"
      "  VITRINE_DATA=data-sets vitrine tune --recipe bench/accuracy/ml1m_ease.toml\n",
      [flags](Flags& f) {
        TuneOptions& o = flags->options;
        f.arguments("model", flags->models, "models of [models.*]; all of them when none is named");
        f.choice("--method", o.method, {"tpe", "random", "halving"},
                 "learn where good settings are, draw them at random, or try many on few "
                 "persons first");
        f.number("--trials", o.trials, 1, 100'000, "settings per model");
        f.number("--seconds", o.seconds, 0, 1e7, "time for all models together; 0: no limit");
        f.list("--range", o.ranges, "[MODEL.]key=low..high, key=low..high:log or key=value|value");
        f.text("--recipe", flags->recipe,
               "tune the models of a recipe on its validation part instead; files are found in the "
               "folder that VITRINE_DATA names");
        f.text("--resume", o.resume, "file of trials to go on from and to append to");
      },
      [flags](Session& session) { return tune(session, *flags); }};
}

}  // namespace vitrine

#include <fmt/format.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/report.h"

namespace vitrine {
namespace {

struct EvaluateFlags {
  std::vector<std::string> models, metrics;
  std::string split, repeat, dump, output;
};

Status evaluate_models(Session& session, const EvaluateFlags& flags) {
  VT_TRY(const auto engine, session.engine(OpenMode::kTool));
  SplitOptions split = session.config().split;
  EvaluateOptions options = session.config().evaluate;
  if (!flags.split.empty()) split.kind = flags.split;
  if (!flags.repeat.empty()) options.repeat = flags.repeat;
  VT_TRY(const EvaluationTable table,
         engine->evaluate(session.run(), split, options, flags.models, flags.dump));
  const Value json = table.to_json();
  if (!flags.output.empty()) {
    VT_TRY(write_file_atomically(real_files(), flags.output, to_json_pretty(json) + "\n"));
  }
  std::string text = evaluation_text(table, flags.metrics);
  if (!flags.dump.empty()) text += "Ranked lists and truth in TREC form: " + flags.dump + "\n";
  session.print(json, text);
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
          "  vitrine evaluate --metrics ndcg@10,map@10,gini@10 --dump lists/ --output table.json\n",
          [flags](Flags& f) {
            f.arguments("model", flags->models,
                        "models of [models.*]; all of them when none is named");
            f.choice("--split", flags->split, {"time", "last", "last_group", "random", "users"},
                     "instead of split.kind");
            f.choice("--repeat", flags->repeat, {"never", "always"}, "instead of evaluate.repeat");
            f.list("--metrics", flags->metrics, "columns of the table; --json always has all");
            f.text("--dump", flags->dump, "folder for ranked lists and truth in TREC form");
            f.text("--output", flags->output, "file for the table as JSON");
          },
          [flags](Session& session) { return evaluate_models(session, *flags); }};
}

}  // namespace vitrine

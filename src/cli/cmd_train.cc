#include "cli/command.h"
#include "cli/report.h"

namespace vitrine {
namespace {

Value report_json(const TrainReport& report) {
  Table fits;
  for (const auto& [name, usage] : report.fits) {
    fits.set(name, Table{{"elapsed_s", usage.elapsed_s}, {"cpu_s", usage.cpu_s}});
  }
  return Table{{"published", report.published},         {"verdict", report.verdict},
               {"manifest", report.manifest.to_json()}, {"fits", fits},
               {"cleaning", report.cleaning.to_json()}, {"chosen_toml", report.chosen_toml}};
}

}  // namespace

Command train_command() {
  auto request = std::make_shared<TrainRequest>();
  auto no_validate = std::make_shared<bool>(false);
  return {"train", "fit the models on everything and publish a snapshot",
          "Measures on a validation split, fits again on everything, and publishes unless the new "
          "snapshot is\n"
          "worse than the published one (--force overrides). Without [train] models it looks at "
          "the data and\n"
          "chooses by validation within train.budget_seconds, and prints the configuration that it "
          "chose.\n\n"
          "  vitrine train\n"
          "  vitrine train --set train.budget_seconds=60\n",
          [=](Flags& f) {
            f.flag("--force", request->force, "publish whatever the gate says");
            f.text("--reason", request->reason, "why it is forced; recorded in the snapshot");
            f.flag("--no-validate", *no_validate,
                   "skip the validation split; the gate then sees no metrics");
          },
          [=](Session& session) -> Status {
            request->validate = !*no_validate;
            VT_TRY(const auto engine, session.engine(OpenMode::kTool));
            VT_TRY(const TrainReport report, engine->train(session.run(), *request));
            session.print(report_json(report), train_text(report));
            if (!report.published) {
              return Error{Code::kInvalid, "the snapshot was not published: " + report.verdict};
            }
            return {};
          }};
}

}  // namespace vitrine

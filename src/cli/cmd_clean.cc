#include "cli/command.h"
#include "cli/report.h"

namespace vitrine {

Command clean_command() {
  return {"clean", "show what cleaning takes out of the log, rule by rule",
          "Cleaning is a view: nothing is deleted, and every rule can be switched off in "
          "[cleaning].\n\n"
          "  vitrine clean\n"
          "  vitrine clean --set cleaning.bots=false\n",
          [](Flags&) {},
          [](Session& session) -> Status {
            VT_TRY(const auto engine, session.engine(OpenMode::kTool));
            VT_TRY(const CleaningReport report, engine->clean(session.run()));
            session.print(report.to_json(), cleaning_text(report));
            return {};
          }};
}

}  // namespace vitrine

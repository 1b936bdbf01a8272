#include "base/toml.h"
#include "cli/command.h"
#include "server/server.h"

namespace vitrine {
Command config_command() {
  auto docs = std::make_shared<std::string>();
  return {"config", "check vitrine.toml and print it with every default written out",
          "  vitrine config\n"
          "  vitrine config --docs configuration > docs/configuration.md\n",
          [docs](Flags& f) {
            f.choice("--docs", *docs, {"configuration", "api", "openapi"},
                     "print a generated page of the documentation instead");
          },
          [docs](Session& session) -> Status {
            std::string text;
            if (*docs == "configuration")
              text = configuration_markdown();
            else if (*docs == "api")
              text = api_markdown();
            else if (*docs == "openapi")
              text = openapi_document();
            else
              text = to_toml(config_to_table(session.config()));
            session.print(config_to_table(session.config()), text);
            return {};
          }};
}

}  // namespace vitrine

#include "cli/command.h"
#include "cli/report.h"

namespace vitrine {
namespace {

struct SimilarFlags {
  std::string item, by = "behaviour";
  int n = 10;
  std::vector<std::string> exclude;
};

}  // namespace

Command similar_command() {
  auto flags = std::make_shared<SimilarFlags>();
  return {"similar", "items like an item, or bought together with it",
          "  vitrine similar 85123A\n"
          "  vitrine similar 85123A --by together\n",
          [flags](Flags& f) {
            f.argument("item", flags->item, true, "item id");
            f.choice("--by", flags->by, {"behaviour", "together"},
                     "liked by the same people, or bought in the same basket");
            f.number("-n,--number", flags->n, 1, 1000, "length of the list");
            f.list("--exclude", flags->exclude, "item ids that may not be in the list");
          },
          [flags](Session& session) -> Status {
            VT_TRY(const auto engine, session.engine(OpenMode::kTool));
            VT_TRY(const Item item, engine->item(flags->item));
            const SimilarBy by =
                flags->by == "together" ? SimilarBy::kTogether : SimilarBy::kBehaviour;
            VT_TRY(const Answer answer, engine->similar(flags->item, flags->n, by, flags->exclude));
            const std::string relation =
                by == SimilarBy::kTogether ? "Bought together with " : "Similar to ";
            session.print(answer_json(answer),
                          relation + flags->item + " " + item.title + "\n" + answer_text(answer));
            return {};
          }};
}

}  // namespace vitrine

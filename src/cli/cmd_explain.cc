#include <fmt/format.h>

#include "cli/command.h"
#include "cli/text_table.h"

namespace vitrine {
namespace {

struct ExplainFlags {
  std::string user, item, placement = "home";
};

Status explain_item(Session& session, const ExplainFlags& flags) {
  VT_TRY(const auto engine, session.engine(OpenMode::kTool));
  RecommendRequest request;
  request.user = flags.user;
  request.placement = flags.placement;
  VT_TRY(const auto explained, engine->explain(request, flags.item));
  List json;
  TextTable table({"model", ">score", ">share", "because of", "title"});
  for (const AnsweredItem& model : explained) {
    List reasons;
    table.row({model.source, fmt::format("{:.4f}", model.score)});
    for (const AnsweredReason& reason : model.reasons) {
      table.row({"", "", fmt::format("{:.0f} %", 100 * reason.share),
                 reason.type + " " + reason.item, reason.title});
      reasons.push_back(Table{{"item", reason.item},
                              {"title", reason.title},
                              {"type", reason.type},
                              {"share", reason.share}});
    }
    json.push_back(Table{{"model", model.source}, {"score", model.score}, {"reasons", reasons}});
  }
  const std::string title = explained.empty() ? "" : explained.front().title;
  session.print(
      Table{{"user", flags.user}, {"item", flags.item}, {"models", json}},
      fmt::format("{} {} for customer {}\n{}", flags.item, title, flags.user, table.str()));
  return {};
}

}  // namespace

Command explain_command() {
  auto flags = std::make_shared<ExplainFlags>();
  return {"explain", "why one item for one person: scores and shares of each past event",
          "The share of an event is what the item's score loses without it.\n\n"
          "  vitrine explain 17850 22423\n",
          [flags](Flags& f) {
            f.argument("user", flags->user, true, "user id");
            f.argument("item", flags->item, true, "item id");
            f.text("--placement", flags->placement, "one of [placements.*]");
          },
          [flags](Session& session) { return explain_item(session, *flags); }};
}

}  // namespace vitrine

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/report.h"

namespace vitrine {
namespace {

struct RecommendFlags {
  RecommendRequest request;
  std::vector<std::string> users, items;
};

constexpr std::size_t kHistoryShown = 5;

// "Customer 17850 (34 events; the latest: ...)" above the list.
std::string heading(const Engine& engine, const std::string& user) {
  const auto person = engine.person(user);
  if (!person.ok() || person->history.empty()) return "Visitor " + user + ": nothing known yet\n";
  std::string text = fmt::format("Customer {}: {} events, the latest ", user,
                                 format_count(person->history.size()));
  std::size_t shown = 0;
  for (std::size_t i = person->items.size(); i-- > 0 && shown < kHistoryShown; ++shown) {
    const auto item = engine.item(person->items[i]);
    if (shown > 0) text += " · ";
    text += item.ok() && !item->title.empty() ? item->title : person->items[i];
  }
  return text + "\n";
}

Status recommend_all(Session& session, const RecommendFlags& flags) {
  VT_TRY(const auto engine, session.engine(OpenMode::kTool));
  std::vector<std::string> users = flags.users;
  if (users.empty()) users.emplace_back();
  List json;
  std::string text;
  for (const std::string& user : users) {
    RecommendRequest request = flags.request;
    request.user = user;
    for (const std::string& item : flags.items) {
      Event event;
      event.item = item;
      event.type = EventType::kPurchase;
      request.history.push_back(std::move(event));
    }
    VT_TRY(const Answer answer, engine->recommend(request));
    if (!text.empty()) text += "\n";
    text += user.empty() ? "An anonymous visitor\n" : heading(*engine, user);
    text += answer_text(answer);
    Value one = answer_json(answer);
    one.as_table()->set("user", user);
    json.push_back(std::move(one));
  }
  session.print(json.size() == 1 ? json.front() : Value(Table{{"answers", json}}), text);
  return {};
}

}  // namespace

Command recommend_command() {
  auto flags = std::make_shared<RecommendFlags>();
  flags->request.explain = true;
  return {"recommend", "what a person should see, and why",
          "  vitrine recommend 17850 13047\n"
          "  vitrine recommend --history 85123A,22423 -n 5        somebody we do not know, who "
          "bought these\n"
          "  vitrine recommend 17850 --placement reorder --models ease\n",
          [flags](Flags& f) {
            f.arguments("user", flags->users, "user ids; none: an anonymous visitor");
            f.list("--history", flags->items,
                   "item ids that the visitor bought, beside what the log knows");
            f.number("-n,--number", flags->request.n, 1, 1000, "length of the list");
            f.text("--placement", flags->request.placement, "one of [placements.*]");
            f.list("--models", flags->request.models, "instead of the placement's");
            f.choice("--repeat", flags->request.repeat, {"never", "after_cycle", "always"},
                     "instead of the placement's");
            f.list("--exclude", flags->request.exclude, "item ids that may not be in the list");
            f.list("--category", flags->request.categories,
                   "only items on or below these category paths");
            f.text("--item", flags->request.item, "the item that is being looked at");
            f.list("--cart", flags->request.cart, "item ids in the cart");
          },
          [flags](Session& session) { return recommend_all(session, *flags); }};
}

}  // namespace vitrine

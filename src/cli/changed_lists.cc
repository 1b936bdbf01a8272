#include "cli/changed_lists.h"

#include <chrono>
#include <memory>

#include "base/json.h"

namespace vitrine {
namespace {

constexpr std::string_view kNoRepeat = "never";

RecommendRequest list_of(const std::string& user, int n, const std::string& placement) {
  RecommendRequest request;
  request.user = user;
  request.n = n;
  request.placement = placement;
  request.repeat = kNoRepeat;
  return request;
}

}  // namespace

Result<std::unique_ptr<ChangedLists>> ChangedLists::of(const Engine& engine,
                                                       const std::vector<std::string>& users, int n,
                                                       const std::string& placement) {
  std::unique_ptr<ChangedLists> lists(new ChangedLists(n, placement));
  for (const std::string& user : users) {
    VT_TRY(const Answer answer, engine.recommend(list_of(user, n, placement)));
    if (answer.items.empty()) continue;
    lists->users_.push_back(user);
    lists->tops_.push_back(answer.items.front().id);
  }
  if (lists->users_.empty())
    return Error{Code::kUnavailable, "no customer has a list: `vitrine train` first"};
  lists->bought_.resize(lists->users_.size());
  return lists;
}

void ChangedLists::plan(LoadPlan& plan) {
  plan.path = "/v1/events";
  plan.body = [this](std::uint64_t i) { return purchase(i); };
  plan.then_path = "/v1/recommendations";
  plan.then = [this](std::uint64_t i, std::string_view answer) { return request(i, answer); };
  plan.check = [this](std::uint64_t i, std::string_view answer) { return check(i, answer); };
}

std::string ChangedLists::purchase(std::uint64_t i) {
  const std::size_t who = i % users_.size();
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  const std::lock_guard lock(mutex_);
  bought_[who] = tops_[who];
  return to_json(List{Table{{"id", "changed-" + std::to_string(now) + "-" + std::to_string(i)},
                            {"user", users_[who]},
                            {"item", bought_[who]},
                            {"type", "purchase"}}});
}

std::string ChangedLists::request(std::uint64_t i, std::string_view acknowledgement) const {
  Table request{{"user", users_[i % users_.size()]},
                {"n", n_},
                {"placement", placement_},
                {"repeat", std::string(kNoRepeat)}};
  const auto answer = parse_json(acknowledgement);
  const Table* fields = answer.ok() ? answer->as_table() : nullptr;
  if (const Value* sequence = fields == nullptr ? nullptr : fields->find("sequence"))
    request.set("min_sequence", *sequence);
  return to_json(request);
}

std::string ChangedLists::check(std::uint64_t i, std::string_view answer) {
  const auto parsed = parse_json(answer);
  const Table* fields = parsed.ok() ? parsed->as_table() : nullptr;
  const Value* items = fields == nullptr ? nullptr : fields->find("items");
  if (items == nullptr || items->as_list() == nullptr) return "an answer without a list";
  const std::size_t who = i % users_.size();
  const std::lock_guard lock(mutex_);
  std::string top;
  for (const Value& item : *items->as_list()) {
    const Value* id = item.as_table() == nullptr ? nullptr : item.as_table()->find("id");
    if (id == nullptr || id->as_string() == nullptr) return "an item without an id";
    if (*id->as_string() == bought_[who])
      return "the list of " + users_[who] + " still shows " + bought_[who] + ", just bought";
    if (top.empty()) top = *id->as_string();
  }
  if (!top.empty()) tops_[who] = std::move(top);
  return {};
}

}  // namespace vitrine

// What all the ways to make a Split share.
#include <fmt/format.h>

#include <algorithm>

#include "data/readable.h"
#include "data/split_plan.h"

namespace vitrine {

std::size_t history_min(const Histories& all, std::size_t row, const SplitOptions& options) {
  return static_cast<std::size_t>(std::max(options.events_min, all.user(row) ? 0 : 1));
}

std::optional<UserIndex> fitted_user(const Histories& train, std::size_t row) {
  if (row >= train.users() || train.row(row).empty()) return std::nullopt;
  return train.user(row);
}

std::string tie_rule(const Histories& all) {
  const auto events = all.events();
  const auto untimed = static_cast<std::uint64_t>(std::count_if(
      events.begin(), events.end(), [](const HistoryEvent& e) { return e.time == kNoTime; }));
  std::string rule = "; equal times keep log order";
  if (untimed > 0) {
    rule += fmt::format("; {} {} no time and {} file order", readable_count(untimed, "event"),
                        untimed == 1 ? "has" : "have", untimed == 1 ? "keeps" : "keep");
  }
  return rule;
}

void Truth::assign(std::span<const HistoryEvent> held) {
  items.clear();
  for (const HistoryEvent& event : held) items.push_back(event.item);
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  ratings.resize(items.size());
  for (const HistoryEvent& event : held) {
    const auto at = std::lower_bound(items.begin(), items.end(), event.item) - items.begin();
    ratings[static_cast<std::size_t>(at)] = event.value;
  }
}

Status check_asked(const Split& split, const SplitOptions& options) {
  if (split.cases() > 0) return {};
  return split_error(fmt::format(
      "kind={} leaves nobody to ask: no person has both held-out events and {} to go by ({} "
      "held-out "
      "items are new to training); a lower events_min, new_items=true or another kind would help",
      options.kind,
      readable_count(static_cast<std::uint64_t>(std::max(options.events_min, 0)), "event"),
      readable_count(split.dropped_new_items())));
}

}  // namespace vitrine

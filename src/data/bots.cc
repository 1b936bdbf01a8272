#include "data/bots.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "data/item.h"
#include "data/readable.h"

namespace vitrine {
namespace {

constexpr Timestamp kMinute = 60 * kSecond;

using Action = std::pair<std::uint64_t, Timestamp>;  // person, when

// The times at which persons acted, for those with enough actions to be a bot at all, by person.
std::vector<Action> frequent_actions(const EventTable& events, std::span<const std::uint8_t> kept,
                                     const BotLimits& limits) {
  std::vector<std::uint64_t> order_person(events.orders.size(), EventTable::kNobody);
  std::vector<std::uint32_t> sessions(events.sessions.size()), users;
  std::vector<std::uint32_t> acting;
  const auto count = [&](std::size_t row) -> std::uint32_t& {
    if (events.user[row] == kNoUser) return sessions[events.session[row]];
    const std::size_t user = raw(events.user[row]);
    if (user >= users.size()) users.resize(std::max(user + 1, 2 * users.size()));
    return users[user];
  };
  for (std::size_t row = 0; row < events.size(); ++row) {
    const std::uint64_t who = events.person(row);
    const bool acts = kept[row] && who != EventTable::kNobody && events.time[row] != kNoTime &&
                      events.type[row] != EventType::kImpression;
    if (!acts) continue;
    if (const std::uint32_t order = events.order[row]; order != EventTable::kNone) {
      if (order_person[order] == who) continue;
      order_person[order] = who;
    }
    acting.push_back(static_cast<std::uint32_t>(row));
    ++count(row);
  }
  const auto enough = static_cast<std::uint64_t>(
      std::min(std::int64_t{limits.per_minute} * limits.minutes, std::int64_t{limits.per_day}));
  std::vector<Action> actions;
  for (const std::uint32_t row : acting) {
    if (count(row) >= enough) actions.emplace_back(events.person(row), events.time[row]);
  }
  std::sort(actions.begin(), actions.end());
  return actions;
}

Timestamp floor_div(Timestamp time, Timestamp unit) {
  return time / unit - (time % unit < 0 ? 1 : 0);
}

// Why somebody who acted so (one person's actions, in time order) is a bot; empty if not.
std::string bot_reason(std::span<const Action> actions, const BotLimits& limits) {
  const auto run_end = [&](std::size_t from, Timestamp unit) {
    const Timestamp which = floor_div(actions[from].second, unit);
    std::size_t end = from;
    while (end < actions.size() && floor_div(actions[end].second, unit) == which) ++end;
    return end;
  };
  for (std::size_t from = 0, end; from < actions.size(); from = end) {
    end = run_end(from, kDay);
    if (end - from < static_cast<std::size_t>(limits.per_day)) continue;
    return fmt::format("{} within the day of {}", readable_count(end - from, "action"),
                       format_time(actions[from].second));
  }
  int busy = 0;
  Timestamp before = kNoTime;  // the last busy minute
  for (std::size_t from = 0, end; from < actions.size(); from = end) {
    end = run_end(from, kMinute);
    if (end - from < static_cast<std::size_t>(limits.per_minute)) continue;
    const Timestamp minute = floor_div(actions[from].second, kMinute);
    busy = minute - 1 == before ? busy + 1 : 1;
    before = minute;
    if (busy < limits.minutes) continue;
    return fmt::format("{} or more actions in each of {} up to {}", limits.per_minute,
                       readable_count(static_cast<std::uint64_t>(busy), "minute"),
                       format_time(actions[from].second));
  }
  return {};
}

}  // namespace

std::vector<Bot> find_bots(const EventTable& events, std::span<const std::uint8_t> kept,
                           const BotLimits& limits) {
  const std::vector<Action> actions = frequent_actions(events, kept, limits);
  std::vector<Bot> bots;
  for (std::size_t from = 0, end; from < actions.size(); from = end) {
    end = from;
    while (end < actions.size() && actions[end].first == actions[from].first) ++end;
    std::string why = bot_reason(std::span(actions).subspan(from, end - from), limits);
    if (!why.empty()) bots.push_back({actions[from].first, std::move(why)});
  }
  return bots;
}

}  // namespace vitrine

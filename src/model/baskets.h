// Baskets of a history: the distinct items of each group of neighbouring events, of those events
// that make a basket. Serves together and basket.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/histories.h"

namespace vitrine {

// The events that make a basket.
enum class BasketEvents { kAll, kPurchases, kViews };

inline bool makes_a_basket(const HistoryEvent& event, BasketEvents events) {
  if (events == BasketEvents::kAll) return event.weight > 0;
  const EventType type =
      events == BasketEvents::kPurchases ? EventType::kPurchase : EventType::kView;
  return event.type == type && event.weight > 0;
}

inline bool holds(const Histories& histories, EventType type) {
  const auto events = histories.events();
  return std::any_of(events.begin(), events.end(),
                     [type](const HistoryEvent& e) { return e.type == type; });
}

// Of an option "auto|purchases|all"; auto: purchases where the histories hold any.
inline std::string basket_events(const std::string& option, const Histories& histories) {
  if (option != "auto") return option;
  return holds(histories, EventType::kPurchase) ? "purchases" : "all";
}

// Calls visit(items) for each basket that holds an item below `items`, from the earliest to the
// latest; ascending, distinct.
template <class Visit>
void for_each_basket(std::span<const HistoryEvent> history, BasketEvents events,
                     std::uint32_t items, Visit visit) {
  std::vector<ItemIndex> basket;
  const auto close = [&] {
    std::sort(basket.begin(), basket.end());
    basket.erase(std::unique(basket.begin(), basket.end()), basket.end());
    if (!basket.empty()) visit(std::span<const ItemIndex>(basket));
    basket.clear();
  };
  for (std::size_t e = 0; e < history.size(); ++e) {
    if (e > 0 && history[e].group != history[e - 1].group) close();
    if (makes_a_basket(history[e], events) && raw(history[e].item) < items) {
      basket.push_back(history[e].item);
    }
  }
  close();
}

}  // namespace vitrine

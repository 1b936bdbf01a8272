#include "data/returns.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace vitrine {
namespace {

// A purchase or a return.
struct Line {
  std::uint64_t person;
  ItemIndex item;
  Timestamp time;
  std::uint32_t row;

  bool operator<(const Line& other) const {
    return std::tie(person, item, time, row) <
           std::tie(other.person, other.item, other.time, other.row);
  }
  bool same_purse(const Line& other) const {
    return person == other.person && item == other.item && person != EventTable::kNobody;
  }
};

using Undoes = bool (*)(const EventTable& events, std::size_t row);

// In the order in which they happened, those of one person and item together.
std::vector<Line> lines_in_order(const EventTable& events, std::span<const std::uint8_t> kept,
                                 EventType done, Undoes undoes) {
  std::vector<Line> lines;
  for (std::size_t row = 0; row < events.size(); ++row) {
    if (!kept[row] || (!undoes(events, row) && events.type[row] != done)) continue;
    const std::uint64_t who =
        events.item[row] == kNoItem ? EventTable::kNobody : events.person(row);
    lines.push_back({who, events.item[row], events.time[row], static_cast<std::uint32_t>(row)});
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

float pieces(float quantity) { return std::isnan(quantity) ? 1 : std::abs(quantity); }

bool undoes_order(const EventTable& events, std::size_t row) {
  return is_return(events, row) && events.item[row] == kNoItem &&
         events.order[row] != EventTable::kNone;
}

// What each return of a whole order finds of it, after the returns of its items.
void take_orders_back(const EventTable& events, std::span<const std::uint8_t> kept,
                      std::span<float> quantity, ReturnMatch& match,
                      std::vector<std::uint32_t>& touched) {
  struct Key {
    std::uint64_t person;
    std::uint32_t order, row;
    bool operator<(const Key& other) const {
      return std::tie(person, order, row) < std::tie(other.person, other.order, other.row);
    }
  };
  std::vector<Key> returns, purchases;
  for (std::uint32_t row = 0; row < events.size(); ++row) {
    if (kept[row] && undoes_order(events, row))
      returns.push_back({events.person(row), events.order[row], row});
  }
  if (returns.empty()) return;
  for (std::uint32_t row = 0; row < events.size(); ++row) {
    const bool bought = events.type[row] == EventType::kPurchase && !is_return(events, row);
    if (kept[row] && bought && events.order[row] != EventTable::kNone)
      purchases.push_back({events.person(row), events.order[row], row});
  }
  std::sort(purchases.begin(), purchases.end());
  for (const Key& back : returns) {
    bool found = false;
    auto line =
        std::lower_bound(purchases.begin(), purchases.end(), Key{back.person, back.order, 0});
    for (; line != purchases.end() && line->person == back.person && line->order == back.order;
         ++line) {
      if (events.time[line->row] > events.time[back.row] || !(pieces(quantity[line->row]) > 0))
        continue;
      quantity[line->row] = 0;
      touched.push_back(line->row);
      found = true;
    }
    ++(found ? match.matched : match.unmatched);
  }
}

ReturnMatch match(const EventTable& events, std::span<const std::uint8_t> kept,
                  std::span<float> quantity, EventType done, Undoes undoes) {
  const std::vector<Line> lines = lines_in_order(events, kept, done, undoes);
  ReturnMatch match;
  // This person's lines of the item with pieces left, latest last.
  std::vector<std::uint32_t> open, touched;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::uint32_t row = lines[i].row;
    if (undoes_order(events, row)) continue;
    if (i > 0 && !lines[i].same_purse(lines[i - 1])) open.clear();
    if (!undoes(events, row)) {
      if (pieces(quantity[row]) > 0) open.push_back(row);
      continue;
    }
    float left = pieces(quantity[row]);
    while (left > 0 && !open.empty()) {
      float& bought = quantity[open.back()];
      const float taken = std::min(left, pieces(bought));
      bought = pieces(bought) - taken;
      left -= taken;
      touched.push_back(open.back());
      if (!(bought > 0)) open.pop_back();
    }
    ++(left > 0 ? match.unmatched : match.matched);
    match.pieces_unmatched += left;
  }
  if (done == EventType::kPurchase) take_orders_back(events, kept, quantity, match, touched);
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  for (const std::uint32_t row : touched) {
    if (quantity[row] > 0)
      ++match.reduced;
    else
      match.undone.push_back(row);
  }
  return match;
}

}  // namespace

bool is_return(const EventTable& events, std::size_t row) {
  return events.type[row] == EventType::kReturn ||
         (events.type[row] == EventType::kPurchase && events.quantity[row] < 0);
}

bool is_cart_removal(const EventTable& events, std::size_t row) {
  return events.type[row] == EventType::kRemoveFromCart;
}

ReturnMatch match_returns(const EventTable& events, std::span<const std::uint8_t> kept,
                          std::span<float> quantity) {
  return match(events, kept, quantity, EventType::kPurchase, is_return);
}

ReturnMatch match_cart_removals(const EventTable& events, std::span<const std::uint8_t> kept,
                                std::span<float> quantity) {
  return match(events, kept, quantity, EventType::kCart, is_cart_removal);
}

}  // namespace vitrine

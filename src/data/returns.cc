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

bool undoes_order(const EventTable& events, std::size_t row) {
  return is_return(events, row) && events.item[row] == kNoItem &&
         events.order[row] != EventTable::kNone;
}

using Undoes = bool (*)(const EventTable& events, std::size_t row);

// In the order in which they happened, those of one person and item together.
std::vector<Line> lines_in_order(const EventTable& events, std::span<const std::uint8_t> kept,
                                 EventType done, Undoes undoes) {
  std::vector<Line> lines;
  for (std::size_t row = 0; row < events.size(); ++row) {
    if (!kept[row] || (!undoes(events, row) && events.type[row] != done)) continue;
    if (undoes_order(events, row)) continue;  // lines_of_orders()
    const std::uint64_t who =
        events.item[row] == kNoItem ? EventTable::kNobody : events.person(row);
    lines.push_back({who, events.item[row], events.time[row], static_cast<std::uint32_t>(row)});
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

float pieces(float quantity) { return std::isnan(quantity) ? 1 : std::abs(quantity); }

// A return of a whole order is a line of each item that its person bought in that order.
std::vector<Line> lines_of_orders(const EventTable& events, std::span<const std::uint8_t> kept) {
  using Order = std::pair<std::uint64_t, std::uint32_t>;  // person, order
  std::vector<std::pair<Order, std::uint32_t>> returns;
  for (std::uint32_t row = 0; row < events.size(); ++row) {
    if (kept[row] && undoes_order(events, row))
      returns.push_back({{events.person(row), events.order[row]}, row});
  }
  std::vector<Line> lines;
  if (returns.empty()) return lines;
  std::sort(returns.begin(), returns.end());
  for (std::size_t row = 0; row < events.size(); ++row) {
    if (!kept[row] || events.type[row] != EventType::kPurchase || is_return(events, row)) continue;
    const Order order{events.person(row), events.order[row]};
    auto back = std::lower_bound(returns.begin(), returns.end(), std::pair(order, 0u));
    for (; back != returns.end() && back->first == order; ++back)
      lines.push_back({order.first, events.item[row], events.time[back->second], back->second});
  }
  std::sort(lines.begin(), lines.end());
  const auto same = [](const Line& a, const Line& b) { return a.same_purse(b) && a.row == b.row; };
  lines.erase(std::unique(lines.begin(), lines.end(), same), lines.end());
  return lines;
}

// Matches the lines of one person and item after another.
class Matcher {
 public:
  Matcher(const EventTable& events, std::span<float> quantity, Undoes undoes)
      : events_(events), quantity_(quantity), undoes_(undoes) {}

  void next_purse() { open_.clear(); }
  void line(std::uint32_t row) {
    if (undoes_order(events_, row))
      take_order(row);
    else if (undoes_(events_, row))
      take_pieces(row);
    else if (pieces(quantity_[row]) > 0)
      open_.push_back(row);
  }
  ReturnMatch finish(std::span<const std::uint8_t> kept) &&;

 private:
  void take_pieces(std::uint32_t row) {
    float left = pieces(quantity_[row]);
    while (left > 0 && !open_.empty()) {
      float& bought = quantity_[open_.back()];
      const float taken = std::min(left, pieces(bought));
      bought = pieces(bought) - taken;
      left -= taken;
      touched_.push_back(open_.back());
      if (!(bought > 0)) open_.pop_back();
    }
    ++(left > 0 ? match_.unmatched : match_.matched);
    match_.pieces_unmatched += left;
  }

  void take_order(std::uint32_t row) {
    std::erase_if(open_, [&](std::uint32_t bought) {
      if (events_.order[bought] != events_.order[row]) return false;
      quantity_[bought] = 0;
      touched_.push_back(bought);
      orders_.push_back(row);
      return true;
    });
  }

  const EventTable& events_;
  const std::span<float> quantity_;
  const Undoes undoes_;
  ReturnMatch match_;
  std::vector<std::uint32_t> open_;  // purchases of this purse with pieces left, latest last
  std::vector<std::uint32_t> touched_;
  std::vector<std::uint32_t> orders_;  // returns of orders that found something
};

void sort_unique(std::vector<std::uint32_t>& rows) {
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
}

ReturnMatch Matcher::finish(std::span<const std::uint8_t> kept) && {
  sort_unique(orders_);
  for (std::uint32_t row = 0; row < events_.size(); ++row) {
    if (!kept[row] || !undoes_order(events_, row)) continue;
    const bool found = std::binary_search(orders_.begin(), orders_.end(), row);
    ++(found ? match_.matched : match_.unmatched);
  }
  sort_unique(touched_);
  for (const std::uint32_t row : touched_) {
    if (quantity_[row] > 0)
      ++match_.reduced;
    else
      match_.undone.push_back(row);
  }
  return std::move(match_);
}

ReturnMatch match(const EventTable& events, std::span<const std::uint8_t> kept,
                  std::span<float> quantity, std::vector<Line> lines, Undoes undoes) {
  Matcher matcher(events, quantity, undoes);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0 && !lines[i].same_purse(lines[i - 1])) matcher.next_purse();
    matcher.line(lines[i].row);
  }
  return std::move(matcher).finish(kept);
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
  std::vector<Line> lines = lines_in_order(events, kept, EventType::kPurchase, is_return);
  const std::vector<Line> orders = lines_of_orders(events, kept);
  lines.insert(lines.end(), orders.begin(), orders.end());
  std::inplace_merge(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(orders.size()),
                     lines.end());
  return match(events, kept, quantity, std::move(lines), is_return);
}

ReturnMatch match_cart_removals(const EventTable& events, std::span<const std::uint8_t> kept,
                                std::span<float> quantity) {
  return match(events, kept, quantity,
               lines_in_order(events, kept, EventType::kCart, is_cart_removal), is_cart_removal);
}

}  // namespace vitrine

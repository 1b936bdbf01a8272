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

// In the order in which they happened, those of one person and item together.
std::vector<Line> lines_in_order(const EventTable& events, std::span<const std::uint8_t> kept) {
  std::vector<Line> lines;
  for (std::size_t row = 0; row < events.size(); ++row) {
    if (!kept[row] || (!is_return(events, row) && events.type[row] != EventType::kPurchase))
      continue;
    const std::uint64_t who =
        events.item[row] == kNoItem ? EventTable::kNobody : events.person(row);
    lines.push_back({who, events.item[row], events.time[row], static_cast<std::uint32_t>(row)});
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

float pieces(float quantity) { return std::isnan(quantity) ? 1 : std::abs(quantity); }

}  // namespace

bool is_return(const EventTable& events, std::size_t row) {
  return events.type[row] == EventType::kReturn ||
         (events.type[row] == EventType::kPurchase && events.quantity[row] < 0);
}

ReturnMatch match_returns(const EventTable& events, std::span<const std::uint8_t> kept,
                          std::span<float> quantity) {
  const std::vector<Line> lines = lines_in_order(events, kept);
  ReturnMatch match;
  std::vector<std::uint32_t>
      open;  // this person's purchases of the item with pieces left, latest last
  std::vector<std::uint32_t> touched;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::uint32_t row = lines[i].row;
    if (i > 0 && !lines[i].same_purse(lines[i - 1])) open.clear();
    if (!is_return(events, row)) {
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

}  // namespace vitrine

// Returns and the purchases that they undo, and removals from a cart and what they take out of it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/event_table.h"

namespace vitrine {

// An event of type return, or a purchase of negative quantity from a source that has no such type.
bool is_return(const EventTable& events, std::size_t row);
bool is_cart_removal(const EventTable& events, std::size_t row);

struct ReturnMatch {
  std::uint64_t matched = 0;    // returns whose every piece found its purchase
  std::uint64_t unmatched = 0;  // the others, and the pieces that they had left
  double pieces_unmatched = 0;
  std::uint64_t reduced = 0;          // purchases with pieces taken and pieces left
  std::vector<std::uint32_t> undone;  // rows of purchases with nothing left, ascending
};

// Takes the pieces of each kept return (1 in `kept`, one entry per row) out of `quantity`, from the
// same person's latest earlier purchases of the item, latest first. The sign of a return does not
// matter; an absent quantity is one piece. Earlier is by time, then by row; an event without time
// counts as earlier than any with. A return without item takes back everything that is left of the
// person's order that it names. O(n log n).
ReturnMatch match_returns(const EventTable& events, std::span<const std::uint8_t> kept,
                          std::span<float> quantity);
// The same of remove_from_cart and cart.
ReturnMatch match_cart_removals(const EventTable& events, std::span<const std::uint8_t> kept,
                                std::span<float> quantity);

}  // namespace vitrine

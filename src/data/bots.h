// Who acts at rates that no human reaches.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/event_table.h"

namespace vitrine {

// Both limits are inclusive. At least 1 each.
struct BotLimits {
  int per_minute;  // actions in a minute, `minutes` minutes in a row
  int minutes;
  int per_day;  // actions in a day (UTC)
};

struct Bot {
  std::uint64_t person;  // EventTable::person
  std::string why;       // "612 actions within the day of 2010-12-01T08:26:00Z"
};

// The bots among those who did the kept rows (1 in `kept`, one entry per row), by person,
// ascending. The events of one order are one action, at the time of the first; impressions are
// none; an event without time tells nothing.
std::vector<Bot> find_bots(const EventTable& events, std::span<const std::uint8_t> kept,
                           const BotLimits& limits);

}  // namespace vitrine

// What a shop of a given size will take of memory and disk, by the same constants and growth as the
// code that takes it. Of models it counts what [models.*] search
// their item vectors by; the rest of them and snapshots come on top.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/value.h"
#include "data/item.h"
#include "engine/config.h"

namespace vitrine {

struct PlanSize {
  std::uint64_t users = 0;  // and anonymous sessions that are remembered: each is a person
  std::uint64_t items = 0;
  std::uint64_t events = 0;     // of the latest kPopularDays, each with an id
  std::uint64_t regions = 0;    // that events name in their context
  std::uint64_t id_bytes = 12;  // of an average id
};

struct Plan {
  struct Row {
    std::string what;
    std::uint64_t memory_bytes = 0, disk_bytes = 0;
  };
  std::vector<Row> rows;
  std::uint64_t memory_bytes() const;
  std::uint64_t disk_bytes() const;
  const Row& row(std::string_view what) const;  // there is one
  Value to_json() const;
};

// Assumes events in batches, spread evenly over the days and over the items, which is the most that
// counters may take, and items like planned_item().
Plan plan(const PlanSize& size, const Config& config);

// An item as a shop describes it on average: title, category, brand, image, price, four attributes.
Item planned_item(std::uint64_t number, std::uint64_t id_bytes);

}  // namespace vitrine

// Which models of a snapshot a placement asks, and how much each counts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/config.h"
#include "engine/snapshot.h"

namespace vitrine {

struct PlacementSources {
  std::vector<Source> sources;         // names and models belong to the snapshot
  std::vector<std::uint32_t> cascade;  // of the sources: the order in which they are asked
  const Model* fallback = nullptr;     // its first popularity model; null without one
  std::string_view fallback_name;
  std::vector<std::string> missing;  // named by the placement, not in the snapshot
};

// Named models, else those that training chose for this placement, else all personal ones (neither
// popularity, which fills up, nor together, which answers for carts).
PlacementSources placement_sources(const Snapshot& snapshot, const PlacementOptions& placement);

bool is_personal(std::string_view kind);

}  // namespace vitrine

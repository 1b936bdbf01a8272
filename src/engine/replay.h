// Yesterday's requests asked again, of models that another configuration would have trained then:
// what would visitors have seen?
//
// The candidate is trained on the log up to the first request; each request is answered from the
// state as it was when it was answered first. So nothing that came later leaks in, and what differs
// is the configuration and the age of the training. Clicks say which of the shown items were
// wanted; an item that was not shown could not be clicked, so they judge the candidate too hard.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/value.h"

namespace vitrine {

struct ReplayOptions {
  std::size_t requests = 1000;  // of the latest ones, spread evenly
  std::string slates;           // folder of slate files; empty: the shop's own
};

struct ReplayedPlacement {
  std::string placement;
  std::uint64_t requests = 0, identical = 0, failed = 0, degraded = 0;
  double overlap = 0;             // mean share of the shown items that the candidate lists, too
  double first_kept = 0;          // share of the lists whose first item is the same
  std::uint64_t clicked = 0;      // shown items that events with the slate's id followed
  std::uint64_t clicks_kept = 0;  // of these, in the candidate's list
  double p50_ms = 0, p99_ms = 0;  // of the candidate's answers, without HTTP
};

struct ReplayReport {
  std::string first, last;  // times of the requests
  std::uint64_t trained_to = 0;
  std::vector<std::string> models;
  std::vector<ReplayedPlacement> placements;  // by name
  std::string first_failure;
  Value to_json() const;
};

}  // namespace vitrine

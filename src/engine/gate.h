// The gate for publication: a new snapshot must not be worse than the published one, show too
// little of the shop, have been trained on a remnant of the data or after a day of abnormal volume,
// or score in a way that has nothing to do with how the published one does.
#pragma once

#include <optional>
#include <string>

#include "engine/config.h"
#include "engine/drift.h"
#include "engine/snapshot.h"

namespace vitrine {

inline constexpr double kEventsShareMin = 0.5;   // of the champion's events
inline constexpr double kVolumeMedianMin = 100;  // a day with fewer events is no measure

// A metric of the lists a visitor sees.
struct Measured {
  double mean = 0, low = 0, high = 0;
};

struct GateInput {
  std::uint64_t events = 0;
  std::optional<Measured> metric;      // of the candidate; none: it could not be measured
  std::optional<double> coverage;      // share of the items that its lists reach
  const Manifest* champion = nullptr;  // null: nothing is published
  // The champion's lists on the candidate's own held-out events, where it has not seen them; else
  // what it recorded at its own training.
  std::optional<Measured> champion_metric;
  bool same_events = false;
  std::optional<DayVolume> volume = {};
  std::optional<ListDrift> drift = {};  // against the champion
  bool events_dropped = false;          // old ones, on purpose: their number is no measure
};

struct GateVerdict {
  bool passes = true;
  std::vector<GateCheck> checks;  // in the order in which they were made
  // In one line: what failed, else how the metric stands.
  std::string text() const;
};

GateVerdict check_gate(const GateInput& input, const TrainOptions& options);

// A metric of the lists ("home") in a manifest.
std::optional<Measured> recorded_metric(const Manifest& manifest, std::string_view metric);

}  // namespace vitrine

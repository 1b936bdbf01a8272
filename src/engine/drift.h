// What changed between two trainings: the volume of the data, the models' scores and the lists.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/run.h"
#include "data/histories.h"
#include "engine/config.h"
#include "engine/snapshot.h"

namespace vitrine {

// Events of the newest whole day (the one before the last event's) beside the same weekday of the
// up to eight weeks before. UTC.
struct DayVolume {
  std::int64_t day = 0;  // since 1970-01-01
  std::uint64_t events = 0;
  double median = 0;    // of the days before; days without any event count
  int days_before = 0;  // how many of them the data reaches back to
};
// None where the data has fewer than three such weekdays before, or no times.
std::optional<DayVolume> day_volume(const Histories& histories);

// The largest distance between the two samples' distribution functions (Kolmogorov, Smirnov): 0 the
// same, 1 nothing in common; 0 when one is empty. Not finite values count as the largest.
double kolmogorov_smirnov(std::vector<float> a, std::vector<float> b);

// How the lists of two snapshots differ for the same visitors.
struct ListDrift {
  std::size_t visitors = 0;
  int n = 0;
  double overlap = 1;  // mean share of the first n that both list
  // Models of one name and kind in both -> the distance of the distributions of their n best
  // scores, each divided by the visitor's best: a model that collapses or explodes shows.
  std::vector<std::pair<std::string, double>> scores;
};
// Up to kDriftVisitors rows of `histories`, spread evenly, at the placement "home". Deterministic.
// Each snapshot answers by its own configuration. The only error is kCancelled.
Result<ListDrift> list_drift(const Run& run, const Snapshot& before, const Config& before_config,
                             const Snapshot& after, const Config& after_config,
                             const Histories& histories);

}  // namespace vitrine

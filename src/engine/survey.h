// What a data set is like, and which models it can carry: what `train` says before it chooses.
#pragma once

#include <cstdint>
#include <string>

#include "data/histories.h"

namespace vitrine {

struct Survey {
  std::uint64_t users = 0, sessions = 0;      // with at least one event
  std::uint64_t items = 0;                    // that occur in events
  std::uint64_t events = 0, cells = 0;        // cells: distinct person-item pairs
  double repeat_share = 0;                    // events on an item that the person had before
  double density = 0;                         // cells / (persons x items)
  double median_length = 0, long_length = 0;  // events of a person: median, 90th percentile
  double timed_share = 0;                     // events with a time
  double days = 0;                            // from the first to the last
  double basket_share = 0;                    // groups that hold several distinct items
  double basket_size = 0;                     // mean distinct items of those
};

Survey survey(const Histories& histories);

// A few lines for people: the figures, and what follows from them for models and evaluation.
std::string survey_text(const Survey& survey);

// Whether bought-together models have anything to learn from, and whether a split by time is
// possible.
bool has_baskets(const Survey& survey);
bool has_times(const Survey& survey);

}  // namespace vitrine

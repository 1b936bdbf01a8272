// What most people took: one list for everyone, best first, or one per category. Counts persons or
// events, all time, within a window, or with a half-life, each event with the weight of its type.
//
//   s_j = sum over persons of max (or over events, sum) of  w_e 2^(-age_e / half-life),  age_e <=
//   window
//
// Ages are counted back from the last event of the histories; an event without a time has age 0.
// The baseline that every other model has to beat, and the fallback for visitors that nothing is
// known about.
#pragma once

#include <memory>

#include "model/model.h"

namespace vitrine {

struct PopularityOptions {
  double window_days = 0;
  double half_life_days = 0;
  std::string count = "persons";
  std::string by = "all";

  static constexpr std::string_view kName = "popularity";
  static constexpr auto fields() {
    using O = PopularityOptions;
    return std::tuple{
        Field{"window_days", &O::window_days, 0.0, 36500.0,
              "only events of the last so many days; 0: all"},
        Field{"half_life_days", &O::half_life_days, 0.0, 1e5,
              "an event weighs half after so many days; 0: for ever"},
        Field{"count", &O::count, "persons|events",
              "whether a person who took an item often counts once or each time"},
        Field{"by", &O::by, "all|category",
              "category: the list of the category of the item that is looked at or was last in the "
              "history; all items where there is none"}};
  }
};

Result<std::unique_ptr<const Model>> fit_popularity(const Run& run,
                                                    const PopularityOptions& options,
                                                    const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_popularity(ArchiveReader& reader,
                                                     const Catalogue& catalogue);

}  // namespace vitrine

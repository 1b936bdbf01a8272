// What models of vectors say before they start when those would not fit.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.h"

namespace vitrine {

struct TrainingSet;

// Of a row of a Matrix, with what pads it.
double row_bytes(std::int64_t columns);

// Of Factors (model/factors.h) while they are made, and of those of the best state so far where a
// validator chooses one. `persons`: rows of the persons that they keep.
double factors_bytes(const TrainingSet& set, std::int64_t persons, int factors, bool biased);

// kExhausted when bytes(factors) is above the limit: with both numbers and the most `factors` that
// fit. More factors take no fewer bytes.
Status check_factor_memory(std::string_view model, int factors, int limit_mb,
                           const std::function<double(int factors)>& bytes);

// A setting that costs memory, and what it is set to.
struct CostlySetting {
  std::string_view name;
  int value;
};
// The same for any setting, where `bytes_each` is per unit of it.
Status check_setting_memory(std::string_view model, CostlySetting setting, double bytes_each,
                            int limit_mb);
// What such checks say: kExhausted with the numbers and, unless it is 0, the value that would fit.
Error too_large(std::string_view model, CostlySetting setting, double bytes, int fitting,
                int limit_mb);

}  // namespace vitrine

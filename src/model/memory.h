// What factor models say before they start when their vectors would not fit.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace vitrine {

// kExhausted when `bytes_each` (per factor) times `factors` is above the limit: with both numbers
// and the `factors` that would fit.
Status check_factor_memory(std::string_view model, double bytes_each, int factors, int limit_mb);

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

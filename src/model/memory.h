// What factor models say before they start when their vectors would not fit.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace vitrine {

// kExhausted when `bytes_each` (per factor) times `factors` is above the limit: with both numbers
// and the `factors` that would fit.
Status check_factor_memory(std::string_view model, double bytes_each, int factors, int limit_mb);

}  // namespace vitrine

// The only clock below server/ and cli/.
#pragma once

#include <chrono>

#include "data/ids.h"

namespace vitrine {

inline Timestamp wall_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace vitrine

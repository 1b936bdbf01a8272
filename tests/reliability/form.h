// The two forms of the reliability suite: the short one runs with all other tests, the long one by
// `scripts/reliability long`, which sets VITRINE_RELIABILITY.
#pragma once

#include <cstdlib>
#include <string_view>

namespace vitrine {

inline bool long_form() {
  const char* form = std::getenv("VITRINE_RELIABILITY");
  return form != nullptr && std::string_view(form) == "long";
}

}  // namespace vitrine

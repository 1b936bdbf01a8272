// The two forms of the reliability suite: the short one runs with all other tests, the long one by
// `scripts/reliability long`, which sets VITRINE_RELIABILITY.
#pragma once

#include <cstdlib>
#include <string_view>

namespace vitrine {

// A sanitizer takes many times the memory and the time.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

inline bool long_form() {
  const char* form = std::getenv("VITRINE_RELIABILITY");
  return form != nullptr && std::string_view(form) == "long";
}

}  // namespace vitrine

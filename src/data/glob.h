// Shell patterns over ids: * is any run of characters, ? is one character (of UTF-8), the rest is
// itself.
#pragma once

#include <string_view>

namespace vitrine {

// The whole text must match. O(pattern x text) at worst, no recursion.
bool glob_matches(std::string_view pattern, std::string_view text);

}  // namespace vitrine

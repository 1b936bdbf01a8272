// Diagnostics for operators: one line each on standard error, with UTC time and level. For engine/,
// server/ and cli/ alone; what is below returns errors.
#pragma once

#include <string_view>

namespace vitrine {

enum class Level { kInfo, kWarning, kError };

// "2026-11-22T21:45:03Z warning: trainer: ..." Thread-safe: lines never mix. Line breaks become
// spaces.
void diag(Level level, std::string_view line);

}  // namespace vitrine

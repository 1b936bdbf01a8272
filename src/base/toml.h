// TOML 1.0 in and out of the Value tree (toml++ reads; dates are read as their text).
#pragma once

#include <string>
#include <string_view>

#include "base/value.h"

namespace vitrine {

// Errors name `name`, line and column. Never throws, whatever the bytes.
Result<Table> parse_toml(std::string_view text, std::string_view name);

// Scalars first, then sub-tables as [a.b] sections, lists of tables as [[a.b]].
std::string to_toml(const Table& table);

}  // namespace vitrine

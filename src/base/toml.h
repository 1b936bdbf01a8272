// TOML 1.0 in and out of the Value tree (toml++ reads; dates are read as their text).
#pragma once

#include <string>
#include <string_view>

#include "base/value.h"

namespace vitrine {

// Keys come in the order of the file. Errors name `name`, line and column. At most 1 MiB and 64
// levels. Never throws, whatever the bytes.
Result<Table> parse_toml(std::string_view text, std::string_view name);

// Scalars first, then sub-tables as [a.b] sections, lists of tables as [[a.b]]. Nulls, which TOML
// does not know, are left out; floats keep a fraction or an exponent and read back the same.
std::string to_toml(const Table& table);

}  // namespace vitrine

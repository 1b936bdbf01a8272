// Typed reads of JSON values that came from outside: each names the field, what was expected and
// what was found ("price: expected a number, found a string").
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/value.h"
#include "data/ids.h"

namespace vitrine {

Error wrong_type(std::string_view field, std::string_view expected, const Value& found);
// Names the nearest of the known fields.
Error unknown_field(std::string_view field, const std::vector<std::string_view>& known);

Result<std::string> text_from(const Value& json, std::string_view field, std::size_t bytes_max);
Result<std::string> id_from(const Value& json, std::string_view field);
Result<double> number_from(const Value& json, std::string_view field);  // finite
Result<bool> bool_from(const Value& json, std::string_view field);
// A string as parse_time reads it, or a number: seconds, or milliseconds from 12 digits on.
Result<Timestamp> time_from(const Value& json, std::string_view field);

// RFC 7396 on one level: a name in `json` replaces that of `attributes`, null removes it. Values
// are scalars and lists of scalars, within the limits of data/item.h.
Status patch_attributes(Table& attributes, const Value& json);

}  // namespace vitrine

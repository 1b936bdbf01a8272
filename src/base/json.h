// JSON in (simdjson) and out (RapidJSON) of the Value tree. Numbers without fraction or exponent
// that fit into 64 bits become integers. Output is compact, keys in table order, doubles in their
// shortest form that reads back the same; NaN and infinities are written as null.
#pragma once

#include <string>
#include <string_view>

#include "base/value.h"

namespace vitrine {

inline constexpr int kJsonDepthMax = 32;

// One document, nothing but white space behind it. Errors name the byte offset where it is known.
// Never throws, whatever the bytes; repeated keys in one object are an error.
Result<Value> parse_json(std::string_view text, int depth_max = kJsonDepthMax);

// A string that is not UTF-8 is written with each bad byte replaced, so that the output is always
// JSON.
std::string to_json(const Value& value);
std::string to_json_pretty(
    const Value& value);  // indented by two spaces, for files that people read

// `text` with every byte that belongs to no valid UTF-8 sequence replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

}  // namespace vitrine

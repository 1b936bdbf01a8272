// Two names of one person: what one did so far becomes the other's. Logged as a record of its own;
// what the old name does afterwards is its own again, until it is merged once more.
#pragma once

#include <span>
#include <string>

#include "base/result.h"

namespace vitrine {

// From a session or a user, never both, to a user.
struct Merge {
  std::string session, user;
  std::string to;
};

// A JSON object: "to", and "session" or "user". kCorrupt for what encode could not have made.
std::string encode_merge(const Merge& merge);
Result<Merge> decode_merge(std::span<const std::byte> payload);

// The region of an event: the text at `key` of its context, a JSON object. Empty without one, or
// when it is no text of 1 to kRegionBytesMax bytes.
std::string region_of(std::string_view context, std::string_view key);

}  // namespace vitrine

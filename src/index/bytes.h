// Vectors in bytes, to screen with: value k is about scale * (byte - 128). Internal to index/.
//
// |q.x - screened| <= |q| |x - rounded x| + |q - rounded q| |rounded x| (Cauchy-Schwarz): the norms
// of what rounding took away are measured, not estimated, so the bound holds however bytes are
// chosen.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/kernels.h"

namespace vitrine {

// What bounds the scores of some items: the largest norm; of what rounding takes away; of the
// rounded vectors.
struct ScreenBounds {
  double norm = 0, error = 0, rounded_norm = 0;
};

inline void widen(ScreenBounds& bounds, const ScreenBounds& more) {
  bounds.norm = std::max(bounds.norm, more.norm);
  bounds.error = std::max(bounds.error, more.error);
  bounds.rounded_norm = std::max(bounds.rounded_norm, more.rounded_norm);
}

// The width of rows of bytes for vectors of `width` values.
inline std::int64_t byte_width(std::int64_t width) {
  return (width + kByteWidth - 1) / kByteWidth * kByteWidth;
}

// Writes byte_width(row.size()) bytes, with 128 added, and the scale. Norms of this one vector;
// `error` has room for the rounding of float sums too. Finite values with a norm below 1e18.
ScreenBounds to_bytes(std::span<const float> row, std::uint8_t* bytes, float& scale);

// A query in bytes with their sign.
struct ByteQuery {
  std::vector<std::int8_t> bytes;
  float scale = 0;
  double norm = 0, rounding = 0;  // of the query, and of what rounding took away

  // False, and nothing else, when it is not finite or so long that sums might overflow.
  bool set(std::span<const float> query);

  // How far a screened score may be from the score, for items within `bounds`.
  double slack(const ScreenBounds& bounds) const;
};

}  // namespace vitrine

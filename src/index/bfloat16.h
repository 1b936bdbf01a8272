// Rounding to bfloat16, as the tile kernels read it. Internal to index/.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace vitrine {

// To nearest, ties to even. What is below the normal range becomes 0, as the kernels treat it.
// Finite values below 3e38 only.
inline std::uint16_t to_bfloat16(float value) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  bits += 0x7fff + (bits >> 16 & 1);
  const auto rounded = static_cast<std::uint16_t>(bits >> 16);
  return (rounded & 0x7f80) == 0 ? std::uint16_t{0} : rounded;
}

inline float from_bfloat16(std::uint16_t value) {
  return std::bit_cast<float>(std::uint32_t{value} << 16);
}

// Norms of a vector: as it is, rounded, and of the difference.
struct RoundedNorms {
  double norm = 0, rounded = 0, error = 0;
};

inline RoundedNorms round_vector(const float* values, std::int64_t n, std::int64_t step,
                                 std::uint16_t* out) {
  RoundedNorms sums;
  for (std::int64_t k = 0; k < n; ++k) {
    const std::uint16_t rounded = to_bfloat16(values[k]);
    out[k / 2 * step + k % 2] = rounded;
    const double v = values[k], r = from_bfloat16(rounded);
    sums.norm += v * v;
    sums.rounded += r * r;
    sums.error += (v - r) * (v - r);
  }
  return {std::sqrt(sums.norm), std::sqrt(sums.rounded), std::sqrt(sums.error)};
}

}  // namespace vitrine

#include "index/bytes.h"

#include <algorithm>
#include <cmath>

namespace vitrine {
namespace {

constexpr double kQueryNormMax = 1e18;
// Vectors that are all below it count as zero: the reciprocal of their scale might overflow.
constexpr float kLeast = 1e-30f;

float largest(std::span<const float> row) {
  float most = 0;
  for (const float v : row) most = std::max(most, std::abs(v));
  return most;
}

int rounded(float value, float inverse) {
  return std::clamp(static_cast<int>(std::nearbyint(value * inverse)), -127, 127);
}

}  // namespace

ScreenBounds to_bytes(std::span<const float> row, std::uint8_t* bytes, float& scale) {
  std::fill_n(bytes, byte_width(static_cast<std::int64_t>(row.size())), std::uint8_t{128});
  const float most = largest(row);
  scale = most < kLeast ? 0.0f : most / 127.0f;
  const float inverse = scale == 0 ? 0.0f : 1.0f / scale;
  double norm = 0, rounded_norm = 0, error = 0;
  for (std::size_t k = 0; k < row.size(); ++k) {
    const int byte = rounded(row[k], inverse);
    bytes[k] = static_cast<std::uint8_t>(byte + 128);
    const double v = double{row[k]}, r = double{scale} * byte;
    norm += v * v;
    rounded_norm += r * r;
    error += (v - r) * (v - r);
  }
  // Each of the additions of a float sum errs by 2^-24 of what is there.
  const double rounding = 4.0 * static_cast<double>(row.size() + 8) * 0x1p-24;
  norm = std::sqrt(norm);
  return {norm, std::sqrt(error) + rounding * norm, std::sqrt(rounded_norm)};
}

bool ByteQuery::set(std::span<const float> query) {
  double sum = 0;
  for (const float v : query) sum += double{v} * double{v};
  if (!(sum < kQueryNormMax * kQueryNormMax)) return false;
  bytes.assign(static_cast<std::size_t>(byte_width(static_cast<std::int64_t>(query.size()))), 0);
  const float most = largest(query);
  scale = most < kLeast ? 0.0f : most / 127.0f;
  const float inverse = scale == 0 ? 0.0f : 1.0f / scale;
  double error = 0;
  for (std::size_t k = 0; k < query.size(); ++k) {
    const int byte = rounded(query[k], inverse);
    bytes[k] = static_cast<std::int8_t>(byte);
    const double rest = double{query[k]} - double{scale} * byte;
    error += rest * rest;
  }
  norm = std::sqrt(sum);
  rounding = std::sqrt(error);
  return true;
}

double ByteQuery::slack(const ScreenBounds& bounds) const {
  // Where scales or sums fall below the normal range, each of the products loses up to 1e-33.
  constexpr double kMargin = 1 + 1e-4, kUnderflow = 1e-33;
  return (norm * bounds.error + rounding * bounds.rounded_norm) * kMargin +
         kUnderflow * static_cast<double>(bytes.size());
}

}  // namespace vitrine

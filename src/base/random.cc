#include "base/random.h"

#include <cmath>
#include <numbers>

namespace vitrine {
namespace {

std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter, std::uint64_t high) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key);
  std::uint32_t k1 = static_cast<std::uint32_t>(key >> 32);
  std::array<std::uint32_t, 4> x{
      static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
      static_cast<std::uint32_t>(high), static_cast<std::uint32_t>(high >> 32)};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * x[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * x[2];
    x = {static_cast<std::uint32_t>(p1 >> 32) ^ x[1] ^ k0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ x[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return x;
}

std::uint64_t first64(const std::array<std::uint32_t, 4>& x) {
  return std::uint64_t{x[0]} | std::uint64_t{x[1]} << 32;
}

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kForkDomain = 0x666f726b;  // separates stream keys from draws

}  // namespace

Random Random::fork(std::string_view name) const {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a of the name, then mixed with the key by Philox
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return Random(first64(philox(key_, hash, kForkDomain)));
}

Random Random::fork(std::uint64_t number) const {
  return Random(first64(philox(key_, number, kForkDomain + 1)));
}

std::uint64_t Random::bits(std::uint64_t index) const { return first64(philox(key_, index, 0)); }

double Random::uniform(std::uint64_t index) const {
  return static_cast<double>(bits(index) >> 11) * 0x1.0p-53;
}

std::uint64_t Random::below(std::uint64_t index, std::uint64_t bound) const {
  // Multiply-shift; its bias is below bound / 2^64.
  return static_cast<std::uint64_t>((static_cast<Wide>(bits(index)) * bound) >> 64);
}

double Random::normal(std::uint64_t index) const {
  const auto x = philox(key_, index, 1);
  const double u = (static_cast<double>(first64(x) >> 11) + 1.0) * 0x1.0p-53;  // in (0, 1]
  const double v =
      static_cast<double>((std::uint64_t{x[2]} | std::uint64_t{x[3]} << 32) >> 11) * 0x1.0p-53;
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

}  // namespace vitrine

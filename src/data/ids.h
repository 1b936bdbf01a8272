// The integers that stand for outside ids inside the program. An index never changes its meaning.
#pragma once

#include <cstdint>
#include <limits>

namespace vitrine {

enum class UserIndex : std::uint32_t {};
enum class ItemIndex : std::uint32_t {};
inline constexpr UserIndex kNoUser{std::numeric_limits<std::uint32_t>::max()};
inline constexpr ItemIndex kNoItem{std::numeric_limits<std::uint32_t>::max()};

constexpr std::uint32_t raw(UserIndex i) { return static_cast<std::uint32_t>(i); }
constexpr std::uint32_t raw(ItemIndex i) { return static_cast<std::uint32_t>(i); }

// Milliseconds since 1970-01-01 UTC. kNoTime: the source has none.
using Timestamp = std::int64_t;
inline constexpr Timestamp kNoTime = std::numeric_limits<Timestamp>::min();
inline constexpr Timestamp kSecond = 1000, kDay = 86'400'000;

}  // namespace vitrine

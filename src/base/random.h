// Counter-based random numbers: a draw is a pure function of (stream, index), so results do not
// depend on the order or the number of threads that draw them. Philox 4x32-10 (Salmon et al.,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011). Thread-safe: a Random is an immutable
// value.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace vitrine {

class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : key_(seed) {}

  // An independent stream with a name ("als/items"). The same parent and name give the same stream.
  Random fork(std::string_view name) const;
  Random fork(std::uint64_t number) const;

  std::uint64_t bits(std::uint64_t index) const;                        // 64 random bits
  double uniform(std::uint64_t index) const;                            // in [0, 1), 53 bits
  std::uint64_t below(std::uint64_t index, std::uint64_t bound) const;  // in [0, bound), bound > 0
  double normal(std::uint64_t index) const;  // standard normal (Box-Muller)

  std::uint64_t key() const { return key_; }

 private:
  std::uint64_t key_;
};

// Fisher-Yates over [0, n) with the draws `random.below(0..)`; swap is called as swap(i, j).
template <class Container>
void shuffle(Container& items, const Random& random) {
  for (std::uint64_t i = items.size(); i > 1; --i) {
    const std::uint64_t j = random.below(i, i);
    auto moved = items[i - 1];
    items[i - 1] = items[j];
    items[j] = moved;
  }
}

}  // namespace vitrine

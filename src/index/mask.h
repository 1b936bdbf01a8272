// Which items may be in a list: a shared bitmap (what may be shown at all) and a short sorted list
// of this query's own exclusions. Owns nothing; a default mask allows everything.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "data/ids.h"

namespace vitrine {

// A fixed-size set of items. Items at or beyond size() are not in it.
class Bitmap {
 public:
  Bitmap() = default;
  explicit Bitmap(std::size_t size, bool value = false)
      : words_((size + 63) / 64, value ? ~std::uint64_t{0} : 0), size_(size) {}
  // Bit i % 64 of word i / 64 is item i; bits beyond `size` are zero.
  Bitmap(std::vector<std::uint64_t> words, std::size_t size)
      : words_(std::move(words)), size_(size) {}
  std::size_t size() const { return size_; }
  bool test(std::size_t i) const { return i < size_ && (words_[i / 64] >> (i % 64) & 1) != 0; }
  void set(std::size_t i, bool value = true) {
    const std::uint64_t bit = std::uint64_t{1} << (i % 64);
    if (value)
      words_[i / 64] |= bit;
    else
      words_[i / 64] &= ~bit;
  }
  std::span<const std::uint64_t> words() const { return words_; }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t size_ = 0;
};

struct ItemMask {
  const Bitmap* allowed = nullptr;           // null: every item
  std::span<const ItemIndex> excluded = {};  // ascending
  bool allows(ItemIndex i) const {
    return (allowed == nullptr || allowed->test(raw(i))) &&
           !std::binary_search(excluded.begin(), excluded.end(), i);
  }
};

// The mask of query q: `masks` holds one for all queries or one per query.
inline const ItemMask& mask_of(std::span<const ItemMask> masks, std::size_t q) {
  return masks.size() == 1 ? masks[0] : masks[q];
}

}  // namespace vitrine

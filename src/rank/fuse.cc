#include "rank/fuse.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace vitrine {
namespace {

// Where each item stands in the fused list: open addressing in a table of one thread, at most half
// full. It grows with the lists, not with the catalogue, and stays in the first-level cache.
class Places {
 public:
  // For at most `items` different items.
  void reset(std::size_t items) {
    const std::size_t size = std::bit_ceil(std::max<std::size_t>(2 * items, 16));
    shift_ = 64 - std::countr_zero(size);
    slots_.assign(size, Slot{kNoItem, 0});
  }
  // The place of `item`, `next` if it is new.
  std::uint32_t find_or_add(ItemIndex item, std::uint32_t next) {
    std::size_t at = raw(item) * std::uint64_t{0x9E3779B97F4A7C15} >> shift_;
    while (slots_[at].item != item) {
      if (slots_[at].item == kNoItem) {
        slots_[at] = {item, next};
        return next;
      }
      at = (at + 1) & (slots_.size() - 1);
    }
    return slots_[at].place;
  }

 private:
  struct Slot {
    ItemIndex item;
    std::uint32_t place;
  };
  std::vector<Slot> slots_;
  int shift_ = 0;
};

struct Scratch {
  struct Seen {
    std::uint32_t list;  // the last that named the item
    float largest;       // contribution so far
  };
  Places places;
  std::vector<Seen> seen;  // parallel to the fused list
};

Scratch& scratch() {
  thread_local Scratch scratch;
  return scratch;
}

}  // namespace

void fuse(std::span<const RankedList> lists, double k, std::vector<FusedCandidate>& fused) {
  fused.clear();
  Scratch& s = scratch();
  std::size_t entries = 0;
  for (const RankedList& list : lists) entries += list.items.size();
  s.places.reset(entries);
  s.seen.clear();
  for (std::uint32_t l = 0; l < lists.size(); ++l) {
    if (!(lists[l].weight > 0)) continue;
    std::uint32_t rank = 0;
    for (const Candidate& c : lists[l].items) {
      const auto share = static_cast<float>(lists[l].weight / (k + ++rank));
      if (c.item == kNoItem) continue;
      const auto next = static_cast<std::uint32_t>(fused.size());
      const std::uint32_t place = s.places.find_or_add(c.item, next);
      if (place == next) {
        fused.push_back({c.item, 0, 0});
        s.seen.push_back({l, 0});
      } else if (std::exchange(s.seen[place].list, l) == l) {
        continue;  // repeated by the same list
      }
      fused[place].score += share;
      if (share > s.seen[place].largest) {
        s.seen[place].largest = share;
        fused[place].source = lists[l].source;
      }
    }
  }
}

void best_first(std::vector<FusedCandidate>& fused, std::size_t n) {
  const auto before = [](const FusedCandidate& a, const FusedCandidate& b) {
    return better({a.item, a.score}, {b.item, b.score});
  };
  const auto end = fused.begin() + static_cast<std::ptrdiff_t>(std::min(n, fused.size()));
  if (end != fused.end()) std::nth_element(fused.begin(), end, fused.end(), before);
  std::sort(fused.begin(), end, before);
}

}  // namespace vitrine

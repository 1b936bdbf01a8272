// What the tests of index/ share: masks at random and the slow, obvious selection.
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <ostream>
#include <set>
#include <vector>

#include "data/query.h"
#include "index/mask.h"

namespace vitrine {

inline std::ostream& operator<<(std::ostream& out, const Candidate& c) {
  return out << "(" << raw(c.item) << ", " << c.score << ")";
}

// A mask that owns what it points to.
struct OwnedMask {
  std::optional<Bitmap> allowed;
  std::vector<ItemIndex> excluded;
  ItemMask mask() const { return {allowed ? &*allowed : nullptr, excluded}; }
};

inline OwnedMask any_mask(std::size_t items) {
  OwnedMask m;
  const int kind = *rc::gen::inRange(0, 3);
  if (kind > 0) {
    m.allowed.emplace(*rc::gen::inRange<std::size_t>(0, items + 5));
    const std::uint32_t salt = *rc::gen::arbitrary<std::uint32_t>() | 1;
    for (std::size_t i = 0; i < m.allowed->size(); ++i) {
      const auto hash = (static_cast<std::uint32_t>(i) + 1) * salt * 2654435761u;
      m.allowed->set(i, kind == 1 ? hash >> 31 != 0 : i % 7 == 0);
    }
  }
  const auto excluded = *rc::gen::container<std::set<std::uint32_t>>(
      rc::gen::inRange<std::uint32_t>(0, static_cast<std::uint32_t>(items + 3)));
  for (const std::uint32_t i : excluded) m.excluded.push_back(ItemIndex{i});
  return m;
}

// Sorts everything that the mask allows and cuts.
inline std::vector<Candidate> slow_top(std::vector<Candidate> all, const ItemMask& mask, int n) {
  std::erase_if(all,
                [&](const Candidate& c) { return std::isnan(c.score) || !mask.allows(c.item); });
  std::sort(all.begin(), all.end(), better);
  all.resize(std::min(all.size(), static_cast<std::size_t>(std::max(n, 0))));
  return all;
}

}  // namespace vitrine

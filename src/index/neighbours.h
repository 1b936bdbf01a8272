// Which of many candidates are the nearest: the last step of a search in an inverted index.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace vitrine {

struct Neighbour {
  std::uint32_t id;
  float similarity;
};

// The order among neighbours: the more similar first, then the higher id (ids rise with time: the
// latest).
inline bool nearer(const Neighbour& a, const Neighbour& b) {
  return a.similarity > b.similarity || (a.similarity == b.similarity && a.id > b.id);
}

// Leaves the `count` nearest, in the order in which they came: what is summed over them does not
// depend on how they were selected. `N` is a Neighbour or derived from it; ids differ. `order` is
// working memory.
template <class N>
void keep_nearest(std::vector<N>& neighbours, std::size_t count, std::vector<Neighbour>& order) {
  if (neighbours.size() <= count) return;
  if (count == 0) return neighbours.clear();
  order.assign(neighbours.begin(), neighbours.end());
  const auto last = order.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(order.begin(), last, order.end(), nearer);
  const Neighbour farthest = *last;
  std::erase_if(neighbours, [&](const N& n) { return nearer(farthest, n); });
}

}  // namespace vitrine

#include "rank/fuse.h"

#include <algorithm>

namespace vitrine {
namespace {

struct Contribution {
  ItemIndex item;
  std::uint32_t list;
  std::uint32_t rank;
  float share;
};

std::vector<Contribution> contributions(std::span<const RankedList> lists, double k) {
  std::vector<Contribution> all;
  for (std::uint32_t l = 0; l < lists.size(); ++l) {
    if (!(lists[l].weight > 0)) continue;
    std::uint32_t rank = 0;
    for (const Candidate& c : lists[l].items) {
      ++rank;
      all.push_back({c.item, l, rank, static_cast<float>(lists[l].weight / (k + rank))});
    }
  }
  std::sort(all.begin(), all.end(), [](const Contribution& a, const Contribution& b) {
    if (a.item != b.item) return a.item < b.item;
    return a.list != b.list ? a.list < b.list : a.rank < b.rank;
  });
  return all;
}

}  // namespace

std::vector<FusedCandidate> fuse(std::span<const RankedList> lists, double k) {
  std::vector<FusedCandidate> fused;
  const Contribution* previous = nullptr;
  float largest = 0;
  const std::vector<Contribution> all = contributions(lists, k);
  for (const Contribution& c : all) {
    const bool same_item = previous != nullptr && previous->item == c.item;
    const bool repeated = same_item && previous->list == c.list;
    previous = &c;
    if (repeated) continue;
    if (!same_item) {
      fused.push_back({c.item, 0, 0});
      largest = 0;
    }
    fused.back().score += c.share;
    if (c.share > largest) {
      largest = c.share;
      fused.back().source = lists[c.list].source;
    }
  }
  std::sort(fused.begin(), fused.end(), [](const FusedCandidate& a, const FusedCandidate& b) {
    return better({a.item, a.score}, {b.item, b.score});
  });
  return fused;
}

}  // namespace vitrine

#include "index/sums.h"

#include "index/select.h"

namespace vitrine {

std::size_t top_of_sums(const StampedSums& sums, const ItemMask& mask, int n,
                        std::span<Candidate> out) {
  const std::size_t count = n <= 0 ? 0 : std::min(static_cast<std::size_t>(n), out.size());
  if (count == 0) return 0;
  thread_local TopList top;
  top.reset(std::min(count, std::max<std::size_t>(1, sums.touched().size())));
  for (const std::uint32_t i : sums.touched()) {
    const Candidate c{ItemIndex{i}, sums.sum(i)};
    if (c.score > 0 && top.admits(c) && mask.allows(c.item)) top.push(c);
  }
  return top.take(out.first(count));
}

}  // namespace vitrine

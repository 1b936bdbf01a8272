#include "rank/explore.h"

#include <algorithm>
#include <string>
#include <vector>

namespace vitrine {
namespace {

constexpr double kGivenMax = 0.5;

// A draw in proportion to the scores; the candidate's place.
std::size_t draw(const std::vector<Candidate>& candidates, double total, double uniform) {
  double left = uniform * total;
  for (std::size_t i = 0; i + 1 < candidates.size(); ++i) {
    left -= candidates[i].score;
    if (left < 0) return i;
  }
  return candidates.size() - 1;
}

}  // namespace

void explore(Slate& slate, const Exploration& exploration) {
  const std::size_t n = slate.items.size();
  if (n < 2 || !(exploration.share > 0)) return;
  std::vector<Candidate> left;
  double total = 0;
  for (const Candidate& c : exploration.candidates) {
    const bool listed = std::any_of(slate.items.begin(), slate.items.end(),
                                    [&](const SlateItem& item) { return item.item == c.item; });
    if (listed || !(c.score > 0)) continue;
    left.push_back(c);
    total += c.score;
  }
  const double given =
      std::min(kGivenMax, exploration.share * static_cast<double>(n) / static_cast<double>(n - 1));
  for (std::size_t place = 1; place < n && !left.empty(); ++place) {
    SlateItem& item = slate.items[place];
    if (exploration.random.uniform(2 * place) >= given) {
      item.propensity = static_cast<float>(1 - given);
      continue;
    }
    const std::size_t chosen = draw(left, total, exploration.random.uniform(2 * place + 1));
    const Candidate c = left[chosen];
    item = {c.item,
            0,
            static_cast<float>(given * c.score / total),
            std::string(exploration.source),
            {}};
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(chosen));
    total -= c.score;
  }
}

}  // namespace vitrine

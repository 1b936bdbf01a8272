#include "eval/corrections.h"

#include <algorithm>
#include <numeric>

namespace vitrine {
namespace {

// Indexes of `p`, the smallest first; equal ones in their order.
std::vector<std::size_t> ascending(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  return order;
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<double> adjusted(p.size());
  double before = 0;
  std::size_t left = p.size();
  for (const std::size_t i : ascending(p)) {
    before = std::max(before, std::min(1.0, static_cast<double>(left--) * p[i]));
    adjusted[i] = before;
  }
  return adjusted;
}

std::vector<double> benjamini_hochberg(std::span<const double> p) {
  std::vector<double> adjusted(p.size());
  const std::vector<std::size_t> order = ascending(p);
  const double m = static_cast<double>(p.size());
  double after = 1;
  for (std::size_t rank = order.size(); rank > 0; --rank) {
    const std::size_t i = order[rank - 1];
    after = std::min(after, m * p[i] / static_cast<double>(rank));
    adjusted[i] = after;
  }
  return adjusted;
}

}  // namespace

Result<std::vector<double>> adjusted_p(std::span<const double> p, std::string_view method) {
  if (method == "holm") return holm(p);
  if (method == "benjamini_hochberg") return benjamini_hochberg(p);
  if (method == "none") return std::vector<double>(p.begin(), p.end());
  return Error{Code::kInvalid, "correction: \"" + std::string(method) +
                                   "\" is none of holm, benjamini_hochberg and none"};
}

Status adjust(std::span<Comparison* const> comparisons, std::string_view method) {
  std::vector<double> p;
  for (const Comparison* comparison : comparisons) p.push_back(comparison->p);
  VT_TRY(const std::vector<double> adjusted, adjusted_p(p, method));
  for (std::size_t i = 0; i < comparisons.size(); ++i) comparisons[i]->p_adjusted = adjusted[i];
  return {};
}

}  // namespace vitrine

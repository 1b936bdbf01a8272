#include "model/fit_sequence.h"

#include <string>
#include <vector>

namespace vitrine {

KnownItems known_items(const Interactions& interactions) {
  std::vector<std::uint32_t> seen;
  for (std::uint32_t i = 0; i < interactions.items; ++i) {
    if (!interactions.by_item.row(i).empty()) seen.push_back(i);
  }
  return KnownItems(seen, interactions.items);
}

Status check_heads(std::string_view model, int factors, int heads) {
  if (factors % heads == 0) return {};
  return Error{Code::kInvalid, std::string(model) + ": heads = " + std::to_string(heads) +
                                   " do not divide factors = " + std::to_string(factors)};
}

Status check_loaded(Status status) {
  if (status.ok()) return {};
  return Error{Code::kCorrupt, status.error().message};
}

// Scores of a batch are what grows besides the parameters: tokens by candidates.
Status check_sequence_memory(std::string_view model, const SequenceOptions& options,
                             const std::function<double(int factors)>& bytes_of) {
  const double tokens = static_cast<double>(options.batch) * options.length;
  const auto bytes = [&](int factors) {
    return bytes_of(factors) + 4 * tokens * (options.negatives + 40.0 * factors);
  };
  return check_factor_memory(model, options.factors, options.memory_limit_mb, bytes);
}

}  // namespace vitrine

#include "model/fit_sequence.h"

#include <string>

namespace vitrine {

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

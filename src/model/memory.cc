#include "model/memory.h"

#include <fmt/format.h>

#include <string>

#include "base/matrix.h"
#include "data/readable.h"
#include "model/model.h"

namespace vitrine {

double row_bytes(std::int64_t columns) {
  return static_cast<double>(Matrix(0, columns).stride()) * sizeof(float);
}

double factors_bytes(const TrainingSet& set, std::int64_t persons, int factors, bool biased) {
  // Each item by its number and packed, there perhaps as bfloat16 too; while packing, once more.
  constexpr double kMade = 2.5, kMaking = 3.5;
  const auto items = static_cast<double>(set.interactions.items);
  const double item = row_bytes(factors + (biased ? 1 : 0));
  const double users = static_cast<double>(persons) * row_bytes(factors);
  const double best = set.validator == nullptr ? 0 : kMade * items * item + users;
  const double basis = 6.0 * factors * row_bytes(factors);  // computed in double
  return kMaking * items * item + users + best + basis;
}

Status check_factor_memory(std::string_view model, int factors, int limit_mb,
                           const std::function<double(int factors)>& bytes) {
  const auto mb = [&](int count) { return bytes(count) / (1 << 20); };
  if (mb(factors) <= limit_mb) return {};
  int fitting = 0;
  for (int above = factors; above - fitting > 1;) {
    const int middle = fitting + (above - fitting) / 2;
    (mb(middle) <= limit_mb ? fitting : above) = middle;
  }
  std::string remedy = "raise memory_limit_mb";
  if (fitting > 0) remedy += fmt::format(" or set factors = {}", fitting);
  return Error{Code::kExhausted, fmt::format("{}: {} needed with {} factors, limit {}: {}", model,
                                             readable_memory(mb(factors)), factors,
                                             readable_memory(limit_mb), remedy)};
}

Status check_setting_memory(std::string_view model, CostlySetting setting, double bytes_each,
                            int limit_mb) {
  const double bytes = bytes_each * setting.value, limit = double{1 << 20} * limit_mb;
  if (bytes <= limit) return {};
  return too_large(model, setting, bytes, static_cast<int>(limit / bytes_each), limit_mb);
}

Error too_large(std::string_view model, CostlySetting setting, double bytes, int fitting,
                int limit_mb) {
  std::string remedy = "raise memory_limit_mb";
  if (fitting > 0) remedy += fmt::format(" or set {} = {}", setting.name, fitting);
  return Error{Code::kExhausted, fmt::format("{}: {} needed with {} = {}, limit {}: {}", model,
                                             readable_memory(bytes / (1 << 20)), setting.name,
                                             setting.value, readable_memory(limit_mb), remedy)};
}

}  // namespace vitrine

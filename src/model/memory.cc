#include "model/memory.h"

#include <fmt/format.h>

#include <string>

#include "data/readable.h"

namespace vitrine {

Status check_factor_memory(std::string_view model, double bytes_each, int factors, int limit_mb) {
  const double each_mb = bytes_each / (1 << 20), mb = each_mb * factors;
  if (mb <= limit_mb) return {};
  const int fitting = static_cast<int>(limit_mb / each_mb);
  std::string remedy = "raise memory_limit_mb";
  if (fitting > 0) remedy += fmt::format(" or set factors = {}", fitting);
  return Error{Code::kExhausted,
               fmt::format("{}: {} needed with {} factors, limit {}: {}", model,
                           readable_memory(mb), factors, readable_memory(limit_mb), remedy)};
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

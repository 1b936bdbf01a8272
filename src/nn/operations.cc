#include "nn/operations.h"

#include <cblas.h>

#include <array>

#include "nn/operations_row.h"

namespace vitrine::nn {

extern const Operations kAvx512;  // operations_avx512.cc

namespace {

constexpr Operations kPortable = row_named("portable");

std::span<const Operations* const> available() {
  static const std::array<const Operations*, 2> rows = {&kPortable, &kAvx512};
  static const std::size_t count = [] {
    openblas_set_num_threads(1);  // our own pool has the threads
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
               ? std::size_t{2}
               : std::size_t{1};
#else
    return std::size_t{1};
#endif
  }();
  return {rows.data(), count};
}

}  // namespace

std::span<const Operations* const> all_operations() { return available(); }
const Operations& operations() { return *available().back(); }

}  // namespace vitrine::nn

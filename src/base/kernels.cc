#include "base/kernels.h"

#include <array>

#include "base/kernels_rows.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace vitrine {
namespace {

struct Rows {
  std::array<const Kernels*, 5> row{};
  std::size_t count = 0;
  void add(const Kernels& kernels) { row[count++] = &kernels; }
};

#if defined(__x86_64__)
// clang 14 does not know the AMX names of __builtin_cpu_supports, so the bits are read here:
// leaf 7, EDX 22 (AMX-BF16), 24 (AMX-TILE), 25 (AMX-INT8).
bool cpu_has_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  constexpr unsigned kBits = 1u << 22 | 1u << 24 | 1u << 25;
  return (d & kBits) == kBits;
}

// Linux hands out the tile registers only on request, once for the process.
bool kernel_grants_tiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// __builtin_cpu_supports looks at XCR0 too: a vector set counts only if the system saves its
// registers.
void add_x86_rows(Rows& rows) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
  rows.add(rows::kAvx2);
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vpopcntdq") || !__builtin_cpu_supports("avx512vnni")) {
    return;
  }
  rows.add(rows::kAvx512);
  if (__builtin_cpu_supports("avx512bf16")) rows.add(rows::kAvx512Bf16);
  if (cpu_has_amx() && kernel_grants_tiles()) rows.add(rows::kAmx);
}
#endif

const Rows& available() {
  static const Rows rows = [] {
    Rows found;
    found.add(rows::kScalar);
#if defined(__x86_64__)
    add_x86_rows(found);
#endif
    return found;
  }();
  return rows;
}

}  // namespace

const Kernels& kernels() {
  const Rows& rows = available();
  return *rows.row[rows.count - 1];
}

const Kernels* kernels_named(std::string_view name) {
  for (const Kernels* row : all_kernels()) {
    if (row->name == name) return row;
  }
  return nullptr;
}

std::span<const Kernels* const> all_kernels() {
  const Rows& rows = available();
  return {rows.row.data(), rows.count};
}

}  // namespace vitrine

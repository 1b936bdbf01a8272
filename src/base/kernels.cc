#include "base/kernels.h"

#include <array>

#include "base/kernels_rows.h"

namespace vitrine {
namespace {

struct Rows {
  std::array<const Kernels*, 4> row{};
  std::size_t count = 0;
  void add(const Kernels& kernels) { row[count++] = &kernels; }
};

const Rows& available() {
  static const Rows rows = [] {
    Rows found;
    found.add(rows::kScalar);
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

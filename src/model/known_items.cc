#include "model/known_items.h"

namespace vitrine {

KnownItems::KnownItems(std::span<const std::uint32_t> seen, std::uint32_t items)
    : seen_(seen.begin(), seen.end()),
      flags_(seen.empty() ? 0 : std::size_t{seen.back()} + 1, 0),
      items_(items) {
  for (const std::uint32_t item : seen) flags_[item] = 1;
}

KnownItems KnownItems::of(const Interactions& interactions) {
  std::vector<std::uint32_t> seen;
  for (std::uint32_t i = 0; i < interactions.items; ++i) {
    if (!interactions.by_item.row(i).empty()) seen.push_back(i);
  }
  return KnownItems(seen, interactions.items);
}

Result<KnownItems> KnownItems::load(const ArchiveReader& reader, std::uint32_t items) {
  VT_TRY(const auto seen, reader.tensor<std::uint32_t>("seen"));
  for (std::size_t s = 0; s < seen.size(); ++s) {
    if (seen[s] >= items || (s > 0 && seen[s] <= seen[s - 1]))
      return Error{Code::kCorrupt, "seen: known items ascend and are below the number of items"};
  }
  return KnownItems(seen.span(), items);
}

}  // namespace vitrine

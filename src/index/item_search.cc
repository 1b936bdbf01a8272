#include "index/item_search.h"

#include <algorithm>
#include <vector>

namespace vitrine {

ItemSearch::ItemSearch(MatrixView<const float> table, std::span<const ItemIndex> names)
    : table_(table) {
  Matrix rows(static_cast<std::int64_t>(names.size()), table.cols);
  for (std::size_t r = 0; r < names.size(); ++r) {
    const auto from = table.row(raw(names[r]));
    std::copy(from.begin(), from.end(), rows.row(static_cast<std::int64_t>(r)).begin());
  }
  packed_ = std::make_unique<const PackedItems>(rows.view(), names);
}

Result<ItemSearch> ItemSearch::load(ArchiveReader& archive, MatrixView<const float> table,
                                    std::span<const ItemIndex> names) {
  if (!ClusteredItems::saved_in(archive)) return ItemSearch(table, names);
  ItemSearch search;
  search.table_ = table;
  VT_TRY(search.clustered_, ClusteredItems::load(archive, table.rows, table.cols));
  const ClusteredItems& clustered = *search.clustered_;
  bool same = clustered.items() == static_cast<std::int64_t>(names.size());
  for (const ItemIndex item : names) same = same && clustered.has(item);
  if (!same) {
    return Error{Code::kCorrupt,
                 "clustered items: others than the model's; fit the model again or restore it"};
  }
  return search;
}

void ItemSearch::save(ArchiveWriter& archive, std::size_t approximate_from) const {
  if (clustered_) return clustered_->save(archive);
  if (!packed_ || packed_->items() < static_cast<std::int64_t>(approximate_from)) return;
  std::vector<ItemIndex> names;
  for (std::uint32_t p = 0; p < packed_->items(); ++p) names.push_back(packed_->item(p));
  std::sort(names.begin(), names.end());
  ThreadPool pool(1);
  const auto built = ClusteredItems::build(table_, names, {}, {}, pool);
  if (built.ok()) built->save(archive);  // else vectors that cannot be clustered
}

std::uint64_t ItemSearch::memory_bytes_for(std::uint64_t items, std::int64_t width) {
  return items < kApproximateFrom ? PackedItems::memory_bytes_for(items, width)
                                  : ClusteredItems::memory_bytes_for(items, width);
}

void ItemSearch::top(MatrixView<const float> queries, std::span<const ItemMask> masks, int n,
                     CandidateBlock& out) const {
  if (clustered_) {
    clustered_->search(queries, table_, masks, n, out);
  } else if (packed_) {
    scan_top(queries, *packed_, masks, n, out);
  } else {
    out.reset(static_cast<std::size_t>(queries.rows), static_cast<std::size_t>(std::max(n, 0)));
  }
}

}  // namespace vitrine

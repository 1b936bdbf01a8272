#include "index/item_search.h"

#include <algorithm>
#include <cstdio>

namespace vitrine {

ItemSearch ItemSearch::exact(MatrixView<const float> table, std::span<const ItemIndex> names) {
  Matrix rows(static_cast<std::int64_t>(names.size()), table.cols);
  for (std::size_t r = 0; r < names.size(); ++r) {
    const auto from = table.row(raw(names[r]));
    std::copy(from.begin(), from.end(), rows.row(static_cast<std::int64_t>(r)).begin());
  }
  ItemSearch search;
  search.table_ = table;
  search.packed_ = std::make_unique<const PackedItems>(rows.view(), names);
  return search;
}

ItemSearch ItemSearch::build(MatrixView<const float> table, std::span<const ItemIndex> names,
                             ThreadPool& pool, std::size_t approximate_from) {
  if (names.size() < approximate_from) return exact(table, names);
  auto clustered = ClusteredItems::build(table, names, {}, {}, pool);
  if (!clustered.ok()) return exact(table, names);  // vectors that cannot be clustered
  ItemSearch search;
  search.table_ = table;
  search.clustered_ = std::move(clustered).value();
  return search;
}

Result<ItemSearch> ItemSearch::load(ArchiveReader& archive, MatrixView<const float> table,
                                    std::span<const ItemIndex> names) {
  if (!ClusteredItems::saved_in(archive)) return exact(table, names);
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

void ItemSearch::save(ArchiveWriter& archive) const {
  if (clustered_) clustered_->save(archive);
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

std::string ItemSearch::recall_note() const {
  if (!clustered_) return {};
  std::string note = "approximate search: " + std::to_string(clustered_->items()) + " items in " +
                     std::to_string(clustered_->lists()) + " lists";
  for (const ClusteredItems::Level& level : clustered_->levels()) {
    if (level.k != 10 && level.k != 100) continue;
    char text[80];
    std::snprintf(text, sizeof text, "; recall@%u %.3f of %u lists", level.k, level.recall,
                  level.probes);
    note += text;
  }
  return note;
}

}  // namespace vitrine

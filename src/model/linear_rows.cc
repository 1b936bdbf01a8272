#include "model/linear_rows.h"

#include <algorithm>

#include "model/item_rows.h"

namespace vitrine {

std::vector<WeightedRow> distinct_rows(const Query& query, std::uint32_t items, bool binary) {
  std::vector<WeightedRow> rows = rows_of_history(query.history, items);
  if (binary) {
    for (WeightedRow& r : rows) r.weight = 1;
  }
  return rows;
}

bool is_binary(const Interactions& interactions) {
  const auto weights = interactions.by_row.weights.span();
  return std::all_of(weights.begin(), weights.end(), [](float w) { return w == 1; });
}

void LinearRows::retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                          CandidateBlock& out) const {
  out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const auto rows = distinct_rows(queries[q], items(), binary_);
    out.set_count(q, top_of_sparse_rows(rows, rows_, items(), mask_of(masks, q), n, out.room(q)));
  }
}

void LinearRows::score(const Query& query, std::span<const ItemIndex> items,
                       std::span<float> scores) const {
  score_sparse_rows(distinct_rows(query, this->items(), binary_), rows_, items, scores);
}

void LinearRows::save(ArchiveWriter& writer) const {
  writer.document("binary", binary_);
  save_rows(writer, rows_);
}

Result<LinearRows> LinearRows::load(ArchiveReader& reader, std::uint32_t items) {
  VT_TRY(const Value binary, reader.document("binary"));
  if (binary.as_bool() == nullptr) {
    return Error{Code::kCorrupt, "item rows: binary must be a boolean"};
  }
  VT_TRY(SparseRows rows, load_rows(reader, items));
  return LinearRows(std::move(rows), *binary.as_bool());
}

}  // namespace vitrine

// Retrieval by accumulating weighted rows: score(j) = sum over the given rows of weight * row[j].
// Rows are item->item rows (sparse or dense), neighbours' histories, or one constant row. A list
// holds only items with a non-zero entry for sparse rows; all items for dense and constant rows.
// Ties go to the lower index. Everything runs on the caller's thread and is thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/matrix.h"
#include "data/histories.h"
#include "data/query.h"
#include "index/mask.h"

namespace vitrine {

struct WeightedRow {
  std::uint32_t row;
  float weight;
};

// The best n of dense scores over all items; NaN is treated as minus infinity and never listed.
std::size_t top_of_scores(std::span<const float> scores, const ItemMask& mask, int n,
                          std::span<Candidate> out);

// Sparse rows, e.g. item_knn. Returns the number written to `out` (size n at least).
std::size_t top_of_sparse_rows(std::span<const WeightedRow> rows, const SparseRows& matrix,
                               std::size_t items, const ItemMask& mask, int n,
                               std::span<Candidate> out);

// Dense rows, e.g. ease: matrix is items x items.
std::size_t top_of_dense_rows(std::span<const WeightedRow> rows, MatrixView<const float> matrix,
                              const ItemMask& mask, int n, std::span<Candidate> out);

// One constant list, already ordered by better(), e.g. popularity.
std::size_t top_of_ranked(std::span<const Candidate> ranked, const ItemMask& mask, int n,
                          std::span<Candidate> out);

// Scores of given items by the same sums: what the lists above hold, item by item.
void score_sparse_rows(std::span<const WeightedRow> rows, const SparseRows& matrix,
                       std::span<const ItemIndex> items, std::span<float> scores);
void score_dense_rows(std::span<const WeightedRow> rows, MatrixView<const float> matrix,
                      std::span<const ItemIndex> items, std::span<float> scores);

}  // namespace vitrine

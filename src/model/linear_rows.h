// The fitted part of a linear item-to-item model with few weights: what slim and the sparse ease
// answer with. A history scores item j by the sum of the weights from its items to j.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/archive.h"
#include "data/histories.h"
#include "data/query.h"
#include "index/mask.h"
#include "index/rows.h"

namespace vitrine {

// Each item of the history below `items` once, ascending, at weight 1 or, if the model is not
// `binary`, its best event weight.
std::vector<WeightedRow> distinct_rows(const Query& query, std::uint32_t items, bool binary);

bool is_binary(const Interactions& interactions);  // every weight is 1

// Row i: the weights from item i. Immutable; thread-safe.
class LinearRows {
 public:
  LinearRows(SparseRows rows, bool binary) : rows_(std::move(rows)), binary_(binary) {}

  std::uint32_t items() const { return static_cast<std::uint32_t>(rows_.rows()); }
  // As those of Model. Items that no item of the history has a weight to are not listed and score
  // 0.
  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const;
  void score(const Query& query, std::span<const ItemIndex> items, std::span<float> scores) const;

  // "binary" and the names of save_rows().
  void save(ArchiveWriter& writer) const;
  static Result<LinearRows> load(ArchiveReader& reader, std::uint32_t items);

 private:
  SparseRows rows_;
  bool binary_;
};

}  // namespace vitrine

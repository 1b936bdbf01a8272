// The vectors of the known items, and lists by their products with the vector that a model makes of
// a query. Queries are turned into vectors one by one, so that an answer has the same bits alone
// and in a batch; the scan (index/scan.h) takes all of them at once.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "base/matrix.h"
#include "index/scan.h"
#include "model/known_items.h"

namespace vitrine {

// Immutable; thread-safe.
class ItemVectors {
 public:
  // Row i of `table` is the vector of item i; rows of unknown items are not looked at. `cosine`:
  // vectors get length 1.
  ItemVectors(MatrixView<const float> table, const KnownItems& known, bool cosine = false);

  // Writes the vector of a query, width() numbers; false where there is no answer to it.
  using Encode = std::function<bool(const Query&, std::span<float>)>;
  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                const Encode& encode, CandidateBlock& out) const;
  // Unknown items score 0, and all do where there is no answer.
  void score(const Query& query, std::span<const ItemIndex> items, std::span<float> scores,
             const Encode& encode) const;
  std::int64_t width() const { return vectors_.cols(); }

 private:
  const KnownItems* known_;
  Matrix vectors_;  // by item
  std::unique_ptr<const PackedItems> packed_;
};

// To length 1; zeros stay.
void to_length_one(std::span<float> row);

}  // namespace vitrine

// The vectors of the known items, and lists by their products with the vector that a model makes of
// a query. Queries are turned into vectors one by one, so that an answer has the same bits alone
// and in a batch; the search (index/item_search.h) takes all of them at once.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/matrix.h"
#include "index/item_search.h"
#include "model/known_items.h"

namespace vitrine {

// Immutable after make_search(); thread-safe.
class ItemVectors {
 public:
  // Row i of `table` is the vector of item i; rows of unknown items are not looked at. `cosine`:
  // vectors get length 1.
  ItemVectors(MatrixView<const float> table, const KnownItems& known, bool cosine = false);

  // Before the first list: as the archive holds it (index/item_search.h), or exact without one.
  Status make_search(ArchiveReader* archive);
  void save(ArchiveWriter& archive) const { search_.save(archive); }

  // Writes the vector of a query, width() numbers; false where there is no answer to it.
  using Encode = std::function<bool(const Query&, std::span<float>)>;
  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                const Encode& encode, CandidateBlock& out) const;
  // Unknown items score 0, and all do where there is no answer.
  void score(const Query& query, std::span<const ItemIndex> items, std::span<float> scores,
             const Encode& encode) const;
  std::span<const float> vector(ItemIndex item) const { return vectors_.row(raw(item)); }
  std::int64_t width() const { return vectors_.cols(); }

 private:
  const KnownItems* known_;
  Matrix vectors_;  // by item
  std::vector<ItemIndex> names_;
  ItemSearch search_;
};

// To length 1; zeros stay.
void to_length_one(std::span<float> row);

}  // namespace vitrine

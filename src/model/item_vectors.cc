#include "model/item_vectors.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/kernels.h"

namespace vitrine {

void to_length_one(std::span<float> row) {
  const float length =
      std::sqrt(kernels().dot(row.data(), row.data(), static_cast<std::int64_t>(row.size())));
  if (!(length > 0)) return;
  for (float& v : row) v /= length;
}

ItemVectors::ItemVectors(MatrixView<const float> table, const KnownItems& known, bool cosine)
    : known_(&known), vectors_(known.items(), table.cols) {
  for (const std::uint32_t item : known.seen()) {
    const auto from = table.row(item);
    const auto to = vectors_.row(item);
    std::copy(from.begin(), from.end(), to.begin());
    if (cosine) to_length_one(to);
    names_.push_back(ItemIndex{item});
  }
}

Status ItemVectors::make_search(ArchiveReader* archive) {
  if (archive == nullptr) {
    search_ = ItemSearch(vectors_.view(), names_);
  } else {
    VT_TRY(search_, ItemSearch::load(*archive, vectors_.view(), names_));
  }
  return {};
}

void ItemVectors::retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                           const Encode& encode, CandidateBlock& out) const {
  out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
  Matrix rows(static_cast<std::int64_t>(queries.size()), width());
  std::vector<std::size_t> asked;
  std::vector<ItemMask> own_masks;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    if (!encode(queries[q], rows.row(static_cast<std::int64_t>(asked.size())))) continue;
    asked.push_back(q);
    own_masks.push_back(mask_of(masks, q));
  }
  if (asked.empty()) return;
  CandidateBlock lists;
  search_.top({rows.data(), static_cast<std::int64_t>(asked.size()), rows.cols(), rows.stride()},
              own_masks, n, lists);
  for (std::size_t q = 0; q < asked.size(); ++q) {
    const auto list = lists.row(q);
    std::copy(list.begin(), list.end(), out.room(asked[q]).begin());
    out.set_count(asked[q], list.size());
  }
}

void ItemVectors::score(const Query& query, std::span<const ItemIndex> items,
                        std::span<float> scores, const Encode& encode) const {
  std::fill(scores.begin(), scores.end(), 0.0f);
  std::vector<float> u(static_cast<std::size_t>(width()));
  if (!encode(query, u)) return;
  std::vector<ItemIndex> known;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!known_->has(items[i])) continue;
    known.push_back(items[i]);
    places.push_back(i);
  }
  std::vector<float> found(known.size());
  scan_scores(u, vectors_.view(), known, found);
  for (std::size_t i = 0; i < places.size(); ++i) scores[places[i]] = found[i];
}

}  // namespace vitrine

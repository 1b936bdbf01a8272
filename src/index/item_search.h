// The best items for a vector, as the vector models ask for them: exact below kApproximateFrom
// items (index/scan.h), approximate from there on (index/clustered.h). A model that was just fitted
// searches exactly, so that what validation measures is the model; saving makes the clusters, and
// the model that is loaded searches them.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "base/archive.h"
#include "index/clustered.h"
#include "index/scan.h"

namespace vitrine {

// Below, an exact search takes less than two milliseconds.
inline constexpr std::size_t kApproximateFrom = 500'000;

// Immutable; thread-safe. The table outlives it and does not move.
class ItemSearch {
 public:
  ItemSearch() = default;  // of nothing
  // Exact. Items are rows `names` of the table, ascending.
  ItemSearch(MatrixView<const float> table, std::span<const ItemIndex> names);

  // Writes the clusters where there are `approximate_from` items or more (at a million this takes
  // some twenty CPU seconds, unless they were loaded), else nothing. The same bytes every time.
  void save(ArchiveWriter& archive, std::size_t approximate_from = kApproximateFrom) const;
  // What save() wrote, for the same table and names; exact where it wrote nothing. kCorrupt when
  // it belongs to other items or is damaged. Names in the archive begin with "clusters/".
  static Result<ItemSearch> load(ArchiveReader& archive, MatrixView<const float> table,
                                 std::span<const ItemIndex> names);

  // Bytes of memory that a search among so many vectors takes beside the table, about.
  static std::uint64_t memory_bytes_for(std::uint64_t items, std::int64_t width);

  // As scan_top(): one mask for all queries or one per query.
  void top(MatrixView<const float> queries, std::span<const ItemMask> masks, int n,
           CandidateBlock& out) const;

  // Null where the search is exact. Its levels() tell the measured recall.
  const ClusteredItems* approximate() const { return clustered_ ? &*clustered_ : nullptr; }

 private:
  MatrixView<const float> table_;
  std::unique_ptr<const PackedItems> packed_;
  std::optional<ClusteredItems> clustered_;
};

}  // namespace vitrine

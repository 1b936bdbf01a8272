// The best items for a vector, as the vector models ask for them: exact below kApproximateFrom
// items (index/scan.h), approximate from there on (index/clustered.h).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/archive.h"
#include "base/parallel.h"
#include "index/clustered.h"
#include "index/scan.h"

namespace vitrine {

// Below, an exact search takes less than two milliseconds.
inline constexpr std::size_t kApproximateFrom = 500'000;

// Immutable; thread-safe. The table outlives it and does not move.
class ItemSearch {
 public:
  ItemSearch() = default;  // of nothing

  // Items are rows `names` of the table, ascending. The same for any number of threads.
  static ItemSearch build(MatrixView<const float> table, std::span<const ItemIndex> names,
                          ThreadPool& pool, std::size_t approximate_from = kApproximateFrom);

  // What save() wrote, for the same table and names; exact where it wrote nothing. kCorrupt when
  // it belongs to other items or is damaged. Names in the archive begin with "clusters/".
  static Result<ItemSearch> load(ArchiveReader& archive, MatrixView<const float> table,
                                 std::span<const ItemIndex> names);
  void save(ArchiveWriter& archive) const;

  // As scan_top(): one mask for all queries or one per query.
  void top(MatrixView<const float> queries, std::span<const ItemMask> masks, int n,
           CandidateBlock& out) const;

  // One line for people about the measured recall; empty where the search is exact.
  std::string recall_note() const;
  const ClusteredItems* approximate() const { return clustered_ ? &*clustered_ : nullptr; }

 private:
  static ItemSearch exact(MatrixView<const float> table, std::span<const ItemIndex> names);

  MatrixView<const float> table_;
  std::unique_ptr<const PackedItems> packed_;
  std::optional<ClusteredItems> clustered_;
};

}  // namespace vitrine

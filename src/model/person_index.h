// Persons to find neighbours among: an inverted index from items to those who have them. Serves
// user_knn, basket and spectral.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/archive.h"
#include "data/histories.h"
#include "index/neighbours.h"
#include "index/rows.h"
#include "index/sums.h"

namespace vitrine {

// Rows of histories that hold something, the earliest first by their last event (equal ones, and
// rows without times, in the order of the histories).
std::vector<std::uint32_t> rows_by_last_event(const Histories& histories);

// Immutable, thread-safe; keeps the rows that it is given.
class PersonIndex {
 public:
  // `rows`: person -> items, columns ascending, weights positive; persons from the earliest to the
  // latest.
  PersonIndex(SparseRows rows, std::uint32_t items);

  const SparseRows& rows() const { return rows_; }
  const SparseRows& by_item() const { return by_item_; }  // item -> persons, ascending
  std::uint32_t items() const { return static_cast<std::uint32_t>(by_item_.rows()); }
  // Of an item: how many persons have it.
  std::size_t count(std::uint32_t item) const { return by_item_.row(item).size(); }

  // Sums over the items of `asked` (rows are items, below items()) of weight * the person's weight,
  // for every person among the `sample` latest of an item: at most |asked| * sample additions.
  void add_products(std::span<const WeightedRow> asked, std::size_t sample,
                    StampedSums& sums) const;
  // The same with 1 for every weight: how many items are common.
  void add_common(std::span<const WeightedRow> asked, std::size_t sample, StampedSums& sums) const;

 private:
  SparseRows rows_, by_item_;
};

// Archive names "persons/...". Loading checks shapes, order of columns and that weights are
// positive and bounded.
void save_persons(ArchiveWriter& writer, const PersonIndex& persons);
Result<PersonIndex> load_persons(ArchiveReader& reader, std::uint32_t items);

}  // namespace vitrine

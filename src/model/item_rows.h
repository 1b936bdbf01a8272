// Item-to-item rows: what item_knn and together learn. Each row keeps its best k entries, columns
// ascending; rows are filled in parallel and are the same for any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/archive.h"
#include "base/run.h"
#include "data/histories.h"
#include "data/query.h"
#include "index/rows.h"
#include "model/memory.h"

namespace vitrine {

// What the filling of one row works with. `sums` and `touched` are cleared between rows.
class RowWorkspace {
 public:
  explicit RowWorkspace(std::uint32_t items) : sums_(items), best_(items), person_of_(items) {}

  // Adds a weight to the pair with item j; what is not positive is ignored.
  void add(std::uint32_t j, float weight) {
    if (!(weight > 0)) return;
    if (sums_[j] == 0) touched_.push_back(j);
    sums_[j] += weight;
  }
  // The same where a person counts once, with the best of their weights: raise() adds what is above
  // the person's best so far. begin_person() before the first of a person.
  void begin_person() { ++person_; }
  void raise(std::uint32_t j, float weight) {
    if (person_of_[j] != person_) {
      person_of_[j] = person_;
      best_[j] = weight;
      add(j, weight);
    } else if (weight > best_[j]) {
      sums_[j] += weight - best_[j];
      best_[j] = weight;
    }
  }
  float sum(std::uint32_t j) const { return sums_[j]; }
  std::span<const std::uint32_t> touched() const { return touched_; }
  void clear();

  std::vector<Candidate> row;  // the scored row: any order, each item once

 private:
  std::vector<float> sums_;  // by item; 0: not touched
  std::vector<std::uint32_t> touched_;
  std::vector<float> best_;               // by item: the person's best weight so far ...
  std::vector<std::uint32_t> person_of_;  // ... if this is the person
  std::uint32_t person_ = 0;
};

// Each item of a history below `items` once, at its best positive weight, ascending: the rows that
// answer it, and the order of summation.
std::vector<WeightedRow> rows_of_history(std::span<const HistoryEvent> history,
                                         std::uint32_t items);

// For every row of `cells` that holds `item`, adds row_weights[r] * w(r, item) * w(r, j) to the
// pair with each other item j of that row: row `item` of X^T D X without its diagonal. Positive
// weights only.
void add_cooccurrences(const Interactions& cells, std::span<const float> row_weights,
                       std::uint32_t item, RowWorkspace& workspace);

// Leaves the best `k` of a row by better(), in the order of the items; scores that are not finite
// or not positive are dropped.
void keep_best(std::vector<Candidate>& row, int k);

// How many entries the rows hold at most that keep `k` of each item's pairs.
double entries_at_most(const Interactions& cells, int k);
// kExhausted when building such rows, with `entries_beside` of another kind, is above the limit:
// with the numbers and a value of the setting, how many entries each item keeps, that would fit.
Status check_row_memory(std::string_view model, const Interactions& cells, CostlySetting kept,
                        double entries_beside, int limit_mb);

// Calls fill(item, workspace), which sets workspace.row, for each item and keeps the best `k` of
// each. `stage` names the work to the
// monitor; kCancelled when it said so.
Result<SparseRows> build_item_rows(const Run& run, std::string_view stage, std::uint32_t items,
                                   int k,
                                   const std::function<void(std::uint32_t, RowWorkspace&)>& fill);

// The same matrix by its columns, rows ascending within each; `columns` bounds the columns of
// `rows`.
SparseRows transposed(const SparseRows& rows, std::uint32_t columns);

// Archive names "rows/offsets", "rows/columns", "rows/weights". Loading checks everything that
// retrieval relies on: as many rows as columns, offsets that rise, columns below `items` that rise
// within a row, finite weights.
void save_rows(ArchiveWriter& writer, const SparseRows& rows);
Result<SparseRows> load_rows(ArchiveReader& reader, std::uint32_t items);

}  // namespace vitrine

// The training of lightgcn: embeddings, their optimiser, and the batches, which depend on the seed,
// the epoch and their number alone. One call at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "base/run.h"
#include "model/adam.h"
#include "model/graph_propagation.h"
#include "model/lightgcn.h"
#include "model/pair_losses.h"

namespace vitrine {

class LightGcnTrainer {
 public:
  // `run` and `interactions` must outlive it.
  LightGcnTrainer(const Run& run, const LightGcnOptions& options, const Interactions& interactions);

  // What it will need at its peak, roughly.
  static double bytes(const LightGcnOptions& options, const Interactions& interactions);

  std::int64_t batches() const;  // of an epoch
  void begin_epoch(int epoch);   // from 0
  // One step of Adam on draw(batch); returns its loss, without the L2 term.
  double step(std::int64_t batch);
  // Valid until the next call.
  const PairBatch& draw(std::int64_t batch);

  // Final vectors: persons, then items.
  Matrix vectors() { return graph_.all(embeddings_); }
  const Matrix& embeddings() const { return embeddings_; }

 private:
  std::uint32_t place_of(std::uint32_t node);
  std::span<const std::uint32_t> items_of_pair(std::int64_t p) const {
    return interactions_.by_row.row(row_of_[order_[static_cast<std::size_t>(p)]]);
  }
  void draw_one_each(const Random& random, std::int64_t begin, std::int64_t end);
  void draw_shared(const Random& random);
  void drop_own(std::int64_t begin, std::int64_t end);

  const Run& run_;
  LightGcnOptions options_;
  const Interactions& interactions_;
  GraphPropagation graph_;
  Matrix embeddings_;
  Adam adam_;
  int epoch_ = 0;
  std::vector<std::uint32_t> row_of_;  // by cell: its row
  std::vector<std::uint32_t> order_;   // cells, as this epoch visits them
  PairBatch batch_;
  std::vector<std::uint32_t> place_;      // by node: its place in the batch, or none
  std::vector<std::uint32_t> uses_;       // by node: how often the batch names it
  std::vector<std::uint32_t> column_of_;  // by item: the last shared negative that is it, or none
  std::vector<std::uint32_t> column_before_;  // by shared negative: the one before that is the same
};

}  // namespace vitrine

// The training of bpr, apart from the model around it: vectors, biases, and one epoch over all
// cells.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/matrix.h"
#include "base/run.h"
#include "data/histories.h"

namespace vitrine {

struct BprOptions;

// Users and items are dealt into so many strips; an epoch has as many rounds of as many blocks.
inline constexpr std::uint32_t kBprStrips = 16;

struct BprStep {
  float rate;            // of learning
  float regularization;  // L2
};

struct BprItem {
  float* vector;
  float* bias;
};

// x_ui - x_uj of one pair made larger: one step down the gradient of -ln sigma(x_ui - x_uj) and L2.
// Rows of `width` floats; they must not overlap.
void bpr_pairwise_step(const BprStep& step, std::int64_t width, float* user, BprItem taken,
                       BprItem other);
// The same for -ln sigma(x + offset) of an item that was taken, -ln sigma(-x - offset) of another.
void bpr_pointwise_step(const BprStep& step, std::int64_t width, float offset, bool taken,
                        float* user, BprItem item);

// Not thread-safe; epoch() uses the pool. `cells` must outlive it.
class BprTrainer {
 public:
  BprTrainer(const Run& run, const BprOptions& options, const SparseRows& cells,
             std::span<const std::uint32_t> item_counts);

  // The epochs in turn, each once: its kBprStrips rounds, in order.
  void begin_epoch(int number);
  void round(int number);

  MatrixView<const float> users() const {
    return {users_.data(), users_.rows(), width_, users_.stride()};
  }
  MatrixView<const float> items() const {
    return {items_.data(), items_.rows(), width_, items_.stride()};
  }
  std::span<const float> biases() const { return biases_; }

 private:
  struct Cell {
    std::uint32_t user, item;
  };
  // The cells of one user strip, by item strip.
  struct UserStrip {
    std::vector<Cell> cells;
    std::array<std::size_t, kBprStrips + 1> offsets;
  };

  Random epoch_random() const;
  BprItem item(std::uint32_t i);
  bool has(std::uint32_t user, std::uint32_t item) const;
  std::uint32_t hardest(std::uint32_t user, std::span<const std::uint32_t> others) const;
  void prefetch(Cell cell, std::span<const std::uint32_t> others) const;
  void deal_items(const Random& random);
  void deal_cells(std::uint32_t user_strip);
  void train_block(const BprStep& step, const Random& random, std::uint32_t user_strip,
                   std::uint32_t item_strip);
  void train_cell(const BprStep& step, Cell cell, std::span<const std::uint32_t> others);

  const Run& run_;
  const BprOptions& options_;
  const SparseRows& cells_;
  std::vector<std::uint32_t> copies_;  // by item: how often it stands in the pool of negatives
  std::int64_t width_;
  Matrix users_, items_;
  std::vector<float> biases_;
  int epoch_ = 0;
  const bool pointwise_, hardest_;
  const float offset_;                                        // of pointwise scores
  std::vector<std::uint8_t> strip_of_;                        // by item, this epoch
  std::array<std::vector<std::uint32_t>, kBprStrips> pools_;  // negatives, by item strip
  std::array<UserStrip, kBprStrips> strips_;
};

}  // namespace vitrine

// Sums by number that cost nothing to clear: a cell counts only if it carries the stamp of the
// current use. Scratch of one caller at a time, kept between requests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "data/query.h"
#include "index/mask.h"

namespace vitrine {

class StampedSums {
 public:
  // All sums are 0 again, for numbers below `size`.
  void begin(std::size_t size) {
    if (cells_.size() < size) cells_.resize(size, Cell{0, 0});
    if (++stamp_ == 0) {  // wrapped: every old stamp could be mistaken for a new one
      std::fill(cells_.begin(), cells_.end(), Cell{0, 0});
      stamp_ = 1;
    }
    touched_.clear();
  }
  // True where this is the first that `i` gets.
  bool add(std::uint32_t i, float weight) {
    Cell& cell = cells_[i];
    const bool first = cell.stamp != stamp_;
    if (first) {
      cell = {stamp_, 0};
      touched_.push_back(i);
    }
    cell.sum += weight;
    return first;
  }
  bool has(std::size_t i) const { return i < cells_.size() && cells_[i].stamp == stamp_; }
  float sum(std::size_t i) const { return has(i) ? cells_[i].sum : 0; }
  std::span<const std::uint32_t> touched() const { return touched_; }  // in order of first touch
  // Calls visit(i, sum) for what was touched, in the order of the numbers; touched() then has it
  // too.
  template <class Visit>
  void for_each_ascending(Visit visit) {
    if (touched_.size() < cells_.size() / 16) {
      std::sort(touched_.begin(), touched_.end());
    } else {  // looking at every cell is less work
      touched_.clear();
      for (std::uint32_t i = 0; i < cells_.size(); ++i) {
        if (has(i)) touched_.push_back(i);
      }
    }
    for (const std::uint32_t i : touched_) visit(i, cells_[i].sum);
  }

 private:
  struct Cell {
    std::uint32_t stamp;
    float sum;
  };
  std::vector<Cell> cells_;
  std::vector<std::uint32_t> touched_;
  std::uint32_t stamp_ = 0;
};

// The best n of sums by item that the mask allows, best first; sums that are not positive are no
// candidates. Returns the number written to `out` (size n at least).
std::size_t top_of_sums(const StampedSums& sums, const ItemMask& mask, int n,
                        std::span<Candidate> out);

}  // namespace vitrine

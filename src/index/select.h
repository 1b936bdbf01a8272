// Keeps the best n of a stream of candidates. Internal to index/.
#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "data/query.h"

namespace vitrine {

// Candidates may come in any order; what cannot be among the best n is refused at the door, the
// rest is kept until the room is full and then cut back by nth_element. NaN is refused. reset()
// before each use.
class TopList {
 public:
  void reset(std::size_t n) {
    n_ = n;
    room_ = 2 * n + 64;
    kept_.clear();
    worst_ = {kNoItem, -std::numeric_limits<float>::infinity()};
  }
  // Below this score nothing enters.
  float threshold() const { return worst_.score; }
  bool admits(const Candidate& c) const { return better(c, worst_); }
  void push(const Candidate& c) {  // only what is admitted
    kept_.push_back(c);
    if (kept_.size() >= room_) cut();
  }
  // Best first; returns the number written.
  std::size_t take(std::span<Candidate> out) {
    if (kept_.size() > n_) cut();
    std::sort(kept_.begin(), kept_.end(), better);
    const std::size_t count = std::min(out.size(), kept_.size());
    std::copy_n(kept_.begin(), count, out.begin());
    return count;
  }

 private:
  void cut() {
    const auto last = kept_.begin() + static_cast<std::ptrdiff_t>(n_ - 1);
    std::nth_element(kept_.begin(), last, kept_.end(), better);
    kept_.resize(n_);
    worst_ = kept_.back();
  }
  std::size_t n_ = 0, room_ = 0;
  Candidate worst_;
  std::vector<Candidate> kept_;
};

}  // namespace vitrine

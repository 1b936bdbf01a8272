// The best n of one query while a kernel runs through the items. Internal to index/.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/kernels.h"
#include "data/query.h"
#include "index/mask.h"

namespace vitrine {

// The position of an item that has none.
inline constexpr std::uint32_t kNoPosition = ~std::uint32_t{0};

// Scores of up to eight rows at a time: a chain of additions waits for itself, eight chains do not.
// Value k of a row is `step` * k floats after its first.
void exact_scores(const float* query, std::int64_t width, const float* const* rows,
                  std::int64_t step, int count, float* scores);

// The float32 vectors by position, to score again what was screened, and their names. Owns nothing.
struct ExactRows {
  const float* data = nullptr;
  std::int64_t width = 0, stride = 0, count = 0;
  const ItemIndex* names = nullptr;                // by position
  enum { kRows, kPanels, kByName } order = kRows;  // kPanels: k-major panels of kPanel positions
  std::int64_t step() const { return order == kPanels ? kPanel : 1; }
  const float* row(std::uint32_t position) const {
    if (order == kPanels) return data + position / kPanel * kPanel * width + position % kPanel;
    return data + std::int64_t{order == kByName ? raw(names[position]) : position} * stride;
  }
};

// The kernel fills the buffer; drain() moves what the mask allows to `kept` and cuts that back. An
// entry's score lies in [low, high]; `bound` is a score that n of them certainly reach, so whatever
// cannot reach it may go. Lists equal a full sort by better() over all that was offered.
class Selection {
 public:
  // `query` has rows.width values; all pointers stay valid until take(). `screened`: scores are
  // within slack() of the exact ones, and are computed again before they are listed.
  void begin(const ExactRows& rows, const ItemMask& mask, const float* query, std::size_t n,
             bool screened);

  void set_slack(double slack) { slack_ = static_cast<float>(slack); }
  void close() { open_ = false; }
  bool open() const { return open_; }
  // Closes when no score that is left can reach the list, `most` being the largest of them.
  bool close_below(double most) {
    if (most < double{bound_} && bound_ < kInfinity) open_ = false;
    return open_;
  }

  ScanBuffer buffer();
  void drain(ScanBuffer& buffer);
  // The end of a chunk: a bound that is up to date may close the query.
  void leave(ScanBuffer& buffer);
  // Every position, or those of a list, one by one in float32: for a query that cannot be screened.
  void exhaust();
  void exhaust(std::span<const std::uint32_t> positions);

  // Whether n of what was offered were allowed.
  bool full() const { return kept_.size() >= n_; }

  // Best first; returns the number written, at most n.
  std::size_t take(std::span<Candidate> out);

 private:
  struct Entry {
    std::uint32_t position;
    float low, high;
  };
  static constexpr float kInfinity = __builtin_inff();

  static void cut(ScanBuffer& buffer) { static_cast<Selection*>(buffer.owner)->drain(buffer); }
  Candidate candidate(const Entry& e) const { return {rows_.names[e.position], e.low}; }
  void prefetch(std::uint32_t position) const;
  void admit(std::uint32_t position, float score);
  void admit_exactly(std::uint32_t position);
  void reduce();
  void settle();

  ExactRows rows_;
  const ItemMask* mask_ = nullptr;
  const float* query_ = nullptr;
  bool screened_ = false, open_ = true;
  std::size_t n_ = 0, fresh_ = 0;  // fresh: as many more than n are kept before they are cut
  std::uint32_t room_ = 0;
  float bound_ = 0, slack_ = 0;
  std::vector<std::uint32_t> positions_;
  std::vector<float> scores_;
  std::vector<Entry> kept_;
  std::vector<float> lows_;
};

}  // namespace vitrine

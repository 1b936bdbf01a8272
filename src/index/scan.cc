#include "index/scan.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/result.h"
#include "index/bfloat16.h"

namespace vitrine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Queries that go through all chunks together: their buffers and one chunk share the L2 cache.
constexpr std::int64_t kGroup = 960;
static_assert(kGroup % kScanQueries == 0 && kGroup % kScreenTile == 0);
// Screened queries that meet one tile of items together stay in the L1 cache.
constexpr std::int64_t kQueryBytes = 32 << 10;
constexpr std::int64_t kCallMax = kScreenTilesMax * kScreenTile;

// Scores of up to eight rows at a time: a chain of additions waits for itself, eight chains do not.
void exact_scores(const float* query, std::int64_t width, const float* const* rows, int count,
                  float* scores) {
  constexpr int kChains = 8;
  const float* row[kChains];
  for (int i = 0; i < kChains; ++i) {
    row[i] = rows[std::min(i, count - 1)];
  }
  float sum[kChains] = {};
  for (std::int64_t k = 0; k < width; ++k) {
    for (int i = 0; i < kChains; ++i) sum[i] = std::fma(query[k], row[i][k], sum[i]);
  }
  std::copy_n(sum, count, scores);
}

// The n-th largest of a few values, 1 <= n <= size. Counting all pairs has no branch to mispredict.
float nth_largest(std::span<float> values, std::size_t n) {
  if (values.size() > 256) {
    const auto last = values.begin() + static_cast<std::ptrdiff_t>(n - 1);
    std::nth_element(values.begin(), last, values.end(), std::greater<>());
    return *last;
  }
  for (const float candidate : values) {
    std::uint32_t above = 0, reach = 0;
    for (const float v : values) {
      above += static_cast<std::uint32_t>(v > candidate);
      reach += static_cast<std::uint32_t>(v >= candidate);
    }
    if (above < n && reach >= n) return candidate;
  }
  return -kInfinity;  // never: one of them is
}

// The selection of one query. The kernel fills the buffer; drain() moves what the mask allows to
// `kept` and cuts that back. An entry's score lies in [low, high]; `bound` is a score that n of
// them certainly reach, so whatever cannot reach it may go.
class Selection {
 public:
  void begin(const PackedItems& items, const ItemMask& mask, const float* query, std::size_t n) {
    items_ = &items;
    mask_ = &mask;
    query_ = query;
    n_ = n;
    bound_ = -kInfinity;
    slack_ = 0;
    kept_.clear();
    fresh_ = std::max<std::size_t>(n / 2, 32);
    room_ = static_cast<std::uint32_t>(fresh_) + kPanel;
    positions_.resize(room_);
    scores_.resize(room_);
    norm_ = rounding_ = 0;
    open_ = true;
  }

  // The norms of the query, to know what a chunk can hold at best.
  void set_norms(double norm, double rounding) {
    norm_ = norm;
    rounding_ = rounding;
  }
  void close() { open_ = false; }

  // False when neither this chunk nor a later one can hold anything for the list.
  bool enter(const PackedItems::Chunk& chunk) {
    if (!open_) return false;
    if (norm_ * chunk.norm * kMargin < double{bound_} && bound_ < kInfinity) open_ = false;
    if (items_->screens()) {
      const double slack = norm_ * chunk.error + rounding_ * chunk.rounded_norm;
      slack_ =
          static_cast<float>(slack * kMargin + kUnderflow * static_cast<double>(items_->width()));
    }
    return open_;
  }

  ScanBuffer buffer() {
    return {open_ ? bound_ - slack_ : kInfinity,
            0,
            room_,
            positions_.data(),
            scores_.data(),
            &Selection::cut,
            this};
  }

  void drain(ScanBuffer& buffer) {
    for (std::uint32_t i = 0; i < buffer.size; ++i) {
      if (std::int64_t{buffer.positions[i]} < items_->items())
        admit(buffer.positions[i], buffer.scores[i]);
    }
    buffer.size = 0;
    if (kept_.size() >= n_ + fresh_) reduce();
    buffer.threshold = open_ ? bound_ - slack_ : kInfinity;
  }

  // The end of a chunk: a bound that is up to date may close the query. Worth less where chunks
  // cost less.
  void leave(ScanBuffer& buffer) {
    drain(buffer);
    if (kept_.size() >= n_ + fresh_ / (items_->screens() ? 2 : 4)) reduce();
  }

  // Every item, one by one: for a query that cannot be screened.
  void exhaust() {
    slack_ = 0;
    for (std::int64_t p = 0; p < items_->items(); ++p) {
      const auto position = static_cast<std::uint32_t>(p);
      const float* row = items_->vector(position);
      float score = 0;
      exact_scores(query_, items_->width(), &row, 1, &score);
      if (!(score >= bound_)) continue;
      admit(position, score);
      if (kept_.size() >= n_ + fresh_) reduce();
    }
  }

  std::size_t take(std::span<Candidate> out) {
    reduce();
    settle();
    const std::size_t count = std::min(kept_.size(), n_);
    for (std::size_t i = 0; i < count; ++i) out[i] = candidate(kept_[i]);
    std::sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count), better);
    return count;
  }

 private:
  struct Entry {
    std::uint32_t position;
    float low, high;
  };
  static constexpr double kMargin = 1 + 1e-4, kUnderflow = 1e-37;

  static void cut(ScanBuffer& buffer) { static_cast<Selection*>(buffer.owner)->drain(buffer); }

  Candidate candidate(const Entry& e) const { return {items_->item(e.position), e.low}; }

  void prefetch(std::uint32_t position) const {
    constexpr std::int64_t kLine = 16, kLinesMax = 16;
    const std::int64_t end = std::min(items_->width(), kLine * kLinesMax);
    for (std::int64_t k = 0; k < end; k += kLine) __builtin_prefetch(items_->vector(position) + k);
  }

  void admit(std::uint32_t position, float score) {
    const float high = score + slack_;
    if (high >= bound_ && mask_->allows(items_->item(position))) {
      kept_.push_back({position, score - slack_, high});
    }
  }

  void reduce() {
    if (kept_.size() <= n_) return;
    lows_.clear();
    for (const Entry& e : kept_) lows_.push_back(e.low);
    bound_ = std::max(bound_, nth_largest(lows_, n_));
    std::size_t left = 0;
    for (const Entry& e : kept_) {
      kept_[left] = e;
      left += static_cast<std::size_t>(e.high >= bound_);
    }
    kept_.resize(left);
    if (kept_.size() > n_ + fresh_ / 2) settle();
  }

  // Scores what is only known within its error, and leaves the n best.
  void settle() {
    constexpr std::size_t kAtOnce = 8;
    if (items_->screens()) {
      for (const Entry& e : kept_) prefetch(e.position);
      for (std::size_t begin = 0; begin < kept_.size(); begin += kAtOnce) {
        const std::size_t count = std::min(kAtOnce, kept_.size() - begin);
        const float* rows[kAtOnce];
        float scores[kAtOnce];
        for (std::size_t i = 0; i < count; ++i) rows[i] = items_->vector(kept_[begin + i].position);
        exact_scores(query_, items_->width(), rows, static_cast<int>(count), scores);
        for (std::size_t i = 0; i < count; ++i) {
          kept_[begin + i].low = kept_[begin + i].high = scores[i];
        }
      }
    }
    if (kept_.size() <= n_) return;
    const auto last = kept_.begin() + static_cast<std::ptrdiff_t>(n_ - 1);
    std::nth_element(kept_.begin(), last, kept_.end(), [&](const Entry& a, const Entry& b) {
      return better(candidate(a), candidate(b));
    });
    bound_ = std::max(bound_, last->low);
    kept_.resize(n_);
  }

  const PackedItems* items_ = nullptr;
  const ItemMask* mask_ = nullptr;
  const float* query_ = nullptr;
  std::size_t n_ = 0, fresh_ = 0;  // fresh: as many more than n are kept before they are cut
  std::uint32_t room_ = 0;
  float bound_ = 0, slack_ = 0;
  double norm_ = 0, rounding_ = 0;
  bool open_ = true;
  std::vector<std::uint32_t> positions_;
  std::vector<float> scores_;
  std::vector<Entry> kept_;
  std::vector<float> lows_;
};

// One group of queries, packed for the kernel, against all chunks.
class Group {
 public:
  Group(const PackedItems& items, std::int64_t count)
      : items_(items), tile_(items.screens() ? kScreenTile : kScanQueries), call_(tile_) {
    if (items.screens()) {
      const std::int64_t tile_bytes = items.rounded_width() * tile_ * 2;
      call_ *= std::clamp<std::int64_t>(kQueryBytes / tile_bytes, 1, kScreenTilesMax);
    }
    const std::int64_t tiles = (std::min(count, kGroup) + tile_ - 1) / tile_;
    selections_.resize(static_cast<std::size_t>(std::min(count, kGroup)));
    if (items.screens()) {
      rounded_.resize(static_cast<std::size_t>(tiles * tile_ * items.rounded_width()));
    } else {
      packed_.resize(static_cast<std::size_t>(tiles * tile_ * items.width() + tile_));
    }
  }

  // Rows [first, first + count) of the queries; count is at most kGroup.
  void run(MatrixView<const float> queries, std::int64_t first, std::int64_t count,
           std::span<const ItemMask> masks, std::size_t n, CandidateBlock& out) {
    for (std::int64_t q = 0; q < count; ++q) {
      const float* query = queries.data + (first + q) * queries.stride;
      selection(q).begin(items_, mask_of(masks, static_cast<std::size_t>(first + q)), query, n);
      items_.screens() ? round(q, query) : pack(q, query);
    }
    for (const PackedItems::Chunk& chunk : items_.chunks()) {
      for (std::int64_t q = 0; q < count; q += call_) scan(chunk, q, std::min(call_, count - q));
    }
    for (std::int64_t q = 0; q < count; ++q) {
      const auto row = static_cast<std::size_t>(first + q);
      out.set_count(row, selection(q).take(out.room(row)));
    }
  }

 private:
  Selection& selection(std::int64_t q) { return selections_[static_cast<std::size_t>(q)]; }

  void pack(std::int64_t q, const float* query) {
    float* column = packed_.data() + q / tile_ * tile_ * items_.width() + q % tile_;
    double sum = 0;
    for (std::int64_t k = 0; k < items_.width(); ++k) {
      column[k * tile_] = query[k];
      sum += double{query[k]} * double{query[k]};
    }
    // The float32 chain errs, too.
    const double rounding = 1 + static_cast<double>(items_.width()) * 0x1p-23;
    selection(q).set_norms(std::sqrt(sum) * rounding, 0);
  }

  void round(std::int64_t q, const float* query) {
    std::uint16_t* column =
        rounded_.data() + q / tile_ * tile_ * items_.rounded_width() + q % tile_ * 2;
    double sum = 0;
    for (std::int64_t k = 0; k < items_.width(); ++k) sum += double{query[k]} * double{query[k]};
    if (!(sum < 1e36)) {  // not finite, or so long that sums might overflow
      for (std::int64_t k = 0; k < items_.rounded_width(); ++k)
        column[k / 2 * tile_ * 2 + k % 2] = 0;
      selection(q).exhaust();
      selection(q).close();
      return;
    }
    const RoundedNorms norms = round_vector(query, items_.width(), tile_ * 2, column);
    selection(q).set_norms(norms.norm, norms.error);
  }

  void scan(const PackedItems::Chunk& chunk, std::int64_t q, std::int64_t count) {
    ScanBuffer buffers[kCallMax];
    bool open = false;
    for (std::int64_t i = 0; i < count; ++i) {
      open |= selection(q + i).enter(chunk);
      buffers[i] = selection(q + i).buffer();
    }
    if (!open) return;
    const auto first = static_cast<std::uint32_t>(chunk.first);
    if (items_.screens()) {
      const std::int64_t tiles = (count + tile_ - 1) / tile_;
      for (std::int64_t i = count; i < tiles * tile_; ++i)
        buffers[i] = {kInfinity, 0, ~0u, nullptr, nullptr, nullptr, nullptr};
      items_.kernels().screen(rounded_.data() + q * items_.rounded_width(), tiles,
                              items_.rounded(chunk.first), items_.rounded_width(),
                              chunk.count / kScreenTile, first, buffers);
    } else {
      items_.kernels().scan(packed_.data() + q * items_.width(), static_cast<int>(count),
                            items_.panel(chunk.first), items_.width(), chunk.count / kPanel, first,
                            buffers);
    }
    for (std::int64_t i = 0; i < count; ++i) selection(q + i).leave(buffers[i]);
  }

  const PackedItems& items_;
  const std::int64_t tile_;  // queries that are packed together
  std::int64_t call_;        // queries of one call of the kernel
  std::vector<Selection> selections_;
  std::vector<float> packed_;
  std::vector<std::uint16_t> rounded_;
};

}  // namespace

void scan_top(MatrixView<const float> queries, const PackedItems& items,
              std::span<const ItemMask> masks, int n, CandidateBlock& out) {
  VT_CHECK(queries.cols == items.width());
  out.reset(static_cast<std::size_t>(queries.rows), static_cast<std::size_t>(std::max(n, 0)));
  const std::int64_t wanted = std::min<std::int64_t>(n, items.items());
  if (wanted <= 0 || queries.rows == 0) return;
  Group group(items, queries.rows);
  for (std::int64_t first = 0; first < queries.rows; first += kGroup) {
    group.run(queries, first, std::min(kGroup, queries.rows - first), masks,
              static_cast<std::size_t>(wanted), out);
  }
}

void scan_scores(std::span<const float> query, MatrixView<const float> vectors,
                 std::span<const ItemIndex> items, std::span<float> scores) {
  constexpr std::size_t kAtOnce = 8;
  for (std::size_t begin = 0; begin < items.size(); begin += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, items.size() - begin);
    const float* rows[kAtOnce];
    for (std::size_t i = 0; i < count; ++i) rows[i] = vectors.row(raw(items[begin + i])).data();
    exact_scores(query.data(), static_cast<std::int64_t>(query.size()), rows,
                 static_cast<int>(count), scores.data() + begin);
  }
}

}  // namespace vitrine

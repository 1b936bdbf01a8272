#include "index/selection.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace vitrine {
namespace {

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
  return -__builtin_inff();  // never: one of them is
}

}  // namespace

void exact_scores(const float* query, std::int64_t width, const float* const* rows,
                  std::int64_t step, int count, float* scores) {
  constexpr int kChains = 8;
  const float* row[kChains];
  for (int i = 0; i < kChains; ++i) row[i] = rows[std::min(i, count - 1)];
  float sum[kChains] = {};
  for (std::int64_t k = 0; k < width; ++k) {
    for (int i = 0; i < kChains; ++i) sum[i] = std::fma(query[k], row[i][k * step], sum[i]);
  }
  std::copy_n(sum, count, scores);
}

void Selection::begin(const ExactRows& rows, const ItemMask& mask, const float* query,
                      std::size_t n, bool screened) {
  rows_ = rows;
  mask_ = &mask;
  query_ = query;
  n_ = n;
  screened_ = screened;
  open_ = true;
  bound_ = -kInfinity;
  slack_ = 0;
  kept_.clear();
  fresh_ = std::max<std::size_t>(n / 2, 32);
  room_ = static_cast<std::uint32_t>(fresh_) + kPanel;
  positions_.resize(room_);
  scores_.resize(room_);
}

ScanBuffer Selection::buffer() {
  return {open_ ? bound_ - slack_ : kInfinity,
          0,
          room_,
          positions_.data(),
          scores_.data(),
          &Selection::cut,
          this};
}

void Selection::drain(ScanBuffer& buffer) {
  for (std::uint32_t i = 0; i < buffer.size; ++i) {
    if (std::int64_t{buffer.positions[i]} < rows_.count)
      admit(buffer.positions[i], buffer.scores[i]);
  }
  buffer.size = 0;
  if (kept_.size() >= n_ + fresh_) reduce();
  buffer.threshold = open_ ? bound_ - slack_ : kInfinity;
}

void Selection::leave(ScanBuffer& buffer) {
  drain(buffer);
  // Worth less where chunks cost less.
  if (kept_.size() >= n_ + fresh_ / (screened_ ? 2 : 4)) reduce();
}

void Selection::exhaust() {
  slack_ = 0;
  for (std::int64_t p = 0; p < rows_.count; ++p) admit_exactly(static_cast<std::uint32_t>(p));
}

void Selection::exhaust(std::span<const std::uint32_t> positions) {
  slack_ = 0;
  for (const std::uint32_t p : positions) admit_exactly(p);
}

std::size_t Selection::take(std::span<Candidate> out) {
  reduce();
  settle();
  const std::size_t count = std::min(kept_.size(), n_);
  for (std::size_t i = 0; i < count; ++i) out[i] = candidate(kept_[i]);
  std::sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count), better);
  return count;
}

void Selection::prefetch(std::uint32_t position) const {
  constexpr std::int64_t kLine = 16, kLinesMax = 16;
  const float* row = rows_.row(position);
  if (rows_.step() != 1) {
    const std::int64_t end = std::min(rows_.width, 4 * kLinesMax);
    for (std::int64_t k = 0; k < end; ++k) __builtin_prefetch(row + k * rows_.step());
    return;
  }
  const std::int64_t end = std::min(rows_.width, kLine * kLinesMax);
  for (std::int64_t k = 0; k < end; k += kLine) __builtin_prefetch(row + k);
}

void Selection::admit(std::uint32_t position, float score) {
  const float high = score + slack_;
  if (high >= bound_ && mask_->allows(rows_.names[position]))
    kept_.push_back({position, score - slack_, high});
}

void Selection::admit_exactly(std::uint32_t position) {
  const float* row = rows_.row(position);
  float score = 0;
  exact_scores(query_, rows_.width, &row, rows_.step(), 1, &score);
  if (!(score >= bound_)) return;
  admit(position, score);
  if (kept_.size() >= n_ + fresh_) reduce();
}

void Selection::reduce() {
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
void Selection::settle() {
  constexpr std::size_t kAtOnce = 8;
  if (screened_) {
    for (const Entry& e : kept_) prefetch(e.position);
    for (std::size_t begin = 0; begin < kept_.size(); begin += kAtOnce) {
      const std::size_t count = std::min(kAtOnce, kept_.size() - begin);
      const float* rows[kAtOnce];
      float scores[kAtOnce];
      for (std::size_t i = 0; i < count; ++i) rows[i] = rows_.row(kept_[begin + i].position);
      exact_scores(query_, rows_.width, rows, rows_.step(), static_cast<int>(count), scores);
      for (std::size_t i = 0; i < count; ++i) {
        kept_[begin + i].low = kept_[begin + i].high = scores[i];
      }
    }
    // Only where the bytes were not made from these vectors.
    std::erase_if(kept_, [](const Entry& e) { return std::isnan(e.low); });
  }
  if (kept_.size() <= n_) return;
  const auto last = kept_.begin() + static_cast<std::ptrdiff_t>(n_ - 1);
  std::nth_element(kept_.begin(), last, kept_.end(), [&](const Entry& a, const Entry& b) {
    return better(candidate(a), candidate(b));
  });
  bound_ = std::max(bound_, last->low);
  kept_.resize(n_);
}

}  // namespace vitrine

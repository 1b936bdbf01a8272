#include "model/bpr_sgd.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "model/bpr.h"

namespace vitrine {
namespace {

constexpr float kInitialDeviation = 0.1f;
constexpr std::uint32_t kNone = ~0u;
constexpr std::size_t kBatch = 64;  // cells whose negatives are drawn ahead
constexpr std::size_t kAhead = 2;   // cells whose rows are on their way

float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

void fill_normal(const Run& run, const Random& random, std::int64_t width, Matrix& matrix) {
  parallel_for(run.pool, matrix.rows(), 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      for (std::int64_t k = 0; k < width; ++k) {
        const auto draw = static_cast<std::uint64_t>(r * width + k);
        matrix(r, k) = kInitialDeviation * static_cast<float>(random.normal(draw));
      }
    }
  });
}

}  // namespace

void bpr_pairwise_step(const BprStep& step, std::int64_t width, float* user, BprItem taken,
                       BprItem other) {
  const float x = kernels().dot(user, taken.vector, width) -
                  kernels().dot(user, other.vector, width) + (*taken.bias - *other.bias);
  const float g = step.rate * sigmoid(-x), keep = 1 - step.rate * step.regularization;
  float* __restrict p = user;
  float* __restrict a = taken.vector;
  float* __restrict b = other.vector;
  for (std::int64_t k = 0; k < width; ++k) {
    const float u = p[k], difference = a[k] - b[k];
    p[k] = std::fma(g, difference, keep * u);
    a[k] = std::fma(g, u, keep * a[k]);
    b[k] = std::fma(-g, u, keep * b[k]);
  }
  *taken.bias = std::fma(keep, *taken.bias, g);
  *other.bias = std::fma(keep, *other.bias, -g);
}

void bpr_pointwise_step(const BprStep& step, std::int64_t width, float offset, bool taken,
                        float* user, BprItem item) {
  const float x = kernels().dot(user, item.vector, width) + *item.bias + offset;
  const float g = step.rate * (taken ? sigmoid(-x) : -sigmoid(x));
  const float keep = 1 - step.rate * step.regularization;
  float* __restrict p = user;
  float* __restrict q = item.vector;
  for (std::int64_t k = 0; k < width; ++k) {
    const float u = p[k], v = q[k];
    p[k] = std::fma(g, v, keep * u);
    q[k] = std::fma(g, u, keep * v);
  }
  *item.bias = std::fma(keep, *item.bias, g);
}

BprTrainer::BprTrainer(const Run& run, const BprOptions& options, const SparseRows& cells,
                       std::span<const std::uint32_t> item_counts)
    : run_(run),
      options_(options),
      cells_(cells),
      copies_(item_counts.begin(), item_counts.end()),
      width_(options.factors),
      users_(static_cast<std::int64_t>(cells.rows()), width_),
      items_(static_cast<std::int64_t>(item_counts.size()), width_),
      biases_(item_counts.size()),
      pointwise_(options.loss == "pointwise"),
      hardest_(options.loss == "hardest"),
      offset_(-std::log(static_cast<float>(options.negatives))),
      strip_of_(item_counts.size()) {
  for (std::uint32_t& count : copies_) {
    if (count > 0) {
      count = static_cast<std::uint32_t>(
          std::lround(std::pow(static_cast<double>(count), options.negative_exponent)));
    }
  }
  fill_normal(run, run.random.fork("bpr/users"), width_, users_);
  fill_normal(run, run.random.fork("bpr/items"), width_, items_);
}

void BprTrainer::deal_items(const Random& random) {
  for (auto& pool : pools_) pool.clear();
  for (std::uint32_t i = 0; i < copies_.size(); ++i) {
    if (copies_[i] == 0) continue;
    const auto strip = static_cast<std::uint8_t>(random.below(i, kBprStrips));
    strip_of_[i] = strip;
    pools_[strip].insert(pools_[strip].end(), copies_[i], i);
  }
}

void BprTrainer::deal_cells(std::uint32_t user_strip) {
  UserStrip& strip = strips_[user_strip];
  std::array<std::size_t, kBprStrips> next{};
  for (std::size_t u = user_strip; u < cells_.rows(); u += kBprStrips) {
    for (const std::uint32_t i : cells_.row(u)) ++next[strip_of_[i]];
  }
  strip.offsets[0] = 0;
  for (std::uint32_t s = 0; s < kBprStrips; ++s) {
    strip.offsets[s + 1] = strip.offsets[s] + next[s];
    next[s] = strip.offsets[s];
  }
  strip.cells.resize(strip.offsets.back());
  for (std::size_t u = user_strip; u < cells_.rows(); u += kBprStrips) {
    for (const std::uint32_t i : cells_.row(u)) {
      strip.cells[next[strip_of_[i]]++] = {static_cast<std::uint32_t>(u), i};
    }
  }
}

BprItem BprTrainer::item(std::uint32_t i) {
  return {items_.data() + i * items_.stride(), &biases_[i]};
}

bool BprTrainer::has(std::uint32_t user, std::uint32_t item) const {
  const auto row = cells_.row(user);
  return std::binary_search(row.begin(), row.end(), item);
}

// The first of the highest score among those that the user did not take; kNone when they took all.
std::uint32_t BprTrainer::hardest(std::uint32_t user, std::span<const std::uint32_t> others) const {
  const std::int64_t width = items_.stride();
  const float* const vector = users_.data() + user * width;
  std::uint32_t best = kNone;
  float best_score = 0;
  for (const std::uint32_t other : others) {
    const float* const row = items_.data() + other * width;
    const float score = kernels().dot(vector, row, width) + biases_[other];
    if ((best == kNone || score > best_score) && !has(user, other)) {
      best = other;
      best_score = score;
    }
  }
  return best;
}

void BprTrainer::train_cell(const BprStep& step, Cell cell, std::span<const std::uint32_t> others) {
  const std::int64_t width = users_.stride();
  float* const user = users_.data() + cell.user * width;
  const BprItem taken = item(cell.item);
  if (hardest_) {
    const std::uint32_t other = hardest(cell.user, others);
    if (other != kNone) bpr_pairwise_step(step, width, user, taken, item(other));
    return;
  }
  if (pointwise_) bpr_pointwise_step(step, width, offset_, true, user, taken);
  for (const std::uint32_t other : others) {
    if (has(cell.user, other)) continue;
    if (pointwise_)
      bpr_pointwise_step(step, width, offset_, false, user, item(other));
    else
      bpr_pairwise_step(step, width, user, taken, item(other));
  }
}

void BprTrainer::prefetch(Cell cell, std::span<const std::uint32_t> others) const {
  const std::int64_t width = users_.stride();
  const auto row = [width](const Matrix& matrix, std::uint32_t r) {
    const float* const begin = matrix.data() + r * width;
    for (std::int64_t k = 0; k < width; k += 16) __builtin_prefetch(begin + k, 1);
  };
  row(users_, cell.user);
  row(items_, cell.item);
  for (const std::uint32_t other : others) row(items_, other);
}

void BprTrainer::train_block(const BprStep& step, const Random& random, std::uint32_t user_strip,
                             std::uint32_t item_strip) {
  const UserStrip& strip = strips_[user_strip];
  const auto begin = strip.cells.begin();
  std::vector<Cell> cells(begin + static_cast<std::ptrdiff_t>(strip.offsets[item_strip]),
                          begin + static_cast<std::ptrdiff_t>(strip.offsets[item_strip + 1]));
  shuffle(cells, random.fork("order"));
  const std::vector<std::uint32_t>& pool = pools_[item_strip];
  const Random draws = random.fork("negatives");
  const auto each = static_cast<std::size_t>(options_.negatives);
  std::vector<std::uint32_t> others(kBatch * each + 1);
  const auto of = [&](std::size_t c) { return std::span(others).subspan(c * each, each); };
  for (std::size_t first = 0; first < cells.size(); first += kBatch) {
    const std::size_t count = std::min(kBatch, cells.size() - first);
    for (std::size_t n = 0; n < count * each; n += 2) {  // two draws from 64 bits; kBatch is even
      const std::uint64_t bits = draws.bits((first * each + n) / 2);
      others[n] = pool[(bits & 0xffff'ffff) * pool.size() >> 32];
      others[n + 1] = pool[(bits >> 32) * pool.size() >> 32];
    }
    for (std::size_t c = 0; c < count; ++c) {
      if (c + kAhead < count) prefetch(cells[first + c + kAhead], of(c + kAhead));
      train_cell(step, cells[first + c], of(c));
    }
  }
}

void BprTrainer::begin_epoch(int number) {
  epoch_ = number;
  deal_items(epoch_random().fork("strips"));
  run_.pool.run(kBprStrips, [&](std::int64_t s) { deal_cells(static_cast<std::uint32_t>(s)); });
}

void BprTrainer::round(int number) {
  const Random random = epoch_random();
  const float left = 1 - static_cast<float>(epoch_) / static_cast<float>(options_.epochs);
  const BprStep step{options_.learning_rate * left, options_.regularization};
  run_.pool.run(kBprStrips, [&](std::int64_t s) {
    const auto user_strip = static_cast<std::uint32_t>(s);
    const std::uint32_t item_strip = (user_strip + static_cast<std::uint32_t>(number)) % kBprStrips;
    train_block(step, random.fork(user_strip * kBprStrips + item_strip), user_strip, item_strip);
  });
}

Random BprTrainer::epoch_random() const {
  return run_.random.fork("bpr/epochs").fork(static_cast<std::uint64_t>(epoch_));
}

}  // namespace vitrine

#include "nn/losses.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace vitrine::nn {
namespace {

constexpr float kNotThere = -std::numeric_limits<float>::infinity();

// Takes a row's own right item out of the candidates.
void leave_out_right(const Candidates& c, std::int64_t rows, std::int64_t candidates,
                     float* scores) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> by_id;  // id, column
  by_id.reserve(c.wrong_ids.size());
  for (std::uint32_t j = 0; j < c.wrong_ids.size(); ++j) by_id.emplace_back(c.wrong_ids[j], j);
  std::sort(by_id.begin(), by_id.end());
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::uint32_t own = c.right_ids[static_cast<std::size_t>(r)];
    auto at = std::lower_bound(by_id.begin(), by_id.end(), std::pair(own, 0u));
    for (; at != by_id.end() && at->first == own; ++at)
      scores[r * candidates + std::int64_t{at->second}] = kNotThere;
  }
}

void subtract_log_q(const Candidates& c, std::int64_t rows, std::int64_t candidates, float* right,
                    float* wrong) {
  for (std::int64_t r = 0; r < rows && !c.right_log_q.empty(); ++r)
    right[r] -= c.right_log_q[static_cast<std::size_t>(r)];
  for (std::int64_t r = 0; r < rows && !c.wrong_log_q.empty(); ++r) {
    for (std::int64_t j = 0; j < candidates; ++j)
      wrong[r * candidates + j] -= c.wrong_log_q[static_cast<std::size_t>(j)];
  }
}

}  // namespace

namespace {

// Rows whose scores stay in the second-level cache between the products and the loss.
constexpr std::int64_t kScoresOfBlock = 1 << 18, kRowsLeast = 16;

struct LossBlock {
  std::int64_t first, rows, width, candidates;
  float sharpness;
};

// Scores of some rows, their loss, and, where `d_hidden` is not null, the gradients of the three.
double block_loss(const Operations& ops, const Candidates& c, const LossBlock& b,
                  const float* hidden, const float* right, MatrixView<const float> wrong,
                  float* scores, float* d_hidden, float* d_right, float* d_wrong) {
  float right_scores[kScoresOfBlock / 1024 + kRowsLeast];
  const float* h = hidden + b.first * b.width;
  const float* r = right + b.first * b.width;
  const auto first = static_cast<std::size_t>(b.first), rows = static_cast<std::size_t>(b.rows);
  Candidates own = c;
  own.weights = c.weights.subspan(first, rows);
  own.right_ids = c.right_ids.subspan(first, rows);
  if (!c.right_log_q.empty()) own.right_log_q = c.right_log_q.subspan(first, rows);
  ops.dot_rows(b.rows, b.width, h, r, right_scores);
  for (std::int64_t i = 0; i < b.rows; ++i) right_scores[i] *= b.sharpness;
  ops.gemm(false, true, b.rows, b.candidates, b.width, b.sharpness, h, b.width, wrong.data,
           wrong.stride, 0, scores, b.candidates);
  subtract_log_q(own, b.rows, b.candidates, right_scores, scores);
  leave_out_right(own, b.rows, b.candidates, scores);
  const double loss = ops.candidate_loss(c.loss, c.beta, b.rows, b.candidates, own.weights.data(),
                                         right_scores, scores);
  if (d_hidden == nullptr) return loss;
  float* d_h = d_hidden + b.first * b.width;
  ops.gemm(false, false, b.rows, b.width, b.candidates, b.sharpness, scores, b.candidates,
           wrong.data, wrong.stride, 1, d_h, b.width);
  ops.gemm(true, false, b.candidates, b.width, b.rows, b.sharpness, scores, b.candidates, h,
           b.width, 1, d_wrong, wrong.stride);
  for (std::int64_t i = 0; i < b.rows; ++i) {
    const float g = right_scores[i] * b.sharpness;
    ops.add_scaled(b.width, g, r + i * b.width, d_h + i * b.width);
    ops.add_scaled(b.width, g, h + i * b.width, d_right + (b.first + i) * b.width);
  }
  return loss;
}

}  // namespace

// The gradients are made at once, while the scores of a block are at hand: a loss is the end.
void candidate_loss(Tape& t, Var hidden, Var right, Var wrong, const Candidates& c) {
  const std::int64_t rows = t.rows(hidden), width = t.cols(hidden), count = t.rows(wrong);
  VT_CHECK(t.rows(right) == rows && t.cols(right) == width && t.cols(wrong) == width);
  VT_CHECK(static_cast<std::int64_t>(c.weights.size()) == rows &&
           static_cast<std::int64_t>(c.right_ids.size()) == rows &&
           static_cast<std::int64_t>(c.wrong_ids.size()) == count);
  const std::int64_t block = std::max(
      kRowsLeast, std::min<std::int64_t>(kScoresOfBlock / 1024,
                                         kScoresOfBlock / std::max<std::int64_t>(1, count)));
  float* scores = t.scratch(std::min(block, rows) * count);
  const bool learns = t.training();
  float* d_hidden = learns ? t.gradient(hidden) : nullptr;
  float* d_right = learns ? t.gradient(right) : nullptr;
  float* d_wrong = learns ? t.gradient(wrong) : nullptr;
  double loss = 0;
  for (std::int64_t first = 0; first < rows; first += block) {
    const LossBlock b{first, std::min(block, rows - first), width, count, 1 / c.temperature};
    loss += block_loss(t.operations(), c, b, t.value(hidden), t.value(right), t.view(wrong), scores,
                       d_hidden, d_right, d_wrong);
  }
  t.add_loss(loss);
}

void in_batch_loss(Tape& t, Var hidden, Var right, Candidates candidates) {
  candidates.wrong_ids = candidates.right_ids;
  candidates.wrong_log_q = candidates.right_log_q;
  candidate_loss(t, hidden, right, right, candidates);
}

void multinomial_loss(Tape& t, Var logits, const MultinomialTargets& targets, float weight) {
  const std::int64_t rows = t.rows(logits), cols = t.cols(logits);
  VT_CHECK(static_cast<std::int64_t>(targets.offsets.size()) == rows + 1);
  float* log_sums = t.scratch(rows);
  float* totals = t.scratch(rows);
  if (!targets.log_q.empty()) {
    for (std::int64_t r = 0; r < rows; ++r)
      t.operations().add_scaled(cols, -1, targets.log_q.data(), t.value(logits) + r * cols);
  }
  double loss = 0;
  // The right items' logits first: the softmax overwrites them.
  for (std::int64_t r = 0; r < rows; ++r) {
    totals[r] = 0;
    const auto row = static_cast<std::size_t>(r);
    for (std::uint32_t i = targets.offsets[row]; i < targets.offsets[row + 1]; ++i) {
      totals[r] += targets.amounts[i];
      loss -= static_cast<double>(targets.amounts[i] *
                                  t.value(logits)[r * cols + std::int64_t{targets.ids[i]}]);
    }
  }
  t.operations().softmax_rows(rows, cols, t.value(logits), log_sums);
  for (std::int64_t r = 0; r < rows; ++r)
    loss += static_cast<double>(totals[r]) * static_cast<double>(log_sums[r]);
  t.add_loss(static_cast<double>(weight) * loss, [=](Tape& b) {
    float* d = b.gradient(logits);
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto row = static_cast<std::size_t>(r);
      b.operations().add_scaled(cols, weight * totals[r], b.value(logits) + r * cols, d + r * cols);
      for (std::uint32_t i = targets.offsets[row]; i < targets.offsets[row + 1]; ++i)
        d[r * cols + std::int64_t{targets.ids[i]}] -= weight * targets.amounts[i];
    }
  });
}

void normal_divergence(Tape& t, Var mean, Var log_variance, std::span<const float> weights) {
  const std::int64_t cols = t.cols(mean);
  double loss = 0;
  for (std::int64_t r = 0; r < t.rows(mean); ++r) {
    double row = 0;
    for (std::int64_t i = r * cols; i < (r + 1) * cols; ++i) {
      const double m = double{t.value(mean)[i]}, v = double{t.value(log_variance)[i]};
      row += 0.5 * (m * m + std::exp(v) - v - 1);
    }
    loss += static_cast<double>(weights[static_cast<std::size_t>(r)]) * row;
  }
  t.add_loss(loss, [=](Tape& b) {
    float *d_mean = b.gradient(mean), *d_log = b.gradient(log_variance);
    for (std::int64_t i = 0; i < b.size(mean); ++i) {
      const float weight = weights[static_cast<std::size_t>(i / cols)];
      d_mean[i] += weight * b.value(mean)[i];
      d_log[i] += weight * 0.5f * (std::exp(b.value(log_variance)[i]) - 1);
    }
  });
}

namespace {

constexpr double kLogTwoPi = 1.8378770664093453;

double log_normal(double z, double mean, double log_variance) {
  const double apart = z - mean;
  return -0.5 * (kLogTwoPi + log_variance + apart * apart * std::exp(-log_variance));
}

// ln p(z) and its slope.
struct Prior {
  double log_density, slope;
};
Prior composite_prior(double z, double old_mean, double old_log_variance) {
  const double means[] = {0, old_mean, 0}, variances[] = {0, old_log_variance, 10};
  constexpr double kShares[] = {0.15, 0.75, 0.1};
  double logs[3], most = -std::numeric_limits<double>::infinity(), sum = 0, slope = 0;
  for (int k = 0; k < 3; ++k) {
    logs[k] = std::log(kShares[k]) + log_normal(z, means[k], variances[k]);
    most = std::max(most, logs[k]);
  }
  for (int k = 0; k < 3; ++k) {
    const double part = std::exp(logs[k] - most);
    sum += part;
    slope -= part * (z - means[k]) * std::exp(-variances[k]);
  }
  return {most + std::log(sum), slope / sum};
}

}  // namespace

void composite_divergence(Tape& t, Var z, Var mean, Var log_variance, const float* old_mean,
                          const float* old_log_variance, std::span<const float> weights) {
  const std::int64_t cols = t.cols(z);
  float* slopes = t.scratch(t.size(z));  // of ln p
  double loss = 0;
  for (std::int64_t i = 0; i < t.size(z); ++i) {
    const double at = double{t.value(z)[i]};
    const Prior prior = composite_prior(at, double{old_mean[i]}, double{old_log_variance[i]});
    const double own = log_normal(at, double{t.value(mean)[i]}, double{t.value(log_variance)[i]});
    loss += double{weights[static_cast<std::size_t>(i / cols)]} * (own - prior.log_density);
    slopes[i] = static_cast<float>(prior.slope);
  }
  t.add_loss(loss, [=](Tape& b) {
    float *d_z = b.gradient(z), *d_mean = b.gradient(mean), *d_log = b.gradient(log_variance);
    for (std::int64_t i = 0; i < b.size(z); ++i) {
      const float weight = weights[static_cast<std::size_t>(i / cols)];
      const float apart = b.value(z)[i] - b.value(mean)[i];
      const float pull = apart * std::exp(-b.value(log_variance)[i]);
      d_z[i] -= weight * (pull + slopes[i]);
      d_mean[i] += weight * pull;
      d_log[i] += weight * 0.5f * (apart * pull - 1);
    }
  });
}

void binary_loss(Tape& t, Var logits, std::span<const float> labels,
                 std::span<const float> weights) {
  VT_CHECK(t.cols(logits) == 1 && static_cast<std::int64_t>(labels.size()) == t.rows(logits) &&
           labels.size() == weights.size());
  double loss = 0;
  for (std::size_t r = 0; r < labels.size(); ++r) {
    const double x = double{t.value(logits)[r]}, signed_x = labels[r] > 0 ? x : -x;
    loss += double{weights[r]} * (std::max(-signed_x, 0.0) + std::log1p(std::exp(-std::abs(x))));
  }
  t.add_loss(loss, [=](Tape& b) {
    float* d = b.gradient(logits);
    for (std::size_t r = 0; r < labels.size(); ++r) {
      const float p = 1 / (1 + std::exp(-b.value(logits)[r]));
      d[r] += weights[r] * (p - (labels[r] > 0 ? 1.0f : 0.0f));
    }
  });
}

}  // namespace vitrine::nn

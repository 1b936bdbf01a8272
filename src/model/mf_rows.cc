#include "model/mf_rows.h"

#include <algorithm>
#include <cmath>

#include "base/blas.h"
#include "base/kernels.h"
#include "model/item_rows.h"

namespace vitrine {
namespace {

constexpr int kGradientSteps = 4;
constexpr double kInitialPrecision = 6;
constexpr std::int64_t kStrip = 1024;  // ratings of a row whose product is summed at once

// Sums of products by column.
std::vector<double> column_dots(const Matrix& a, const Matrix& b) {
  std::vector<double> dots(static_cast<std::size_t>(a.cols()));
  for (std::int64_t r = 0; r < a.rows(); ++r) {
    const auto left = a.row(r), right = b.row(r);
    for (std::size_t k = 0; k < dots.size(); ++k) dots[k] += double{left[k]} * double{right[k]};
  }
  return dots;
}

// y <- y + factor_k x, or factor_k y + x, by column.
void add_columns(const std::vector<double>& factors, double sign, const Matrix& x, Matrix& y) {
  for (std::int64_t r = 0; r < y.rows(); ++r) {
    const auto from = x.row(r);
    const auto to = y.row(r);
    for (std::size_t k = 0; k < factors.size(); ++k) {
      to[k] += static_cast<float>(sign * factors[k]) * from[k];
    }
  }
}

}  // namespace

bool has_ratings(const Histories& histories) {
  const auto events = histories.events();
  return std::any_of(events.begin(), events.end(),
                     [](const HistoryEvent& e) { return e.type == EventType::kRating; });
}

Ratings standard_ratings(const Histories& histories, bool ratings_only) {
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> columns;
  std::vector<float> values;
  std::vector<HistoryEvent> row;
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    row.clear();
    for (const HistoryEvent& event : histories.row(r)) {
      if (is_rating(event, ratings_only)) row.push_back(event);
    }
    std::stable_sort(row.begin(), row.end(),
                     [](const HistoryEvent& a, const HistoryEvent& b) { return a.item < b.item; });
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i + 1 < row.size() && row[i + 1].item == row[i].item) continue;
      columns.push_back(raw(row[i].item));
      values.push_back(row[i].value);
    }
    offsets.push_back(columns.size());
  }
  Ratings ratings;
  double sum = 0, squares = 0;
  for (const float v : values) sum += double{v};
  const double count = std::max<double>(1, static_cast<double>(values.size()));
  ratings.mean = sum / count;
  for (const float v : values) squares += (double{v} - ratings.mean) * (double{v} - ratings.mean);
  if (squares > 0) ratings.deviation = std::sqrt(squares / count);
  for (float& v : values) v = static_cast<float>((double{v} - ratings.mean) / ratings.deviation);
  ratings.by_row = {std::move(offsets), std::move(columns), std::move(values)};
  ratings.by_item = transposed(ratings.by_row, histories.items());
  return ratings;
}

Beliefs::Beliefs(std::int64_t rows, std::int64_t factors)
    : mean(rows, factors + 1),
      variance(rows, factors + 1),
      prior(rows, factors + 1),
      precision(static_cast<std::size_t>(factors) + 1, kInitialPrecision) {}

bool solve_row(std::span<const std::uint32_t> columns, std::span<const float> values,
               const Matrix& other_mean, const Matrix& other_variance, double noise,
               std::span<const float> prior, std::span<const double> precision,
               std::span<float> mean, std::span<float> variance) {
  const auto n = static_cast<std::int64_t>(columns.size());
  const std::size_t width = prior.size(), factors = width - 1;
  if (n == 0) {
    std::copy(prior.begin(), prior.end(), mean.begin());
    for (std::size_t k = 0; k < width; ++k) variance[k] = static_cast<float>(1 / precision[k]);
    return true;
  }
  const auto side = static_cast<std::int64_t>(width);
  Matrix z(std::min(n, kStrip), side), a(side, side), right(1, side), spread(1, side);
  const auto weight = static_cast<float>(1 / noise);
  ThreadPool here(1);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto from = other_mean.row(columns[static_cast<std::size_t>(i)]);
    const auto row = z.row(i % kStrip);
    std::copy(from.begin(), from.end(), row.begin());
    row[factors] = 1;
    const float residual = values[static_cast<std::size_t>(i)] - from[factors];
    kernels().axpy(weight * residual, row.data(), right.data(), side);
    kernels().axpy(weight, other_variance.row(columns[static_cast<std::size_t>(i)]).data(),
                   spread.data(), side - 1);
    if ((i + 1) % kStrip == 0 || i + 1 == n) {
      const MatrixView<const float> strip{z.data(), i % kStrip + 1, side, z.stride()};
      syrk(here, weight, strip, i < kStrip ? 0 : 1, a.view());
    }
  }
  for (std::size_t k = 0; k < width; ++k) {
    const auto at = static_cast<std::int64_t>(k);
    a(at, at) += static_cast<float>(precision[k]) + spread(0, at);
    right(0, at) += static_cast<float>(precision[k]) * prior[k];
  }
  if (!invert_spd(here, a.view()).ok()) return false;
  for (std::size_t k = 0; k < width; ++k) {
    const auto at = static_cast<std::int64_t>(k);
    mean[k] = kernels().dot(a.row(at).data(), right.data(), side);
    variance[k] = a(at, at);
  }
  return true;
}

ImplicitPrior::ImplicitPrior(const SparseRows& rows, const SparseRows& columns, std::int64_t width)
    : rows_(rows),
      columns_(columns),
      scale_(rows.rows()),
      weights_(static_cast<std::int64_t>(columns.rows()), width) {
  for (std::size_t r = 0; r < scale_.size(); ++r) {
    const auto count = static_cast<float>(rows.row(r).size());
    scale_[r] = count > 0 ? 1 / std::sqrt(count) : 0;
  }
}

// Each row of `to` is the sum of the rows of `from` that the cells name; the scale is that of
// rows_, applied to the sum or to what is summed.
void ImplicitPrior::gather(ThreadPool& pool, const SparseRows& cells, const Matrix& from,
                           bool scale_source, Matrix& to) const {
  parallel_for(pool, to.rows(), 128, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const auto sum = to.row(r);
      std::fill(sum.begin(), sum.end(), 0.0f);
      for (const std::uint32_t c : cells.row(static_cast<std::size_t>(r))) {
        kernels().axpy(scale_source ? scale_[c] : scale_[static_cast<std::size_t>(r)],
                       from.row(c).data(), sum.data(), to.cols());
      }
    }
  });
}

void ImplicitPrior::fill(ThreadPool& pool, Matrix& prior) const {
  gather(pool, rows_, weights_, false, prior);
}

// Conjugate gradients on (F^T F + l I) w = F^T target, all columns of w at once.
void ImplicitPrior::fit(ThreadPool& pool, const Matrix& target, double regularization) {
  const std::int64_t width = weights_.cols();
  Matrix image(target.rows(), width), product(weights_.rows(), width);
  const auto apply = [&](const Matrix& x) {
    gather(pool, rows_, x, false, image);
    gather(pool, columns_, image, true, product);
    add_columns(std::vector<double>(static_cast<std::size_t>(width), regularization), 1, x,
                product);
  };
  Matrix residual(weights_.rows(), width), direction(weights_.rows(), width);
  apply(weights_);
  gather(pool, columns_, target, true, residual);
  const std::vector<double> ones(static_cast<std::size_t>(width), 1);
  add_columns(ones, -1, product, residual);
  std::vector<double> norm = column_dots(residual, residual);
  std::vector<double> factor(norm.size(), 0);
  for (int step = 0; step < kGradientSteps; ++step) {
    for (std::int64_t r = 0; r < direction.rows(); ++r) {
      for (std::int64_t k = 0; k < width; ++k) {
        direction(r, k) = residual(r, k) +
                          static_cast<float>(factor[static_cast<std::size_t>(k)]) * direction(r, k);
      }
    }
    apply(direction);
    const std::vector<double> curvature = column_dots(direction, product);
    for (std::size_t k = 0; k < factor.size(); ++k) {
      factor[k] = curvature[k] > 0 ? norm[k] / curvature[k] : 0;
    }
    add_columns(factor, 1, direction, weights_);
    add_columns(factor, -1, product, residual);
    const std::vector<double> next = column_dots(residual, residual);
    for (std::size_t k = 0; k < factor.size(); ++k) {
      factor[k] = norm[k] > 0 ? next[k] / norm[k] : 0;
    }
    norm = next;
  }
}

}  // namespace vitrine

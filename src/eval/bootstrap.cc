#include "eval/bootstrap.h"

#include <algorithm>
#include <cmath>

namespace vitrine {
namespace {

// Adds the rows of one resample up: as many draws as rows, two from each random number.
void add_resample(const Random& random, std::span<const float> values, std::size_t columns,
                  std::span<double> sums) {
  const std::uint64_t rows = values.size() / columns;
  const auto add = [&](std::uint64_t draw) {
    const std::uint64_t row = ((draw & 0xffffffffu) * rows) >> 32;
    const float* from = values.data() + row * columns;
    for (std::size_t c = 0; c < columns; ++c) sums[c] += static_cast<double>(from[c]);
  };
  for (std::uint64_t i = 0; i < rows; i += 2) {
    const std::uint64_t bits = random.bits(i / 2);
    add(bits);
    if (i + 1 < rows) add(bits >> 32);
  }
}

}  // namespace

std::vector<double> resample_means(const Run& run, std::span<const float> values,
                                   std::size_t columns, int resamples) {
  if (columns == 0 || values.empty() || resamples <= 0) return {};
  const Random random = run.random.fork("eval/bootstrap");
  const double rows = static_cast<double>(values.size() / columns);
  std::vector<double> means(static_cast<std::size_t>(resamples) * columns);
  parallel_for(run.pool, resamples, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::span<double> sums{means.data() + static_cast<std::size_t>(r) * columns, columns};
      add_resample(random.fork(static_cast<std::uint64_t>(r)), values, columns, sums);
      for (double& sum : sums) sum /= rows;
    }
  });
  return means;
}

Interval percentile_interval(std::span<double> means, double confidence) {
  if (means.empty()) return {};
  std::sort(means.begin(), means.end());
  const auto quantile = [&](double q) {
    const double at = q * static_cast<double>(means.size() - 1);
    const std::size_t i = static_cast<std::size_t>(at);
    const std::size_t next = std::min(i + 1, means.size() - 1);
    return std::lerp(means[i], means[next], at - std::floor(at));
  };
  return {quantile((1 - confidence) / 2), quantile((1 + confidence) / 2)};
}

double two_sided_p(std::span<const double> differences) {
  std::size_t at_most = 1, at_least = 1;
  for (const double d : differences) {
    at_most += d <= 0 ? 1 : 0;
    at_least += d >= 0 ? 1 : 0;
  }
  const double smaller = static_cast<double>(std::min(at_most, at_least));
  return std::min(1.0, 2 * smaller / static_cast<double>(differences.size() + 1));
}

}  // namespace vitrine

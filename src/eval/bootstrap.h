// Confidence by resampling the persons (Efron, "Bootstrap methods: another look at the jackknife",
// 1979). One resample draws as many persons as there are, with replacement, and serves all metrics
// at once, so differences between metrics and between recommenders are paired.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/run.h"

namespace vitrine {

// `values`: one row per person, `columns` values each. Returns the mean of every column in each
// resample: resamples x columns, row-major. Resample r depends on (run.random, r, number of
// persons) alone: the same persons are drawn for every call with the same run, and for any number
// of threads. Costs a random number and `columns` additions per person and resample. Empty without
// persons.
std::vector<double> resample_means(const Run& run, std::span<const float> values,
                                   std::size_t columns, int resamples);

struct Interval {
  double low = 0, high = 0;
};

// The percentile interval of `means`, which are sorted in place: their (1 - confidence) / 2
// quantile and its mirror image, interpolated linearly. {0, 0} when empty.
Interval percentile_interval(std::span<double> means, double confidence);

// Of resampled differences: twice the smaller share of those at or below and those at or above
// zero, at most 1. The observed sample counts as one more resample, so p is never 0 (Davison and
// Hinkley 1997, 4.11).
double two_sided_p(std::span<const double> differences);

}  // namespace vitrine

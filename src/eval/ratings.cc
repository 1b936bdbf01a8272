#include "eval/ratings.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "eval/bootstrap.h"

namespace vitrine {
namespace {

constexpr std::int64_t kBatch = 64;  // cases between two looks at the monitor
constexpr std::size_t kSums = 3;     // of a case: squared errors, absolute errors, ratings
constexpr std::size_t kSquared = 0, kAbsolute = 1, kCount = 2;

struct Range {
  float low = 0, high = 0;
};

Range value_range(const Histories& train) {
  if (train.size() == 0) return {};
  const auto [low, high] = std::minmax_element(
      train.events().begin(), train.events().end(),
      [](const HistoryEvent& a, const HistoryEvent& b) { return a.value < b.value; });
  return {low->value, high->value};
}

void add_errors(const EvaluationCase& asked, std::span<const float> scores, Range range,
                float* sums) {
  for (std::size_t i = 0; i < asked.ratings.size(); ++i) {
    const std::size_t item = raw(asked.truth[i]);
    const float score = item < scores.size() ? scores[item] : 0;
    const float error = std::clamp(score, range.low, range.high) - asked.ratings[i];
    sums[kSquared] += error * error;
    sums[kAbsolute] += std::fabs(error);
    sums[kCount] += 1;
  }
}

MetricValue metric_of(std::string name, std::span<const double> sums,
                      std::span<const double> resampled, const EvaluateOptions& options) {
  const bool root = name == "rmse";
  const std::size_t column = root ? kSquared : kAbsolute;
  const auto value_of = [&](std::span<const double> of) {
    const double mean = of[kCount] > 0 ? of[column] / of[kCount] : 0;
    return root ? std::sqrt(mean) : mean;
  };
  MetricValue metric{std::move(name), value_of(sums), 0, 0, {}};
  metric.low = metric.high = metric.mean;
  std::vector<double> values;
  for (std::size_t r = 0; r + kSums <= resampled.size(); r += kSums) {
    values.push_back(value_of(resampled.subspan(r, kSums)));
  }
  if (values.empty()) return metric;
  const Interval interval = percentile_interval(values, options.confidence);
  metric.low = interval.low, metric.high = interval.high;
  return metric;
}

}  // namespace

Result<std::vector<MetricValue>> rating_errors(const Run& run, const Recommender& recommender,
                                               const Split& split, std::size_t items,
                                               const EvaluateOptions& options) {
  const Range range = value_range(split.train());
  std::vector<float> sums(split.cases() * kSums);
  Stage stage(run.monitor, "ratings of " + recommender.name, split.cases(), "cases");
  std::atomic<std::uint64_t> done = 0;
  std::atomic<bool> cancelled = false;
  parallel_for(run.pool, static_cast<std::int64_t>(split.cases()), kBatch,
               [&](std::int64_t begin, std::int64_t end) {
                 std::vector<float> scores(items);
                 for (auto i = static_cast<std::size_t>(begin);
                      i < static_cast<std::size_t>(end) && !cancelled; ++i) {
                   const EvaluationCase asked = split[i];
                   std::fill(scores.begin(), scores.end(), 0.0f);
                   recommender.score_all(
                       {.history = asked.history, .user = asked.user, .now = asked.now}, scores);
                   add_errors(asked, scores, range, &sums[i * kSums]);
                 }
                 done += static_cast<std::uint64_t>(end - begin);
                 if (stage.advance(done) == Verdict::kCancel) cancelled = true;
               });
  if (cancelled) return Error{Code::kCancelled, "cancelled"};
  double total[kSums] = {};
  for (std::size_t i = 0; i < sums.size(); ++i) total[i % kSums] += static_cast<double>(sums[i]);
  if (total[kCount] == 0) {
    return Error{Code::kInvalid,
                 "ratings: the held-out part holds no ratings; set ratings = false"};
  }
  const std::vector<double> resampled = resample_means(run, sums, kSums, options.bootstrap);
  return std::vector<MetricValue>{metric_of("rmse", total, resampled, options),
                                  metric_of("mae", total, resampled, options)};
}

}  // namespace vitrine

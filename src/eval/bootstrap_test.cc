#include "eval/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace vitrine {
namespace {

std::vector<float> normals(std::uint64_t seed, std::size_t n, double mean) {
  const Random random(seed);
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(mean + random.normal(i));
  return values;
}

class BootstrapTest : public testing::Test {
 protected:
  vitrine::Run run(std::uint64_t seed = 1) { return {Random(seed), pool_, monitor_}; }
  ThreadPool pool_{2};
  QuietMonitor monitor_;
};

TEST_F(BootstrapTest, SpreadIsTheStandardError) {
  const std::vector<float> values = normals(7, 400, 3.0);
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / 400;
  double variance = 0;
  for (const double v : values) variance += (v - mean) * (v - mean) / 400;
  const std::vector<double> means = resample_means(run(), values, 1, 4000);
  double centre = 0, spread = 0;
  for (const double m : means) centre += m / 4000;
  for (const double m : means) spread += (m - centre) * (m - centre) / 4000;
  EXPECT_NEAR(centre, mean, 0.005);
  EXPECT_NEAR(std::sqrt(spread), std::sqrt(variance / 400), 0.0025);
}

TEST_F(BootstrapTest, IntervalsCoverTheTruthAsOftenAsTheySay) {
  int covered = 0;
  for (std::uint64_t s = 0; s < 300; ++s) {
    std::vector<double> means = resample_means(run(s), normals(1000 + s, 60, 0.0), 1, 300);
    const Interval interval = percentile_interval(means, 0.9);
    covered += interval.low <= 0 && 0 <= interval.high ? 1 : 0;
  }
  EXPECT_GT(covered, 250);  // 270 expected; the percentile interval is a little short on 60 values
  EXPECT_LT(covered, 288);
}

TEST_F(BootstrapTest, ColumnsShareTheResamples) {
  const std::vector<float> first = normals(1, 101, 0), second = normals(2, 101, 5);
  std::vector<float> rows;
  for (std::size_t i = 0; i < first.size(); ++i) rows.insert(rows.end(), {first[i], second[i]});
  const auto together = resample_means(run(), rows, 2, 33);
  const auto alone = resample_means(run(), second, 1, 33);
  for (std::size_t r = 0; r < 33; ++r) EXPECT_EQ(together[2 * r + 1], alone[r]);
}

TEST_F(BootstrapTest, SameForAnyNumberOfThreads) {
  const std::vector<float> values = normals(3, 257, 1);
  const auto two = resample_means(run(), values, 1, 100);
  ThreadPool one(1), five(5);
  EXPECT_EQ(two, resample_means({Random(1), one, monitor_}, values, 1, 100));
  EXPECT_EQ(two, resample_means({Random(1), five, monitor_}, values, 1, 100));
  EXPECT_NE(two, resample_means(run(2), values, 1, 100));
}

TEST_F(BootstrapTest, NothingToResample) {
  EXPECT_TRUE(resample_means(run(), {}, 3, 100).empty());
  EXPECT_TRUE(resample_means(run(), normals(1, 5, 0), 1, 0).empty());
  const Interval interval = percentile_interval({}, 0.95);
  EXPECT_EQ(interval.low, 0);
  EXPECT_EQ(interval.high, 0);
}

TEST(Percentile, WorkedByHand) {
  std::vector<double> means = {5, 1, 3, 2, 4};
  const Interval interval = percentile_interval(means, 0.5);
  EXPECT_DOUBLE_EQ(interval.low, 2);
  EXPECT_DOUBLE_EQ(interval.high, 4);
  const Interval wide = percentile_interval(means, 0.75);
  EXPECT_DOUBLE_EQ(wide.low, 1.5);
  EXPECT_DOUBLE_EQ(wide.high, 4.5);
}

TEST(TwoSidedP, WorkedByHand) {
  EXPECT_DOUBLE_EQ(two_sided_p(std::vector<double>{1, 2, 3, -1, 4, 5, 6, 7, 8}), 2 * 2 / 10.0);
  EXPECT_DOUBLE_EQ(two_sided_p(std::vector<double>{1, 2, 3, 4}), 2 * 1 / 5.0);
  EXPECT_DOUBLE_EQ(two_sided_p(std::vector<double>{0, 0, 0}), 1);
  EXPECT_DOUBLE_EQ(two_sided_p({}), 1);
}

}  // namespace
}  // namespace vitrine

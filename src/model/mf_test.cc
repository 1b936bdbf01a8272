#include "model/mf.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "model/mf_rows.h"
#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::fit_on;
using testing::near;
using testing::scores_of;
using Square = std::vector<std::vector<double>>;

HistoryEvent rating(std::uint32_t item, float value) {
  HistoryEvent event = event_of(item);
  event.type = EventType::kRating;
  event.value = value;
  return event;
}

Histories arbitrary_ratings() {
  Histories histories = testing::arbitrary_histories();
  std::vector<HistoryEvent> events(histories.events().begin(), histories.events().end());
  for (HistoryEvent& event : events) {
    event.value = static_cast<float>(*rc::gen::inRange(1, 6));
    if (*rc::gen::inRange(0, 3) > 0) event.type = EventType::kRating;
  }
  const auto offsets = histories.offsets();
  return Histories(std::vector<std::uint64_t>(offsets.begin(), offsets.end()), std::move(events),
                   histories.users(), histories.items());
}

Matrix arbitrary_matrix(std::int64_t rows, std::int64_t cols, int low) {
  Matrix matrix(rows, cols);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (float& v : matrix.row(r)) v = static_cast<float>(*rc::gen::inRange(low, 20)) / 10;
  }
  return matrix;
}

// The expected squared error of a row, with its priors: what solve_row() minimises over the mean.
double expected_error(std::span<const std::uint32_t> columns, std::span<const float> values,
                      const Matrix& mean, const Matrix& variance, double noise,
                      std::span<const float> prior, std::span<const double> precision,
                      std::span<const float> row) {
  const std::size_t factors = row.size() - 1;
  double sum = 0;
  for (std::size_t k = 0; k < row.size(); ++k) {
    sum += precision[k] * std::pow(double{row[k]} - prior[k], 2);
  }
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const auto q = mean.row(columns[c]), s = variance.row(columns[c]);
    double off = double{values[c]} - row[factors] - q[factors];
    for (std::size_t k = 0; k < factors; ++k) {
      off -= double{row[k]} * q[k];
      sum += double{row[k]} * row[k] * s[k] / noise;
    }
    sum += off * off / noise;
  }
  return sum;
}

TEST(MfRows, ARowIsWhereTheExpectedErrorIsLeast) {
  EXPECT_TRUE(rc::check([] {
    const auto n = *rc::gen::inRange<std::size_t>(0, 7);
    constexpr std::int64_t kWidth = 4;
    const Matrix mean = arbitrary_matrix(6, kWidth, -20);
    const Matrix variance = arbitrary_matrix(6, kWidth, 1);
    const Matrix start = arbitrary_matrix(1, kWidth, -20);
    std::vector<std::uint32_t> columns;
    std::vector<float> values;
    for (std::size_t c = 0; c < n; ++c) {
      columns.push_back(static_cast<std::uint32_t>(c % 6));
      values.push_back(static_cast<float>(*rc::gen::inRange(-20, 21)) / 10);
    }
    const std::vector<double> precision{1, 2, 0.5, 3};
    std::vector<float> row(kWidth), spread(kWidth);
    RC_ASSERT(
        solve_row(columns, values, mean, variance, 0.5, start.row(0), precision, row, spread));
    for (std::size_t k = 0; k < row.size(); ++k) {
      // Central differences of a quadratic are exact; its curvature bounds the variance from below.
      const auto at = [&](float step) {
        std::vector<float> moved = row;
        moved[k] += step;
        return expected_error(columns, values, mean, variance, 0.5, start.row(0), precision, moved);
      };
      const double curvature = (at(1) + at(-1) - 2 * at(0)) / 2;
      RC_ASSERT(std::abs(at(1) - at(-1)) / 2 < 1e-3 * curvature);
      RC_ASSERT(spread[k] * curvature > 0.999);
    }
  }));
}

// A product is summed in strips.
TEST(MfRows, ALongRowIsWhereTheExpectedErrorIsLeast) {
  const Random random(4);
  Matrix mean(6, 3), variance(6, 3), start(1, 3);
  for (std::int64_t i = 0; i < 6; ++i) {
    for (std::int64_t k = 0; k < 3; ++k) {
      mean(i, k) = static_cast<float>(random.normal(static_cast<std::uint64_t>(3 * i + k)));
      variance(i, k) = 0.1f;
    }
  }
  std::vector<std::uint32_t> columns;
  std::vector<float> values;
  for (std::uint32_t c = 0; c < 2500; ++c) {
    columns.push_back(c * c % 6);
    values.push_back(static_cast<float>(random.normal(100 + c)));
  }
  const std::vector<double> precision{1, 2, 0.5};
  std::vector<float> row(3), spread(3);
  ASSERT_TRUE(
      solve_row(columns, values, mean, variance, 0.5, start.row(0), precision, row, spread));
  for (std::size_t k = 0; k < row.size(); ++k) {
    const auto at = [&](float step) {
      std::vector<float> moved = row;
      moved[k] += step;
      return expected_error(columns, values, mean, variance, 0.5, start.row(0), precision, moved);
    };
    const double curvature = (at(1) + at(-1) - 2 * at(0)) / 2;
    EXPECT_LT(std::abs(at(1) - at(-1)) / 2, 1e-3 * curvature);
  }
}

TEST(MfRows, ThePriorBecomesTheRidgeRegressionOnWhatWasTaken) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    const Interactions cells = build_interactions(histories, {});
    const auto rows = static_cast<std::int64_t>(histories.rows());
    const Matrix target = arbitrary_matrix(rows, 2, -20);
    testing::QuietRun run;
    ImplicitPrior prior(cells.by_row, cells.by_item, 2);
    for (int i = 0; i < 20; ++i) prior.fit(run.pool, target, 0.5);
    Matrix image(rows, 2);
    prior.fill(run.pool, image);
    // At the least squares: 0.5 w_j = sum over the rows with j of (target - image) / sqrt(n).
    for (std::uint32_t j = 0; j < cells.items; ++j) {
      for (std::int64_t k = 0; k < 2; ++k) {
        double sum = 0;
        for (const std::uint32_t r : cells.by_item.row(j)) {
          sum += (double{target(r, k)} - image(r, k)) /
                 std::sqrt(static_cast<double>(cells.by_row.row(r).size()));
        }
        RC_ASSERT(near(0.5 * double{prior.weights()(j, k)}, sum, 1e-3));
      }
    }
  }));
}

TEST(MfRows, TheLastRatingOfACellCounts) {
  const Histories histories = testing::make_histories(
      {{rating(1, 2), event_of(0), rating(0, 5), rating(1, 4)}, {rating(0, 3)}}, 2, 3);
  ASSERT_TRUE(has_ratings(histories));
  const Ratings ratings = standard_ratings(histories, true);
  EXPECT_DOUBLE_EQ(ratings.mean, 4);
  EXPECT_DOUBLE_EQ(ratings.deviation, std::sqrt(2.0 / 3));
  ASSERT_EQ(ratings.by_row.row(0).size(), 2u);
  EXPECT_EQ(ratings.by_row.row(0)[1], 1u);
  EXPECT_EQ(ratings.by_row.row_weights(0)[1], 0);
  ASSERT_EQ(ratings.by_item.row(0).size(), 2u);
  EXPECT_EQ(ratings.by_item.row(0)[1], 1u);
  EXPECT_EQ(ratings.by_item.row_weights(0)[1], ratings.by_row.row_weights(1)[0]);
}

// Ratings made of one taste and biases, on a scale of their own: what was not seen is told from it.
TEST(Mf, TheScoreIsTheRating) {
  constexpr std::uint32_t kUsers = 60, kItems = 40;
  const Random random(3);
  const auto true_rating = [&](std::uint32_t u, std::uint32_t i) {
    const double taste = (random.uniform(u) - 0.5) * (random.uniform(1000 + i) - 0.5);
    return static_cast<float>(70 + 40 * taste + 10 * random.uniform(2000 + i));
  };
  std::vector<std::vector<HistoryEvent>> rows(kUsers);
  for (std::uint32_t u = 0; u < kUsers; ++u) {
    for (std::uint32_t i = 0; i < kItems; ++i) {
      if ((u * 7 + i * 3) % 4 != 0) rows[u].push_back(rating(i, true_rating(u, i)));
    }
  }
  // The last ten persons come after fitting.
  const std::vector<std::vector<HistoryEvent>> known(rows.begin(), rows.end() - 10);
  MfOptions options;
  options.factors = 2;
  options.epochs = 60;
  const auto model = fit_on(fit_mf, options, testing::make_histories(known, kUsers - 10, kItems));
  double known_error = 0, new_error = 0, constant_error = 0;
  for (std::uint32_t u = 0; u < kUsers; ++u) {
    const std::vector<float> scores = scores_of(*model, rows[u], kItems);
    for (std::uint32_t i = 0; i < kItems; ++i) {
      if ((u * 7 + i * 3) % 4 != 0) continue;
      const double off = double{scores[i]} - true_rating(u, i);
      (u < kUsers - 10 ? known_error : new_error) += off * off;
      constant_error += std::pow(double{true_rating(u, i)} - 75, 2);
    }
  }
  EXPECT_LT(known_error / 50, 0.02 * constant_error / 60);
  EXPECT_LT(new_error / 10, 0.02 * constant_error / 60);
}

// What a person's row was in fitting follows from their history, so none is kept.
TEST(Mf, APersonIsTheirHistory) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = arbitrary_ratings();
    const auto model = fit_on(fit_mf, MfOptions{}, histories);
    for (std::size_t r = 0; r < histories.rows(); ++r) {
      Query query;
      query.history = histories.row(r);
      const auto nameless = scores_of(*model, query, histories.items());
      query.user = histories.user(r);
      RC_ASSERT(scores_of(*model, query, histories.items()) == nameless);
    }
  }));
}

TEST(Mf, SaysHowManyFactorsWouldFit) {
  MfOptions options;
  options.memory_limit_mb = 7;
  const testing::QuietRun run;
  const Histories histories = testing::make_histories({{rating(0, 1)}}, 1, 10'000);
  const Interactions cells = build_interactions(histories, {});
  const auto model = fit_mf(run, options, {histories, cells, {}});
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, Code::kExhausted);
  EXPECT_NE(model.error().message.find("factors = 14"), std::string::npos) << model.error().message;
}

TEST(Mf, RatingsTooLargeToComputeWithAreSaid) {
  const testing::QuietRun run;
  const Histories histories =
      testing::make_histories({{rating(0, 3e38f), rating(1, -3e38f)}, {rating(0, 1)}}, 2, 2);
  const Interactions cells = build_interactions(histories, {});
  const auto model = fit_mf(run, {}, {histories, cells, {}});
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace vitrine

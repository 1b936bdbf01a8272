#include "model/ease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::fit_on;
using testing::near;
using testing::scores_of;
using Square = std::vector<std::vector<double>>;

// Gaussian elimination with pivoting: the x of a x = b.
std::vector<double> solve(Square a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k; i < n; ++i) {
      if (std::abs(a[i][k]) > std::abs(a[pivot][k])) pivot = i;
    }
    std::swap(a[k], a[pivot]);
    std::swap(b[k], b[pivot]);
    for (std::size_t i = k + 1; i < n; ++i) {
      const double factor = a[i][k] / a[k][k];
      for (std::size_t j = k; j < n; ++j) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  }
  for (std::size_t k = n; k-- > 0;) {
    for (std::size_t j = k + 1; j < n; ++j) b[k] -= a[k][j] * b[j];
    b[k] /= a[k][k];
  }
  return b;
}

// What the closed form solves, one regression per item: predict column j from the other columns.
Square regressions(const Interactions& x, double lambda) {
  const std::size_t items = x.items;
  Square gram(items, std::vector<double>(items)), weights = gram;
  for (std::size_t r = 0; r < x.by_row.rows(); ++r) {
    for (std::size_t a = 0; a < x.by_row.row(r).size(); ++a) {
      for (std::size_t b = 0; b < x.by_row.row(r).size(); ++b) {
        gram[x.by_row.row(r)[a]][x.by_row.row(r)[b]] +=
            double{x.by_row.row_weights(r)[a]} * x.by_row.row_weights(r)[b];
      }
    }
  }
  for (std::size_t j = 0; j < items; ++j) {
    Square a;
    std::vector<double> b;
    for (std::size_t i = 0; i < items; ++i) {
      if (i == j) continue;
      std::vector<double> row;
      for (std::size_t k = 0; k < items; ++k) {
        if (k != j) row.push_back(gram[i][k] + (i == k ? lambda : 0));
      }
      a.push_back(row);
      b.push_back(gram[i][j]);
    }
    const std::vector<double> solution = solve(a, b);
    for (std::size_t i = 0, place = 0; i < items; ++i) {
      if (i != j) weights[i][j] = solution[place++];
    }
  }
  return weights;
}

TEST(Ease, SolvesOneRegressionPerItem) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    InteractionOptions merge;
    merge.binary = *rc::gen::arbitrary<bool>();
    EaseOptions options;
    options.lambda = *rc::gen::element(0.5, 3.0, 100.0);
    const Interactions interactions = build_interactions(histories, merge);
    const auto model = fit_on(fit_ease, options, histories, merge);
    const Square expected = regressions(interactions, options.lambda);
    for (std::uint32_t i = 0; i < histories.items(); ++i) {
      const HistoryEvent event = event_of(i);
      const auto scores = scores_of(*model, std::span(&event, 1), histories.items());
      for (std::uint32_t j = 0; j < histories.items(); ++j) {
        RC_ASSERT(near(scores[j], expected[i][j], 1e-4));
      }
    }
  }));
}

TEST(Ease, AHistoryIsASetOfItems) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    EaseOptions options;
    options.lambda = 2;
    const auto model = fit_on(fit_ease, options, histories);
    const std::vector<HistoryEvent> once{event_of(1), event_of(3)};
    const std::vector<HistoryEvent> often{event_of(3, 2), event_of(1), event_of(99), event_of(3)};
    RC_ASSERT(scores_of(*model, once, 8) == scores_of(*model, often, 8));
  }));
}

TEST(Ease, ListsOnlyItemsThatTrainingSaw) {
  // Items 1 and 4 are known to the histories by number only.
  const Histories histories = testing::make_histories(
      {{event_of(0), event_of(2)}, {event_of(0), event_of(3)}, {event_of(2), event_of(3)}}, 3, 5);
  EaseOptions options;
  options.lambda = 1;
  const auto model = fit_on(fit_ease, options, histories);
  const HistoryEvent zero = event_of(0);
  Query query;
  query.history = std::span(&zero, 1);
  std::vector<std::uint32_t> listed;
  for (const Candidate& c : testing::list_of(*model, query, 10)) listed.push_back(raw(c.item));
  EXPECT_EQ(listed, (std::vector<std::uint32_t>{2, 3, 0}));
  const auto scores = scores_of(*model, query, 7);
  EXPECT_EQ(scores[1], 0);
  EXPECT_EQ(scores[4], 0);
  EXPECT_EQ(scores[6], 0);
  const HistoryEvent unseen = event_of(4);
  query.history = std::span(&unseen, 1);
  EXPECT_TRUE(testing::list_of(*model, query, 10).empty());
}

TEST(Ease, RefusesWhatDoesNotFitWithTheNumber) {
  std::vector<HistoryEvent> row;
  for (std::uint32_t i = 0; i < 600; ++i) row.push_back(event_of(i));
  const Histories histories = testing::make_histories({row}, 1, 600);
  const Interactions interactions = build_interactions(histories, {});
  EaseOptions options;
  options.memory_limit_mb = 1;
  const testing::QuietRun run;
  const auto model = fit_ease(run, options, TrainingSet{histories, interactions, Catalogue()});
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, Code::kExhausted);
  EXPECT_THAT(model.error().message,
              ::testing::HasSubstr("1.39 MB needed for 600 items, limit 1 MB"));
  EXPECT_THAT(model.error().message, ::testing::HasSubstr("memory_limit_mb"));
}

}  // namespace
}  // namespace vitrine

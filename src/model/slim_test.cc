#include "model/slim.h"

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

// X^T D X and the L2 term of each item, by the words of the header.
struct Problem {
  Square gram;
  std::vector<double> l2;
};

Problem problem_of(const Interactions& x, const SlimOptions& options) {
  Problem problem{Square(x.items, std::vector<double>(x.items)), std::vector<double>(x.items)};
  for (std::size_t r = 0; r < x.by_row.rows(); ++r) {
    const auto row = x.by_row.row(r);
    const auto weights = x.by_row.row_weights(r);
    const double person = std::pow(static_cast<double>(row.size()), -options.person_exponent);
    for (std::size_t a = 0; a < row.size(); ++a) {
      for (std::size_t b = 0; b < row.size(); ++b) {
        problem.gram[row[a]][row[b]] += person * weights[a] * weights[b];
      }
    }
  }
  double sum = 0, taken = 0;
  for (std::uint32_t i = 0; i < x.items; ++i) {
    sum += problem.gram[i][i];
    taken += problem.gram[i][i] > 0;
  }
  for (std::uint32_t i = 0; i < x.items; ++i) {
    if (problem.gram[i][i] == 0) continue;
    problem.l2[i] =
        options.l2 * std::pow(problem.gram[i][i] * taken / sum, options.frequency_exponent);
  }
  return problem;
}

// Coordinate descent over the items that occur with j, every gradient summed anew, until nothing
// moves. Column j of the weights.
std::vector<double> descend(const Problem& problem, const SlimOptions& options, std::size_t j) {
  const Square& g = problem.gram;
  std::vector<double> b(g.size());
  for (double moved = 1; moved > 1e-12;) {
    moved = 0;
    for (std::size_t i = 0; i < b.size(); ++i) {
      if (i == j || !(g[i][j] > 0)) continue;
      double rest = g[i][j];
      for (std::size_t k = 0; k < b.size(); ++k) rest -= k == i ? 0 : g[i][k] * b[k];
      double size = std::max(0.0, std::abs(rest) - options.l1);
      if (rest < 0) size = options.non_negative ? 0 : -size;
      const double wanted = size / (g[i][i] + problem.l2[i]);
      moved = std::max(moved, std::abs(wanted - b[i]));
      b[i] = wanted;
    }
  }
  return b;
}

// What the model says of item j to somebody who has item i alone: B.
Square weights_of(const Model& model, std::uint32_t items) {
  Square weights;
  for (std::uint32_t i = 0; i < items; ++i) {
    const HistoryEvent event = event_of(i);
    const auto scores = scores_of(model, std::span(&event, 1), items);
    weights.emplace_back(scores.begin(), scores.end());
  }
  return weights;
}

SlimOptions arbitrary_options() {
  SlimOptions options;
  options.l1 = *rc::gen::element(0.0, 0.05, 0.5);
  options.l2 = *rc::gen::element(2.0, 10.0, 50.0);
  options.person_exponent = *rc::gen::element(0.0, 0.5);
  options.frequency_exponent = *rc::gen::element(0.0, 0.7);
  options.non_negative = *rc::gen::arbitrary<bool>();
  return options;
}

TEST(Slim, SolvesOneElasticNetPerItem) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    InteractionOptions merge;
    merge.binary = *rc::gen::arbitrary<bool>();
    const SlimOptions options = arbitrary_options();
    const auto model = fit_on(fit_slim, options, histories, merge);
    const Problem problem = problem_of(build_interactions(histories, merge), options);
    const Square weights = weights_of(*model, histories.items());
    for (std::uint32_t j = 0; j < histories.items(); ++j) {
      const std::vector<double> expected = descend(problem, options, j);
      for (std::uint32_t i = 0; i < histories.items(); ++i) {
        RC_ASSERT(near(weights[i][j], expected[i], 2e-3));
      }
    }
  }));
}

// A shop with more items than candidates would hold by chance, with popular ones.
Histories shop(std::uint64_t seed) {
  const Random random(seed);
  std::vector<std::vector<HistoryEvent>> rows(400);
  for (std::uint64_t r = 0, draw = 0; r < rows.size(); ++r) {
    const std::uint64_t taste = random.below(draw++, 4);
    for (int e = 0; e < 12; ++e) {
      const double u = random.uniform(draw++);
      const auto place = static_cast<std::uint32_t>(u * u * 40);
      const bool own = random.uniform(draw++) < 0.8;
      rows[r].push_back(event_of(place * 4 + static_cast<std::uint32_t>(own ? taste : draw % 4)));
    }
  }
  return testing::make_histories(rows, 400, 160);
}

// Karush-Kuhn-Tucker: at the optimum the gradient is l1 against each weight's sign, and at most l1
// where the weight is zero.
TEST(Slim, MeetsTheConditionsOfTheOptimum) {
  for (const bool non_negative : {true, false}) {
    SlimOptions options;
    options.l1 = 0.5;
    options.l2 = 10;
    options.person_exponent = 0.3;
    options.frequency_exponent = 0.4;
    options.non_negative = non_negative;
    const Histories histories = shop(3);
    const auto model = fit_on(fit_slim, options, histories);
    const Problem problem = problem_of(build_interactions(histories, {}), options);
    const Square weights = weights_of(*model, histories.items());
    std::size_t positive = 0, negative = 0;
    for (std::size_t j = 0; j < weights.size(); ++j) {
      const double slack = 5e-4 * problem.gram[j][j] + 1e-3;
      for (std::size_t i = 0; i < weights.size(); ++i) {
        if (i == j || !(problem.gram[i][j] > 0)) continue;
        double gradient = problem.gram[i][j] - problem.l2[i] * weights[i][j];
        for (std::size_t k = 0; k < weights.size(); ++k) {
          gradient -= problem.gram[i][k] * weights[k][j];
        }
        positive += weights[i][j] > 0;
        negative += weights[i][j] < 0;
        if (weights[i][j] != 0) {
          EXPECT_NEAR(gradient, std::copysign(options.l1, weights[i][j]), slack);
        } else {
          EXPECT_LE(gradient, options.l1 + slack);
          EXPECT_TRUE(non_negative || gradient >= -options.l1 - slack);
        }
      }
    }
    EXPECT_GT(positive, 500u);
    EXPECT_EQ(negative > 0, !non_negative);
  }
}

TEST(Slim, MoreL1LeavesFewerWeightsAndCandidatesBoundThem) {
  const Histories histories = shop(4);
  const auto count = [&](const SlimOptions& options) {
    const auto model = fit_on(fit_slim, options, histories);
    std::size_t most = 0, all = 0;
    const Square weights = weights_of(*model, histories.items());
    for (std::size_t j = 0; j < weights.size(); ++j) {
      std::size_t column = 0;
      for (const auto& row : weights) column += row[j] != 0;
      most = std::max(most, column);
      all += column;
    }
    return std::pair(most, all);
  };
  SlimOptions options;
  options.l2 = 5;
  options.l1 = 0;
  const auto [most, all] = count(options);
  options.l1 = 2;
  EXPECT_LT(count(options).second, all / 2);
  options.l1 = 0;
  options.candidates = 7;
  EXPECT_GT(most, 7u);
  EXPECT_LE(count(options).first, 7u);
}

TEST(Slim, RefusesWhatDoesNotFitWithTheNumber) {
  std::vector<HistoryEvent> row;
  for (std::uint32_t i = 0; i < 600; ++i) row.push_back(event_of(i));
  const Histories histories = testing::make_histories({row}, 1, 600);
  const Interactions interactions = build_interactions(histories, {});
  SlimOptions options;
  options.memory_limit_mb = 1;
  const testing::QuietRun run;
  const auto model = fit_slim(run, options, TrainingSet{histories, interactions, Catalogue()});
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, Code::kExhausted);
  EXPECT_THAT(model.error().message, ::testing::HasSubstr("needed for 600 items"));
  EXPECT_THAT(model.error().message, ::testing::HasSubstr("candidates = 50"));
}

}  // namespace
}  // namespace vitrine

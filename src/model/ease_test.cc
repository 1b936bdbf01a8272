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

struct Problem {
  Square gram;                 // X^T D X
  std::vector<double> lambda;  // by item
};

Problem problem_of(const Interactions& x, const EaseOptions& options) {
  Problem problem{Square(x.items, std::vector<double>(x.items)), {}};
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
    const double relative = problem.gram[i][i] > 0 ? problem.gram[i][i] * taken / sum : 1;
    problem.lambda.push_back(options.lambda * std::pow(relative, options.frequency_exponent));
  }
  return problem;
}

// Column j of B: the regression of item j on the items that `uses` admits.
template <class Uses>
std::vector<double> regression(const Problem& problem, std::size_t j, Uses uses) {
  std::vector<std::size_t> used;
  for (std::size_t i = 0; i < problem.gram.size(); ++i) {
    if (i != j && uses(i)) used.push_back(i);
  }
  Square a;
  std::vector<double> b, weights(problem.gram.size());
  for (const std::size_t i : used) {
    std::vector<double> row;
    for (const std::size_t k : used) {
      row.push_back(problem.gram[i][k] + (i == k ? problem.lambda[i] : 0));
    }
    a.push_back(row);
    b.push_back(problem.gram[i][j]);
  }
  const std::vector<double> solution = solve(a, b);
  for (std::size_t p = 0; p < used.size(); ++p) weights[used[p]] = solution[p];
  return weights;
}

// Whether what the model says to somebody who has one item is, column after column, B.
template <class Uses>
bool solves_regressions(const Model& model, const Problem& problem, Uses uses) {
  const auto items = static_cast<std::uint32_t>(problem.gram.size());
  Square rows;
  for (std::uint32_t i = 0; i < items; ++i) {
    const HistoryEvent event = event_of(i);
    const auto scores = scores_of(model, std::span(&event, 1), items);
    rows.emplace_back(scores.begin(), scores.end());
  }
  for (std::uint32_t j = 0; j < items; ++j) {
    const auto expected = regression(problem, j, [&](std::size_t i) { return uses(i, j); });
    for (std::uint32_t i = 0; i < items; ++i) {
      if (!near(rows[i][j], expected[i], 1e-4)) return false;
    }
  }
  return true;
}

EaseOptions arbitrary_options(std::string solver) {
  EaseOptions options;
  options.lambda = *rc::gen::element(0.5, 3.0, 100.0);
  options.person_exponent = *rc::gen::element(0.0, 0.5);
  options.frequency_exponent = *rc::gen::element(0.0, 0.5);
  options.solver = std::move(solver);
  return options;
}

TEST(Ease, DenseSolvesOneRegressionPerItem) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    InteractionOptions merge;
    merge.binary = *rc::gen::arbitrary<bool>();
    const EaseOptions options = arbitrary_options("dense");
    const auto model = fit_on(fit_ease, options, histories, merge);
    const Problem problem = problem_of(build_interactions(histories, merge), options);
    const auto all = [](std::size_t, std::size_t) { return true; };
    RC_ASSERT(solves_regressions(*model, problem, all));
  }));
}

TEST(Ease, SparseSolvesThemOnTheItemsTakenTogether) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    InteractionOptions merge;
    merge.binary = *rc::gen::arbitrary<bool>();
    const EaseOptions options = arbitrary_options("sparse");
    const auto model = fit_on(fit_ease, options, histories, merge);
    const Problem problem = problem_of(build_interactions(histories, merge), options);
    const auto together = [&](std::size_t i, std::size_t j) { return problem.gram[i][j] > 0; };
    RC_ASSERT(solves_regressions(*model, problem, together));
  }));
}

// Fewer candidates than items that occur together: the largest G_ij / G_ii^0.4.
TEST(Ease, SparseKeepsTheBestCandidates) {
  const Random random(5);
  std::vector<std::vector<HistoryEvent>> rows(60);
  for (std::uint64_t d = 0; d < 600; ++d) {
    const double u = random.uniform(d);
    rows[d % 60].push_back(event_of(static_cast<std::uint32_t>(u * u * 25)));
  }
  const Histories histories = testing::make_histories(rows, 60, 25);
  EaseOptions options;
  options.solver = "sparse";
  options.candidates = 6;
  options.lambda = 4;
  const auto model = fit_on(fit_ease, options, histories);
  const Problem problem = problem_of(build_interactions(histories, {}), options);
  const auto rank = [&](std::size_t i, std::size_t j) {
    return problem.gram[i][j] * std::pow(problem.gram[i][i], -0.4);
  };
  const auto among_the_best = [&](std::size_t i, std::size_t j) {
    std::size_t better = 0;
    for (std::size_t k = 0; k < 25; ++k) {
      better += k != j && (rank(k, j) > rank(i, j) * (1 + 1e-6) ||
                           (k < i && rank(k, j) > rank(i, j) * (1 - 1e-6)));
    }
    return better < 6;
  };
  EXPECT_TRUE(solves_regressions(*model, problem, among_the_best));
}

TEST(Ease, AutoIsSparseWhereDenseWouldBeLarge) {
  const Histories histories = testing::make_histories(
      {{event_of(0), event_of(1)}, {event_of(0), event_of(2)}, {event_of(1), event_of(2)}}, 3, 3);
  const auto answers = [&](const EaseOptions& options) {
    const auto model = fit_on(fit_ease, options, histories);
    const HistoryEvent zero = event_of(0);
    return scores_of(*model, std::span(&zero, 1), 3);
  };
  EaseOptions automatic, dense, sparse;
  dense.solver = "dense";
  sparse.solver = "sparse";
  EXPECT_EQ(answers(automatic), answers(dense));
  automatic.dense_items_max = 2;
  EXPECT_EQ(answers(automatic), answers(sparse));
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
      {{event_of(0), event_of(2)}, {event_of(0), event_of(2), event_of(3)}, {event_of(2)}}, 3, 5);
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
  for (const std::string solver : {"dense", "sparse"}) {
    options.solver = solver;
    const auto model = fit_ease(run, options, TrainingSet{histories, interactions, Catalogue()});
    ASSERT_FALSE(model.ok());
    EXPECT_EQ(model.error().code, Code::kExhausted);
    EXPECT_THAT(model.error().message, ::testing::HasSubstr("needed for 600 items"));
    EXPECT_THAT(model.error().message,
                ::testing::HasSubstr(solver == "dense" ? "1.39 MB" : "candidates = 50"));
  }
}

}  // namespace
}  // namespace vitrine

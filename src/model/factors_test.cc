#include "model/factors.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::near;
using Square = std::vector<std::vector<double>>;

Matrix random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  const Random random(seed);
  Matrix m(rows, cols);
  std::uint64_t draw = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (float& v : m.row(r)) v = static_cast<float>(random.normal(draw++));
  }
  return m;
}

struct Shop {
  Histories histories;
  Interactions interactions;
  Catalogue catalogue;
  explicit Shop(Histories h, bool binary = true) : histories(std::move(h)) {
    InteractionOptions options;
    options.binary = binary;
    options.merge = "max";
    interactions = build_interactions(histories, options);
  }
  TrainingSet set() const { return {histories, interactions, catalogue}; }
  bool seen(std::uint32_t item) const { return !interactions.by_item.row(item).empty(); }
};

// Gaussian elimination of a symmetric positive definite system.
std::vector<double> solve(Square a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t k = 0; k < n; ++k) {
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

// The normal equations as they stand in the header, then the scores of all items.
std::vector<double> scores_by_ridge(const Shop& shop, const Matrix& items,
                                    std::span<const float> biases, const FoldIn& f,
                                    std::span<const float> weights) {
  const auto width = static_cast<std::size_t>(items.cols());
  const auto bias = [&](std::size_t i) { return biases.empty() ? 0.0 : double{biases[i]}; };
  Square a(width, std::vector<double>(width));
  std::vector<double> b(width);
  double mass = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!shop.seen(static_cast<std::uint32_t>(i))) continue;
    const auto v = items.row(static_cast<std::int64_t>(i));
    mass += double{weights[i]} + f.background;
    for (std::size_t k = 0; k < width; ++k) {
      b[k] += double{v[k]} * (double{weights[i]} * (1 - bias(i)) - f.background * bias(i));
      for (std::size_t l = 0; l < width; ++l) {
        a[k][l] += (double{weights[i]} + f.background) * double{v[k]} * double{v[l]};
      }
    }
  }
  for (std::size_t k = 0; k < width; ++k) a[k][k] += f.regularization * std::pow(mass, f.exponent);
  const std::vector<double> u = solve(a, b);
  std::vector<double> scores(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!shop.seen(static_cast<std::uint32_t>(i))) continue;
    scores[i] = bias(i);
    for (std::size_t k = 0; k < width; ++k) {
      scores[i] += u[k] * double{items(static_cast<std::int64_t>(i), static_cast<std::int64_t>(k))};
    }
  }
  return scores;
}

std::vector<float> all_scores(const Factors& factors, const Query& query) {
  std::vector<ItemIndex> items;
  for (std::uint32_t i = 0; i < factors.items(); ++i) items.push_back(ItemIndex{i});
  std::vector<float> scores(items.size());
  factors.score(query, items, scores);
  return scores;
}

TEST(Factors, FoldsInByTheNormalEquations) {
  EXPECT_TRUE(rc::check([] {
    const bool binary = *rc::gen::arbitrary<bool>();
    const Shop shop(testing::arbitrary_histories(), binary);
    const auto width = *rc::gen::element<std::int64_t>(1, 3, 6, 20);  // histories have 1 to 8 items
    const Matrix items = random_matrix(8, width, 3);
    std::vector<float> biases;
    if (*rc::gen::arbitrary<bool>()) biases = {.5f, -1, 0, .1f, 2, -.3f, 1, 0};
    const FoldIn f{*rc::gen::element(0.0, 0.2), *rc::gen::element(0.05, 2.0),
                   *rc::gen::element(0.0, 1.0)};
    const testing::QuietRun run;
    FactorState state{items.view()};
    state.biases = biases;
    state.binary = binary;
    const auto factors = Factors::create(run, shop.set(), state, f);
    RC_ASSERT(factors.ok());
    for (std::size_t r = 0; r < shop.histories.rows(); ++r) {
      std::vector<float> weights(8);
      bool any = false;
      for (const HistoryEvent& e : shop.histories.row(r)) {
        any = true;
        weights[raw(e.item)] = binary ? 1 : std::max(weights[raw(e.item)], e.weight);
      }
      Query query;
      query.history = shop.histories.row(r);
      query.user = UserIndex{static_cast<std::uint32_t>(r)};
      const auto scores = all_scores(*factors, query);
      const auto expected =
          any ? scores_by_ridge(shop, items, biases, f, weights) : std::vector<double>(8);
      for (std::size_t i = 0; i < 8; ++i) RC_ASSERT(near(scores[i], expected[i], 2e-4));
    }
  }));
}

// So a model may put its scores where it likes, with respect to the 0 of items that it does not
// know.
TEST(Factors, AConstantInBiasesAndTargetMovesScoresAlone) {
  const Shop shop(testing::make_histories({{event_of(0), event_of(1)}, {event_of(2)}}, 0, 4));
  const Matrix items = random_matrix(4, 5, 1);
  const std::vector<float> low{-1, -3, -2, 0}, high{4, 2, 3, 5};
  const testing::QuietRun run;
  FactorState state{items.view()};
  state.biases = low;
  const auto one = Factors::create(run, shop.set(), state, {});
  state.biases = high;
  state.target = 6;
  const auto other = Factors::create(run, shop.set(), state, {});
  Query query;
  query.history = shop.histories.row(0);
  const auto scores = all_scores(*one, query), moved = all_scores(*other, query);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(scores[i] + 5, moved[i], 1e-5);
  EXPECT_EQ(moved[3], 0) << "nobody took it";
}

TEST(Factors, AKnownUserIsTheirRowUntilTheHistoryChanges) {
  const Shop shop(
      testing::make_histories({{event_of(0), event_of(1), event_of(0)}, {event_of(2)}}, 2, 4));
  const Matrix items = random_matrix(4, 5, 1), users = random_matrix(2, 5, 2);
  const testing::QuietRun run;
  const auto factors = Factors::create(run, shop.set(), {items.view(), users.view()}, {});
  ASSERT_TRUE(factors.ok());
  const std::vector<HistoryEvent> same{event_of(1), event_of(0, 3)},
      grown{event_of(0), event_of(2)};
  Query query;
  query.user = UserIndex{0};
  query.history = same;
  const auto known = all_scores(*factors, query);
  for (std::uint32_t i = 0; i < 3; ++i) {
    double expected = 0;
    for (std::int64_t k = 0; k < 5; ++k) expected += double{users(0, k)} * double{items(i, k)};
    EXPECT_NEAR(known[i], expected, 1e-5);
  }
  EXPECT_EQ(known[3], 0) << "nobody took it";
  query.user = UserIndex{1};
  const auto another = all_scores(*factors, query);
  query.user.reset();
  EXPECT_EQ(another, all_scores(*factors, query)) << "the row of another history";
  EXPECT_NE(another, known);
  query.history = grown;
  const auto anonymous = all_scores(*factors, query);
  for (const std::uint32_t user : {0u, 7u}) {
    query.user = UserIndex{user};
    EXPECT_EQ(anonymous, all_scores(*factors, query));
  }
}

TEST(Factors, WhatIsNotFiniteIsRefusedWithTheRemedyOfTheModel) {
  const Shop shop(testing::make_histories({{event_of(0)}}, 1, 1));
  Matrix items(1, 2);
  items(0, 1) = std::nanf("");
  const testing::QuietRun run;
  FactorState state{items.view()};
  state.remedy = "think again";
  const Error error = Factors::create(run, shop.set(), state, {}).error();
  EXPECT_EQ(error.code, Code::kInvalid);
  EXPECT_EQ(error.message, "not finite: think again");
}

}  // namespace
}  // namespace vitrine

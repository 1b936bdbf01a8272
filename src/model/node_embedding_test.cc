#include "model/node_embedding.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::fit_on;
using testing::near;
using testing::scores_of;
using Square = std::vector<std::vector<double>>;

// M, dense, from its definition.
Square dense_proximities(const Interactions& x, const NodeEmbeddingOptions& o) {
  const std::size_t items = x.items;
  Square c(items, std::vector<double>(items)), m = c;
  for (std::size_t r = 0; r < x.by_row.rows(); ++r) {
    const auto row = x.by_row.row(r);
    const auto w = x.by_row.row_weights(r);
    double length = 0;
    for (const float v : w) length += double{v};
    for (std::size_t a = 0; a < row.size(); ++a) {
      for (std::size_t b = 0; b < row.size(); ++b) {
        if (a != b)
          c[row[a]][row[b]] += std::pow(length, -o.person_exponent) * double{w[a]} * double{w[b]};
      }
    }
  }
  std::vector<double> mass(items);
  double total = 0;
  for (std::size_t i = 0; i < items; ++i) {
    for (std::size_t j = 0; j < items; ++j) mass[i] += c[i][j];
    if (mass[i] > 0) total += std::pow(mass[i], o.context_exponent);
  }
  for (std::size_t i = 0; i < items; ++i) {
    for (std::size_t j = 0; j < items; ++j) {
      if (c[i][j] == 0) continue;
      const double chance = mass[i] * std::pow(mass[j], o.context_exponent) * o.negatives;
      m[i][j] = std::max(0.0, std::log(c[i][j] * total / chance));
    }
  }
  return m;
}

// With as many factors as items U S V^T is M, and a person's row gives the mean of its rows.
TEST(NodeEmbedding, OfFullRankIsTheDenseMatrix) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    InteractionOptions merge;
    merge.binary = *rc::gen::arbitrary<bool>();
    NodeEmbeddingOptions options;
    options.factors = 12;
    options.person_exponent = *rc::gen::element(0.0, 1.0);
    options.context_exponent = *rc::gen::element(0.75, 1.0);
    options.negatives = *rc::gen::element(0.5, 1.0, 2.0);
    const Interactions x = build_interactions(histories, merge);
    const Square m = dense_proximities(x, options);
    const auto model = fit_on(fit_node_embedding, options, histories, merge);
    for (std::uint32_t u = 0; u < histories.users(); ++u) {
      std::vector<double> expected(histories.items());
      double length = 0;
      for (std::size_t e = 0; e < x.by_row.row(u).size(); ++e) {
        const double w = x.by_row.row_weights(u)[e];
        length += w;
        for (std::size_t j = 0; j < expected.size(); ++j) {
          expected[j] += w * m[x.by_row.row(u)[e]][j];
        }
      }
      Query query;
      query.history = histories.row(u);
      query.user = UserIndex{u};
      // A row is only used where the weights of the history are those that were fitted.
      if (!merge.binary && x.by_row.row(u).size() != query.history.size()) continue;
      const auto scores = scores_of(*model, query, histories.items());
      for (std::size_t j = 0; length > 0 && j < expected.size(); ++j) {
        if (x.by_item.row(j).empty()) continue;
        RC_ASSERT(near(scores[j], expected[j] / length, 1e-4));
      }
    }
  }));
}

TEST(NodeEmbedding, SaysWhichSettingWouldFit) {
  NodeEmbeddingOptions options;
  options.memory_limit_mb = 1;
  options.factors = 4096;
  const Error wide = testing::error_of(fit_node_embedding, options, testing::full_histories(2, 20));
  EXPECT_EQ(wide.code, Code::kExhausted);
  EXPECT_NE(wide.message.find("or set factors = 1285"), std::string::npos) << wide.message;
  options.factors = 1;
  const Error dense =
      testing::error_of(fit_node_embedding, options, testing::full_histories(2, 250));
  EXPECT_EQ(dense.code, Code::kExhausted);
  EXPECT_NE(dense.message.find("or set neighbours = 125"), std::string::npos) << dense.message;
}

TEST(NodeEmbedding, WhatIsMetTogetherIsNear) {
  // Two circles of items that nobody takes together; a newcomer to one is shown the rest of it.
  std::vector<std::vector<HistoryEvent>> rows;
  for (std::uint32_t u = 0; u < 40; ++u) {
    std::vector<HistoryEvent> row;
    for (std::uint32_t k = 0; k < 3; ++k) {
      row.push_back(testing::event_of(u % 2 * 6 + (u / 2 * 5 + k * k + 1) % 6));
    }
    rows.push_back(row);
  }
  const Histories histories = testing::make_histories(rows, 40, 12);
  NodeEmbeddingOptions options;
  options.factors = 4;
  const auto model = fit_on(fit_node_embedding, options, histories);
  for (const std::uint32_t circle : {0u, 6u}) {
    const std::vector<HistoryEvent> history{testing::event_of(circle),
                                            testing::event_of(circle + 1)};
    Query query;
    query.history = history;
    for (const Candidate& c : testing::list_of(*model, query, 6)) {
      EXPECT_EQ(raw(c.item) / 6, circle / 6);
    }
  }
}

}  // namespace
}  // namespace vitrine

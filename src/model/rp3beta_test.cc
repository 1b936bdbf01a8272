#include "model/rp3beta.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::fit_on;
using testing::make_histories;
using testing::near;
using testing::scores_of;
using Rows = std::vector<std::vector<double>>;

// x_ui of every person and item.
Rows graph_of(const Histories& histories) {
  Rows x(histories.rows(), std::vector<double>(histories.items()));
  for (std::size_t u = 0; u < x.size(); ++u) {
    for (const HistoryEvent& e : histories.row(u)) {
      x[u][raw(e.item)] = std::max(x[u][raw(e.item)], double{e.weight});
    }
  }
  return x;
}

TEST(Rp3beta, IsTheWalkStepByStep) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    Rp3betaOptions o;
    o.alpha = *rc::gen::element(0.0, 0.5, 1.0, 1.7);
    o.beta = *rc::gen::element(0.0, 0.6, 1.0);
    const auto model = fit_on(fit_rp3beta, o, histories);
    const Rows x = graph_of(histories);
    std::vector<double> person(x.size()), item(histories.items());
    for (std::size_t u = 0; u < x.size(); ++u) {
      for (std::size_t i = 0; i < item.size(); ++i) person[u] += x[u][i], item[i] += x[u][i];
    }
    for (std::uint32_t i = 0; i < item.size(); ++i) {
      const HistoryEvent event = event_of(i, 0.75f);
      const auto scores = scores_of(*model, std::span(&event, 1), histories.items());
      for (std::size_t j = 0; j < item.size(); ++j) {
        double walk = 0;
        for (std::size_t u = 0; u < x.size(); ++u) {
          if (i == j || x[u][i] == 0 || x[u][j] == 0) continue;
          walk += std::pow(x[u][i] / item[i], o.alpha) * std::pow(x[u][j] / person[u], o.alpha);
        }
        if (walk > 0) walk *= std::pow(0.75, o.alpha) * std::pow(item[j], -o.beta);
        RC_ASSERT(near(scores[j], walk));
      }
    }
  }));
}

// Scaling every weight changes no probability, however many of them a person has.
TEST(Rp3beta, WeightsOfAnySizeAreTheSameWalk) {
  const auto walk = [](float weight) {
    std::vector<HistoryEvent> busy;
    for (std::uint32_t i = 0; i < 400; ++i) busy.push_back(event_of(i, weight));
    Rp3betaOptions options;
    options.alpha = 5;
    options.beta = 0;
    const HistoryEvent zero = event_of(0);
    const Histories histories = make_histories({busy}, 1, 400);
    return scores_of(*fit_on(fit_rp3beta, options, histories), std::span(&zero, 1), 3);
  };
  const double expected = std::pow(400, -5);
  for (const float weight : {1e-6f, 1.0f, 1e6f}) {
    EXPECT_NEAR(walk(weight)[1], expected, 1e-5 * expected) << weight;
  }
}

TEST(Rp3beta, SaysHowManyNeighboursWouldFit) {
  Rp3betaOptions options;
  options.memory_limit_mb = 1;
  const Histories histories = testing::full_histories(2, 250);
  const Error error = testing::error_of(fit_rp3beta, options, histories);
  EXPECT_EQ(error.code, Code::kExhausted);
  EXPECT_NE(error.message.find("or set neighbours = 150"), std::string::npos) << error.message;
  options.neighbours = 150;
  fit_on(fit_rp3beta, options, histories);
}

TEST(Rp3beta, AWalkByHand) {
  // Persons {0, 1}, {0, 1, 2}. From 0 to either person with 1/2; on to 1 with 1/2 and 1/3.
  const Histories histories =
      make_histories({{event_of(0), event_of(1)}, {event_of(0), event_of(1), event_of(2)}}, 2, 3);
  Rp3betaOptions options;
  options.alpha = 1;
  options.beta = 0;
  const HistoryEvent zero = event_of(0);
  const auto walk = scores_of(*fit_on(fit_rp3beta, options, histories), std::span(&zero, 1), 3);
  EXPECT_NEAR(walk[1], 5.0 / 12, 1e-6);
  EXPECT_NEAR(walk[2], 1.0 / 6, 1e-6);
  options.beta = 1;  // 1 was taken twice, 2 once
  const auto muted = scores_of(*fit_on(fit_rp3beta, options, histories), std::span(&zero, 1), 3);
  EXPECT_NEAR(muted[1], 5.0 / 24, 1e-6);
  EXPECT_NEAR(muted[2], 1.0 / 6, 1e-6);
}

}  // namespace
}  // namespace vitrine

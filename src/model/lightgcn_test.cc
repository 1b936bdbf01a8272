#include "model/lightgcn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>

#include "model/lightgcn_trainer.h"
#include "model/model_testing.h"
#include "tests/model_worlds.h"

namespace vitrine {
namespace {

using testing::event_of;
using Rows = std::vector<std::vector<double>>;

// P times the embeddings, from the definition: the mean of the layers.
Rows final_vectors(const Interactions& x, int layers, bool own, const Rows& embeddings) {
  const std::size_t persons = x.by_row.rows(), width = embeddings[0].size();
  Rows layer = embeddings, sum(embeddings.size(), std::vector<double>(width));
  if (own || layers == 0) sum = embeddings;
  for (int l = 0; l < layers; ++l) {
    Rows next(layer.size(), std::vector<double>(width));
    for (std::size_t r = 0; r < persons; ++r) {
      for (const std::uint32_t i : x.by_row.row(r)) {
        const double weight =
            1 / std::sqrt(static_cast<double>(x.by_row.row(r).size() * x.by_item.row(i).size()));
        for (std::size_t c = 0; c < width; ++c) {
          next[r][c] += weight * layer[persons + i][c];
          next[persons + i][c] += weight * layer[r][c];
        }
      }
    }
    layer = next;
    for (std::size_t n = 0; n < sum.size(); ++n) {
      for (std::size_t c = 0; c < width; ++c) sum[n][c] += layer[n][c];
    }
  }
  for (auto& row : sum) {
    for (double& v : row) v /= std::max(1, layers + (own ? 1 : 0));
  }
  return sum;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

double objective(const LightGcnOptions& options, const Interactions& x, const PairBatch& batch,
                 const Rows& embeddings) {
  const Rows v = final_vectors(x, options.layers, options.own_layer, embeddings);
  const auto vector = [&](std::uint32_t place) { return v[batch.nodes[place]]; };
  const auto score = [&](std::uint32_t a, std::uint32_t b) {
    const auto u = vector(a), w = vector(b);
    const double lengths = std::sqrt(dot(u, u) * dot(w, w));
    return lengths == 0 ? 0 : dot(u, w) / lengths / options.temperature;
  };
  const bool bpr = options.loss == "bpr";
  std::vector<std::uint32_t> used;
  double loss = 0, squares = 0;
  for (std::size_t p = 0; p < batch.pairs(); ++p) {
    const std::uint32_t u = batch.persons[p], i = batch.items[p];
    used.insert(used.end(), {u, i});
    if (bpr) {
      const double margin = dot(vector(u), vector(i)) - dot(vector(u), vector(batch.negatives[p]));
      loss += std::log(1 + std::exp(-margin));
      continue;
    }
    double total = std::exp(score(u, i));
    for (std::uint32_t n = 0; n < batch.negatives.size(); ++n) {
      const auto first = batch.dropped.begin() + batch.dropped_offsets[p];
      const auto last = batch.dropped.begin() + batch.dropped_offsets[p + 1];
      if (std::find(first, last, n) != last) continue;
      const double weight = batch.log_weights.empty() ? 1 : std::exp(batch.log_weights[n]);
      total += weight * std::exp(score(u, batch.negatives[n]));
    }
    loss += std::log(total) - score(u, i);
  }
  used.insert(used.end(), batch.negatives.begin(), batch.negatives.end());
  for (const std::uint32_t place : used) {
    const auto& e = embeddings[batch.nodes[place]];
    squares += dot(e, e);
  }
  return (loss + options.l2 / 2 * squares) / static_cast<double>(batch.pairs());
}

Rows rows_of(const Matrix& m) {
  Rows rows;
  for (std::int64_t i = 0; i < m.rows(); ++i) rows.emplace_back(m.row(i).begin(), m.row(i).end());
  return rows;
}

// The first step of Adam moves every value by the learning rate against the sign of its slope.
TEST(LightGcn, AStepFollowsTheSlopeOfTheObjective) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    const Interactions x = build_interactions(histories, {});
    RC_PRE(!x.by_row.columns.empty());
    LightGcnOptions options;
    options.factors = 4;
    options.layers = *rc::gen::inRange(0, 4);
    options.own_layer = *rc::gen::arbitrary<bool>();
    options.loss = *rc::gen::element<std::string>("softmax", "bpr");
    options.negatives = *rc::gen::inRange(1, 12);
    options.temperature = 0.5;
    options.batch = *rc::gen::inRange(1, 40);
    options.l2 = *rc::gen::element(0.0, 0.1);
    const testing::QuietRun run;
    LightGcnTrainer trainer(run, options, x);
    trainer.begin_epoch(0);
    const Rows before = rows_of(trainer.embeddings());
    const PairBatch batch = trainer.draw(0);
    const double loss = trainer.step(0);
    const Rows after = rows_of(trainer.embeddings());
    LightGcnOptions plain = options;
    plain.l2 = 0;
    RC_ASSERT(testing::near(loss, objective(plain, x, batch, before), 0.02));
    for (std::size_t n = 0; n < before.size(); ++n) {
      for (std::size_t c = 0; c < before[n].size(); ++c) {
        constexpr double kStep = 1e-4;
        Rows moved = before;
        moved[n][c] += kStep;
        const double up = objective(options, x, batch, moved);
        moved[n][c] -= 2 * kStep;
        const double slope = (up - objective(options, x, batch, moved)) / (2 * kStep);
        const double change = after[n][c] - before[n][c];
        RC_ASSERT(std::abs(change) < 1.01 * options.learning_rate);
        if (std::abs(slope) < 0.02) continue;  // rounding between layers may turn its sign
        RC_ASSERT(testing::near(change, slope > 0 ? -options.learning_rate : options.learning_rate,
                                1e-5));
      }
    }
  }));
}

TEST(LightGcn, AnEpochVisitsEveryPairOnceAndNegativesAreOthers) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    const Interactions x = build_interactions(histories, {});
    RC_PRE(!x.by_row.columns.empty());
    LightGcnOptions options;
    options.loss = *rc::gen::element<std::string>("softmax", "bpr");
    options.negatives = *rc::gen::inRange(1, 12);
    options.batch = *rc::gen::inRange(1, 40);
    const testing::QuietRun run;
    LightGcnTrainer trainer(run, options, x);
    trainer.begin_epoch(3);
    const auto persons = static_cast<std::uint32_t>(x.by_row.rows());
    std::vector<std::pair<std::uint32_t, std::uint32_t>> expected, got;
    for (std::uint32_t r = 0; r < persons; ++r) {
      for (const std::uint32_t i : x.by_row.row(r)) expected.emplace_back(r, persons + i);
    }
    for (std::int64_t b = 0; b < trainer.batches(); ++b) {
      const PairBatch& batch = trainer.draw(b);
      for (std::size_t p = 0; p < batch.pairs(); ++p) {
        const std::uint32_t person = batch.nodes[batch.persons[p]];
        got.emplace_back(person, batch.nodes[batch.items[p]]);
        if (options.loss == "bpr") continue;
        std::vector<std::uint32_t> dropped(batch.dropped.begin() + batch.dropped_offsets[p],
                                           batch.dropped.begin() + batch.dropped_offsets[p + 1]);
        for (std::uint32_t n = 0; n < batch.negatives.size(); ++n) {
          const std::uint32_t item = batch.nodes[batch.negatives[n]] - persons;
          const auto own = x.by_row.row(person);
          RC_ASSERT(std::binary_search(own.begin(), own.end(), item) ==
                    (std::count(dropped.begin(), dropped.end(), n) == 1));
        }
      }
    }
    std::sort(got.begin(), got.end());
    RC_ASSERT(got == expected);
  }));
}

TEST(LightGcn, EveryLossLearnsThePlantedTastes) {
  const testing::World world = testing::planted_world(21);
  for (const char* loss : {"softmax", "bpr"}) {
    for (const int layers : {0, 1, 3}) {
      LightGcnOptions options;
      options.loss = loss;
      options.layers = layers;
      options.epochs = 30;
      options.batch = 256;
      const testing::QuietRun run;
      const auto model = fit_lightgcn(run, options, world.set());
      ASSERT_TRUE(model.ok()) << model.error().message;
      double same = 0, all = 0;
      for (const testing::Visitor& visitor : world.visitors) {
        Query query;
        query.history = visitor.history;
        for (const Candidate& c : testing::list_of(**model, query, 10)) {
          same += raw(c.item) % 8 == raw(visitor.next) % 8;  // the taste of an item
          ++all;
        }
      }
      EXPECT_GT(same / all, 0.6) << loss << " " << layers;
    }
  }
}

// Also where the interactions are weighted.
TEST(LightGcn, AnInteractionCountsOnceWhateverItsWeight) {
  const Histories histories = testing::make_histories(
      {{event_of(0, 3), event_of(1)}, {event_of(1, 2), event_of(2)}, {event_of(0), event_of(2)}}, 0,
      3);
  InteractionOptions merge;
  merge.binary = false;
  const auto model = testing::fit_on(fit_lightgcn, LightGcnOptions{}, histories, merge);
  const std::vector<HistoryEvent> light{event_of(0), event_of(1)},
      heavy{event_of(0, 5), event_of(1)};
  EXPECT_EQ(testing::scores_of(*model, light, 3), testing::scores_of(*model, heavy, 3));
}

TEST(LightGcn, CountsThePairsThatABatchLeavesOut) {
  std::vector<std::vector<HistoryEvent>> rows(20);
  for (auto& row : rows) {
    for (std::uint32_t i = 0; i < 1000; ++i) row.push_back(event_of(i));
  }
  const Histories histories = testing::make_histories(rows, 20, 1000);
  const Interactions x = build_interactions(histories, {});
  LightGcnOptions options;
  options.batch = 1 << 20;
  options.negatives = 2000;
  const testing::QuietRun run;
  LightGcnTrainer trainer(run, options, x);
  trainer.begin_epoch(0);
  EXPECT_GT(LightGcnTrainer::bytes(options, x),
            static_cast<double>(trainer.draw(0).dropped.size()) * sizeof(std::uint32_t));
}

// So a new item, at 0, does not stand above what people take.
TEST(LightGcn, AScoreIsACosineAndWhatPopularityAdds) {
  const testing::World world = testing::planted_world(23);
  LightGcnOptions options;
  options.temperature = 0.5;
  options.epochs = 2;
  const auto model = testing::fit_on(fit_lightgcn, options, world.histories);
  Query query;
  query.history = world.histories.row(0);
  query.user = UserIndex{0};
  const auto scores = testing::scores_of(*model, query, world.histories.items());
  for (std::uint32_t i = 0; i < scores.size(); ++i) {
    const auto persons = static_cast<double>(world.interactions.by_item.row(i).size());
    if (persons == 0) continue;
    EXPECT_LE(std::abs(scores[i] - 0.5 * std::log(persons)), 1 + 1e-4) << i;
  }
}

TEST(LightGcn, RefusesWhatDoesNotFitWithTheNumber) {
  const Histories histories = testing::make_histories({{event_of(0)}}, 1, 40'000);
  const Interactions interactions = build_interactions(histories, {});
  LightGcnOptions options;
  options.memory_limit_mb = 16;
  const testing::QuietRun run;
  const auto model = fit_lightgcn(run, options, TrainingSet{histories, interactions, Catalogue()});
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, Code::kExhausted);
  EXPECT_THAT(model.error().message, ::testing::HasSubstr("memory_limit_mb"));
}

TEST(LightGcn, WhatDivergesIsAnErrorThatNamesTheRemedy) {
  const testing::World world = testing::planted_world(22);
  LightGcnOptions options;
  options.loss = "bpr";
  options.learning_rate = 1;
  options.l2 = 10;
  options.epochs = 50;
  const testing::QuietRun run;
  const auto model = fit_lightgcn(run, options, world.set());
  if (model.ok()) return;  // it need not diverge, but it must not leave NaN
  EXPECT_EQ(model.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace vitrine

#include "model/item_knn.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <set>

#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::fit_on;
using testing::make_histories;
using testing::near;
using testing::scores_of;
using Rows = std::vector<std::vector<double>>;

// Steps of a row's events under the options.
std::vector<int> steps_of(std::span<const HistoryEvent> row, const ItemKnnOptions& options) {
  std::vector<int> steps;
  for (std::size_t e = 0; e < row.size(); ++e) {
    const bool step = e > 0 && (options.steps == "events" || row[e].group != row[e - 1].group);
    steps.push_back((e > 0 ? steps.back() : 0) + (step ? 1 : 0));
  }
  return steps;
}

// c_u(i, j) as the header defines it: every pair of events, the best one counts.
double pair_of(std::span<const HistoryEvent> row, std::uint32_t i, std::uint32_t j,
               const Histories& histories, const ItemKnnOptions& options) {
  const std::vector<int> steps = steps_of(row, options);
  double best = 0;
  for (std::size_t e = 0; e < row.size(); ++e) {
    for (std::size_t f = 0; f < row.size(); ++f) {
      if (e == f || raw(row[e].item) != i || raw(row[f].item) != j) continue;
      const int gap = std::abs(steps[e] - steps[f]);
      if (options.window > 0 && gap > options.window) continue;
      double weight = double{row[e].weight} * row[f].weight * std::pow(options.distance_decay, gap);
      if (f < e && gap > 0) weight *= options.backward;
      const Timestamp later = std::max(row[e].time, row[f].time);
      if (options.half_life_days > 0 && later != kNoTime) {
        const double days = static_cast<double>(histories.last_time() - later) / kDay;
        weight *= std::exp2(-days / options.half_life_days);
      }
      best = std::max(best, weight);
    }
  }
  return best;
}

std::size_t distinct(std::span<const HistoryEvent> row) {
  std::set<ItemIndex> items;
  for (const HistoryEvent& e : row) items.insert(e.item);
  return items.size();
}

std::vector<double> frequencies(const Histories& histories) {
  std::vector<double> f(histories.items());
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    std::vector<double> best(histories.items());
    for (const HistoryEvent& e : histories.row(r)) {
      best[raw(e.item)] = std::max(best[raw(e.item)], double{e.weight});
    }
    for (std::size_t i = 0; i < best.size(); ++i) f[i] += best[i] * best[i];
  }
  return f;
}

double similarity(const ItemKnnOptions& o, const std::vector<double>& f, std::uint32_t i,
                  std::uint32_t j, double sum) {
  if (sum == 0) return 0;
  double mean = 0, listed = 0;
  for (const double x : f) mean += x, listed += x > 0 ? 1 : 0;
  mean /= listed;
  const auto saturation = [&](double x) {
    return (o.bm25_k1 + 1) / (o.bm25_k1 * (1 - o.bm25_b + o.bm25_b * x / mean) + 1);
  };
  double weight = sum;
  if (o.similarity == "cosine") {
    weight =
        sum / (std::pow(f[i], o.source_exponent) * std::pow(f[j], o.target_exponent) + o.shrinkage);
  } else if (o.similarity == "jaccard") {
    const double united = f[i] + f[j] - sum + o.shrinkage;
    weight = united > 0 ? sum / united : 0;
  } else if (o.similarity == "bm25") {
    weight = sum * saturation(f[i]) * saturation(f[j]);
  }
  return std::pow(weight, o.amplification);
}

// The whole matrix, uncut.
Rows slow_rows(const Histories& histories, const ItemKnnOptions& o) {
  const std::uint32_t items = histories.items();
  const std::vector<double> f = frequencies(histories);
  Rows rows(items, std::vector<double>(items));
  for (std::uint32_t i = 0; i < items; ++i) {
    for (std::uint32_t j = 0; j < items; ++j) {
      if (i == j) continue;
      double sum = 0;
      for (std::size_t r = 0; r < histories.rows(); ++r) {
        const auto row = histories.row(r);
        if (row.empty()) continue;
        const auto n = static_cast<double>(distinct(row));
        double person = std::pow(n, -o.person_exponent);
        if (o.similarity == "bm25") {
          person *= std::pow(std::max(0.0, std::log(items) - std::log(1 + n)), 2);
        }
        sum += person * pair_of(row, i, j, histories, o);
      }
      rows[i][j] = similarity(o, f, i, j, sum);
    }
    double scale = 0;
    for (const double w : rows[i]) scale = o.normalize == "sum" ? scale + w : std::max(scale, w);
    if (o.normalize != "none" && scale > 0) {
      for (double& w : rows[i]) w /= scale;
    }
  }
  return rows;
}

ItemKnnOptions arbitrary_options() {
  ItemKnnOptions o;
  o.similarity = *rc::gen::element<std::string>("cosine", "jaccard", "bm25", "cooccurrence");
  o.normalize = *rc::gen::element<std::string>("none", "sum", "max");
  o.steps = *rc::gen::element<std::string>("events", "groups");
  o.source_exponent = *rc::gen::element(0.0, 0.5, 1.0);
  o.target_exponent = *rc::gen::element(0.0, 0.2, 0.5);
  o.person_exponent = *rc::gen::element(0.0, 0.5, 1.0);
  o.shrinkage = *rc::gen::element(0.0, 2.0);
  o.amplification = *rc::gen::element(1.0, 1.5);
  o.window = *rc::gen::element(0, 0, 1, 3);
  o.distance_decay = *rc::gen::element(1.0, 1.0, 0.7);
  o.backward = *rc::gen::element(1.0, 1.0, 0.5, 0.0);
  o.half_life_days = *rc::gen::element(0.0, 0.0, 2.0);
  o.history_decay = *rc::gen::element(1.0, 0.6);
  o.history_length = *rc::gen::element(0, 0, 2);
  return o;
}

TEST(ItemKnn, RowsAreTheFormula) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    const ItemKnnOptions options = arbitrary_options();
    const auto model = fit_on(fit_item_knn, options, histories);
    const Rows rows = slow_rows(histories, options);
    for (std::uint32_t i = 0; i < histories.items(); ++i) {
      const HistoryEvent event = event_of(i);
      const std::vector<float> scores = scores_of(*model, std::span(&event, 1), histories.items());
      for (std::uint32_t j = 0; j < histories.items(); ++j) RC_ASSERT(near(scores[j], rows[i][j]));
    }
  }));
}

TEST(ItemKnn, HistoriesAddUpTheirRows) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    const ItemKnnOptions options = arbitrary_options();
    const auto model = fit_on(fit_item_knn, options, histories);
    const Rows rows = slow_rows(histories, options);
    for (std::size_t r = 0; r < histories.rows(); ++r) {
      auto history = histories.row(r);
      if (options.history_length > 0 && history.size() > 2) history = history.last(2);
      const std::vector<int> steps = steps_of(history, options);
      std::vector<double> weight(histories.items()), expected(histories.items());
      for (std::size_t e = 0; e < history.size(); ++e) {
        double& w = weight[raw(history[e].item)];
        w = std::max(w,
                     history[e].weight * std::pow(options.history_decay, steps.back() - steps[e]));
      }
      for (std::size_t i = 0; i < weight.size(); ++i) {
        for (std::size_t j = 0; j < weight.size(); ++j) expected[j] += weight[i] * rows[i][j];
      }
      const auto scores = scores_of(*model, histories.row(r), histories.items());
      for (std::size_t j = 0; j < expected.size(); ++j) RC_ASSERT(near(scores[j], expected[j]));
    }
  }));
}

TEST(ItemKnn, KeepsTheBestOfEachRowTiesToTheLowerItem) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    ItemKnnOptions options = arbitrary_options();
    options.normalize = "none";
    const auto whole = fit_on(fit_item_knn, options, histories);
    options.neighbours = *rc::gen::inRange(1, 5);
    const auto cut = fit_on(fit_item_knn, options, histories);
    for (std::uint32_t i = 0; i < histories.items(); ++i) {
      const HistoryEvent event = event_of(i);
      Query query;
      query.history = std::span(&event, 1);
      const auto best = testing::list_of(*whole, query, options.neighbours);
      const auto kept = testing::list_of(*cut, query, 100);
      RC_ASSERT(best.size() == kept.size());
      for (std::size_t c = 0; c < best.size(); ++c) {
        RC_ASSERT(best[c].item == kept[c].item && best[c].score == kept[c].score);
      }
    }
  }));
}

TEST(ItemKnn, OrderMatters) {
  // 0 is followed by 1, twice; 1 by 2.
  const Histories histories =
      make_histories({{event_of(0), event_of(1)}, {event_of(0), event_of(1), event_of(2)}}, 2, 3);
  ItemKnnOptions options;
  options.similarity = "cooccurrence";
  options.person_exponent = 0;
  options.window = 1;
  options.distance_decay = 0.5;
  options.backward = 0.25;
  const auto model = fit_on(fit_item_knn, options, histories);
  const HistoryEvent one = event_of(1);
  EXPECT_EQ(scores_of(*model, std::span(&one, 1), 3), (std::vector<float>{0.25f, 0, 0.5f}));
}

TEST(ItemKnn, ThePredictionOfTheTextbook) {
  // Three users rate three items: A (5, 3, 2), B (4, 5, 1), C (2, 4, 5); A's rating of item 3 were
  // unknown. Cosines of the columns of B and C:
  //   1, 3: (4 1 + 2 5) / (sqrt(20) sqrt(26)) = 14 / 22.80 = .6139
  //   2, 3: (5 1 + 4 5) / (sqrt(41) sqrt(26)) = 25 / 32.65 = .7657
  const Histories others = make_histories({{event_of(0, 4), event_of(1, 5), event_of(2, 1)},
                                           {event_of(0, 2), event_of(1, 4), event_of(2, 5)}},
                                          2, 3);
  ItemKnnOptions options;
  options.source_exponent = options.target_exponent = 0.5;
  options.person_exponent = options.shrinkage = 0;
  options.window = 0;
  options.distance_decay = options.backward = options.history_decay = 1;
  const auto model = fit_on(fit_item_knn, options, others);
  const auto cosine = [&](std::uint32_t item) {
    const HistoryEvent event = event_of(item);
    return double{scores_of(*model, std::span(&event, 1), 3)[2]};
  };
  EXPECT_NEAR(cosine(0), 0.6139, 0.00005);
  EXPECT_NEAR(cosine(1), 0.7657, 0.00005);
  // The model lists the weighted sum, .6139 5 + .7657 3 = 5.3667; the textbook divides by the sum
  // of the cosines: 5.3667 / 1.3796 = 3.890
  const std::vector<HistoryEvent> a{event_of(0, 5), event_of(1, 3)};
  const double sum = scores_of(*model, a, 3)[2], cosines = cosine(0) + cosine(1);
  EXPECT_NEAR(sum, 5.3667, 0.0005);
  EXPECT_NEAR(sum / cosines, 3.890, 0.0005);
  // Mean-centred, the items' means of B and C being 3, 4.5 and 3:
  //   3 + (.6139 (5 - 3) + .7657 (3 - 4.5)) / 1.3796 = 3 + .0793 / 1.3796 = 3.0575
  EXPECT_NEAR(3 + (cosine(0) * (5 - 3) + cosine(1) * (3 - 4.5)) / cosines, 3.0575, 0.0005);
}

TEST(ItemKnn, APersonCountsWithTheLastEventsOnly) {
  std::vector<HistoryEvent> endless(kFitEventsMax + 5, event_of(1));
  endless.front().item = ItemIndex{0};
  endless.back().item = ItemIndex{2};
  const auto model = fit_on(fit_item_knn, ItemKnnOptions{}, make_histories({endless}, 1, 3));
  const HistoryEvent one = event_of(1);
  const auto scores = scores_of(*model, std::span(&one, 1), 3);
  EXPECT_EQ(scores[0], 0);
  EXPECT_GT(scores[2], 0);
}

TEST(ItemKnn, SaysHowManyNeighboursWouldFit) {
  ItemKnnOptions options;
  options.memory_limit_mb = 1;
  const Histories histories = testing::full_histories(2, 250);
  const Error error = testing::error_of(fit_item_knn, options, histories);
  EXPECT_EQ(error.code, Code::kExhausted);
  EXPECT_NE(error.message.find("or set neighbours = 100"), std::string::npos) << error.message;
  options.neighbours = 100;
  fit_on(fit_item_knn, options, histories);
}

}  // namespace
}  // namespace vitrine

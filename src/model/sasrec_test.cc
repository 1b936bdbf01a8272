#include "model/sasrec.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/bert4rec.h"
#include "model/model_testing.h"
#include "model/sequence_model.h"

namespace vitrine {
namespace {

using testing::error_of;
using testing::event_of;
using testing::fit_on;
using testing::make_histories;
using testing::scores_of;

constexpr std::uint32_t kItems = 20;

std::vector<HistoryEvent> walk(std::uint32_t from, std::uint32_t step, std::uint32_t length) {
  std::vector<HistoryEvent> row;
  for (std::uint32_t e = 0; e < length; ++e) row.push_back(event_of((from + e * step) % kItems));
  return row;
}

template <class Options>
Options small() {
  Options options;
  options.factors = 16;
  options.epochs = 120;
  options.batch = 16;
  options.dropout = 0.1;
  options.learning_rate = 5e-3;
  options.schedule = "linear";  // so that it ends where it was going
  return options;
}

std::uint32_t best_of(const Model& model, std::span<const HistoryEvent> history,
                      std::uint32_t items = kItems) {
  Query query;
  query.history = history;
  const std::vector<float> scores = scores_of(model, query, items);
  return static_cast<std::uint32_t>(std::max_element(scores.begin(), scores.end()) -
                                    scores.begin());
}

// Everybody walks over the items, half of them by ones and half by threes: what comes next hangs on
// the last two items, and on their order.
Histories walkers() {
  std::vector<std::vector<HistoryEvent>> rows;
  for (std::uint32_t p = 0; p < 80; ++p) rows.push_back(walk(p / 2 * 7, p % 2 == 0 ? 1 : 3, 8));
  return make_histories(rows, 80, kItems);
}

template <class Fit, class Options>
int right_answers(Fit fit, const Options& options) {
  const auto model = fit_on(fit, options, walkers());
  int right = 0;
  for (std::uint32_t from = 0; from < kItems; ++from) {
    for (const std::uint32_t step : {1u, 3u}) {
      const auto history = walk(from, step, 5);
      right += best_of(*model, history) == (from + 5 * step) % kItems;
    }
  }
  return right;  // of 40
}

TEST(Sasrec, LearnsWhatComesNext) {
  EXPECT_GE(right_answers(&fit_sasrec, small<SasrecOptions>()), 38);
  SasrecOptions gated = small<SasrecOptions>();
  gated.gated = gated.distance_bias = true;
  gated.heads = 2;
  EXPECT_GE(right_answers(&fit_sasrec, gated), 38);
  SasrecOptions cosine = small<SasrecOptions>();
  cosine.cosine = true;
  cosine.temperature = 0.1;
  EXPECT_GE(right_answers(&fit_sasrec, cosine), 38);
  SasrecOptions sampled = small<SasrecOptions>();
  sampled.negatives = 8;
  sampled.log_q = true;
  sampled.negative_exponent = 0.5;
  sampled.epochs = 200;
  EXPECT_GE(right_answers(&fit_sasrec, sampled), 38);
}

TEST(Bert4rec, LearnsWhatComesNext) {
  Bert4recOptions options = small<Bert4recOptions>();
  options.factors = 32;
  options.epochs = 400;
  options.hidden_share = 0.5;
  EXPECT_GE(right_answers(&fit_bert4rec, options), 36);
}

TEST(Sasrec, GbceAndBprMaxLearnToo) {
  for (const char* loss : {"gbce", "bpr_max"}) {
    SasrecOptions options = small<SasrecOptions>();
    options.loss = loss;
    options.loss_beta = 0.5;
    options.schedule = "constant";  // gbce comes off the ground late
    options.epochs = 300;
    EXPECT_GE(right_answers(&fit_sasrec, options), 36) << loss;
  }
}

// After item 0 and item 1 comes 2 where a second lay between them and 3 where a day did.
TEST(Sasrec, TimeBetweenEventsTells) {
  std::vector<std::vector<HistoryEvent>> rows;
  const auto pair = [](Timestamp apart) {
    std::vector<HistoryEvent> row{event_of(0), event_of(1)};
    row[0].time = kDay;
    row[1].time = kDay + apart;
    return row;
  };
  for (int p = 0; p < 60; ++p) {
    rows.push_back(pair(p % 2 == 0 ? kSecond : kDay));
    rows.back().push_back(event_of(p % 2 == 0 ? 2 : 3));
    rows.back().back().time = 10 * kDay;
  }
  SasrecOptions options = small<SasrecOptions>();
  options.time_bias = true;
  const auto model = fit_on(&fit_sasrec, options, make_histories(rows, 60, 4));
  EXPECT_EQ(best_of(*model, pair(kSecond), 4), 2u);
  EXPECT_EQ(best_of(*model, pair(kDay), 4), 3u);
}

TEST(Sasrec, TypesAndValuesTell) {
  for (const bool by_type : {true, false}) {
    const auto first = [&](bool odd) {
      HistoryEvent event = event_of(0);
      if (by_type) event.type = odd ? EventType::kPurchase : EventType::kView;
      if (!by_type) event.value = odd ? 5 : 0.5f;
      return event;
    };
    std::vector<std::vector<HistoryEvent>> rows;
    for (int p = 0; p < 60; ++p) rows.push_back({first(p % 2 == 1), event_of(p % 2 == 1 ? 2 : 1)});
    SasrecOptions options = small<SasrecOptions>();
    options.event_types = by_type;
    options.event_values = !by_type;
    const auto model = fit_on(&fit_sasrec, options, make_histories(rows, 60, 3));
    const HistoryEvent odd = first(true), even = first(false);
    EXPECT_EQ(best_of(*model, {&odd, 1}, 3), 2u);
    EXPECT_EQ(best_of(*model, {&even, 1}, 3), 1u);
  }
}

// A prediction weighs what its event weighs: the rare but heavy successor wins.
TEST(Sasrec, EventsWeighWhatTheyWeigh) {
  std::vector<std::vector<HistoryEvent>> rows;
  for (int p = 0; p < 40; ++p)
    rows.push_back({event_of(0), p % 4 == 0 ? event_of(1, 20) : event_of(2, 1)});
  const auto model = fit_on(&fit_sasrec, small<SasrecOptions>(), make_histories(rows, 40, 3));
  const HistoryEvent zero = event_of(0);
  EXPECT_EQ(best_of(*model, {&zero, 1}, 3), 1u);
}

TEST(Sasrec, LongHistoriesAnswerByTheirLatestEvents) {
  SasrecOptions options = small<SasrecOptions>();
  options.length = 6;
  options.epochs = 3;
  const auto model = fit_on(&fit_sasrec, options, walkers());
  const std::vector<HistoryEvent> endless = walk(0, 1, 10'000);
  Query all, latest, mixed;
  all.history = endless;
  latest.history = std::span(endless).last(6);
  EXPECT_EQ(scores_of(*model, all, kItems), scores_of(*model, latest, kItems));
  std::vector<HistoryEvent> noisy(endless.end() - 6, endless.end());
  noisy.insert(noisy.begin() + 3, event_of(1000));  // unknown
  noisy.insert(noisy.begin() + 5, event_of(1, 0));  // of no weight
  mixed.history = noisy;
  EXPECT_EQ(scores_of(*model, mixed, kItems), scores_of(*model, latest, kItems));
}

TEST(Sasrec, HistoriesAllAtOneMomentAreLearned) {
  std::vector<std::vector<HistoryEvent>> rows;
  for (std::uint32_t p = 0; p < 80; ++p) {
    rows.push_back(walk(p * 7, 1, 8));
    for (HistoryEvent& event : rows.back()) event.time = 5 * kDay;
  }
  SasrecOptions options = small<SasrecOptions>();
  options.time_bias = true;
  const auto model = fit_on(&fit_sasrec, options, make_histories(rows, 80, kItems));
  auto history = walk(3, 1, 5);
  for (HistoryEvent& event : history) event.time = 5 * kDay;
  EXPECT_EQ(best_of(*model, history), 8u);
}

TEST(Sasrec, SaysWhatCannotBe) {
  SasrecOptions heads = small<SasrecOptions>();
  heads.heads = 3;
  EXPECT_EQ(error_of(&fit_sasrec, heads, walkers()).message,
            "sasrec: heads = 3 do not divide factors = 16");
  SasrecOptions large = small<SasrecOptions>();
  large.factors = 1024;
  large.memory_limit_mb = 10;
  const Error error = error_of(&fit_sasrec, large, walkers());
  EXPECT_EQ(error.code, Code::kExhausted);
  EXPECT_NE(error.message.find("factors"), std::string::npos) << error.message;
  SasrecOptions wild = small<SasrecOptions>();
  wild.learning_rate = 1;
  wild.clip = 0;
  wild.temperature = 0.01;
  wild.epochs = 300;
  // Diverges or not: never a model that is not finite.
  const testing::QuietRun run;
  const Catalogue catalogue;
  const Histories histories = walkers();
  const Interactions interactions = build_interactions(histories, {});
  const auto model = fit_sasrec(run, wild, {histories, interactions, catalogue});
  if (!model.ok()) {
    EXPECT_EQ(model.error().code, Code::kInvalid) << model.error().message;
  }
}

}  // namespace
}  // namespace vitrine

#include "model/mult_vae.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/model_testing.h"
#include "model/rec_vae.h"
#include "model/vae_model.h"
#include "tests/memory_files.h"

namespace vitrine {
namespace {

using testing::error_of;
using testing::event_of;
using testing::fit_on;
using testing::make_histories;
using testing::scores_of;

constexpr std::uint32_t kItems = 24;

// Everybody has a taste: items of one of four groups of six.
Histories tastes() {
  std::vector<std::vector<HistoryEvent>> rows;
  for (std::uint32_t p = 0; p < 120; ++p) {
    std::vector<HistoryEvent> row;
    for (std::uint32_t e = 0; e < 4; ++e) row.push_back(event_of(p % 4 + 4 * ((p / 4 + e) % 6)));
    rows.push_back(row);
  }
  return make_histories(rows, 120, kItems);
}

template <class Options>
Options small() {
  Options options;
  options.factors = 8;
  options.hidden = 16;
  options.batch = 20;
  options.epochs = 80;
  options.learning_rate = 0.01;
  return options;
}

// Of two items of a taste: do its four others stand above all of other tastes?
template <class Fit, class Options>
int right_tastes(Fit fit, const Options& options) {
  const auto model = fit_on(fit, options, tastes());
  int right = 0;
  for (std::uint32_t taste = 0; taste < 4; ++taste) {
    const std::vector<HistoryEvent> history{event_of(taste), event_of(taste + 8)};
    Query query;
    query.history = history;
    const std::vector<float> scores = scores_of(*model, query, kItems);
    float worst = INFINITY, best = -INFINITY;
    for (std::uint32_t i = 0; i < kItems; ++i) {
      if (i % 4 == taste)
        worst = std::min(worst, scores[i]);
      else
        best = std::max(best, scores[i]);
    }
    right += worst > best;
  }
  return right;
}

TEST(MultVae, LearnsTastes) {
  EXPECT_EQ(right_tastes(&fit_mult_vae, small<MultVaeOptions>()), 4);
  MultVaeOptions deep = small<MultVaeOptions>();
  deep.decoder_hidden = 12;
  EXPECT_EQ(right_tastes(&fit_mult_vae, deep), 4);
  MultVaeOptions plain = small<MultVaeOptions>();
  plain.variational = false;
  EXPECT_EQ(right_tastes(&fit_mult_vae, plain), 4);
  MultVaeOptions sampled = small<MultVaeOptions>();
  sampled.negatives = 6;
  sampled.batch = 3;
  EXPECT_EQ(right_tastes(&fit_mult_vae, sampled), 4);
}

TEST(RecVae, LearnsTastes) {
  RecVaeOptions options = small<RecVaeOptions>();
  options.layers = 2;
  EXPECT_EQ(right_tastes(&fit_rec_vae, options), 4);
}

// The answer of a fitted Mult-VAE, from its archive, by the equations of the header in double.
TEST(MultVae, AnswersByItsEquations) {
  MultVaeOptions options = small<MultVaeOptions>();
  options.epochs = 3;
  options.decoder_hidden = 12;
  const auto model = fit_on(&fit_mult_vae, options, tastes());
  MemoryFiles files;
  ArchiveWriter writer(files, "model", "model");
  model->save(writer);
  ASSERT_TRUE(writer.finish().ok());
  const auto reader = ArchiveReader::open(files, "model", "model");
  ASSERT_TRUE(reader.ok());
  const auto matrix = [&](const char* name) {
    return (*reader)->tensor<float>(std::string("network/") + name).value();
  };
  const auto input = matrix("input"), input_bias = matrix("input_bias");
  const auto weight = matrix("latent_weight"), bias = matrix("latent_bias");
  const auto decoder = matrix("decoder_weight"), decoder_bias = matrix("decoder_bias");
  const auto items = matrix("items");

  const std::vector<HistoryEvent> history{event_of(3), event_of(5), event_of(3), event_of(20)};
  std::vector<double> hidden(16), latent(8), row(12);
  for (std::size_t h = 0; h < 16; ++h) {
    for (const std::size_t i : {3u, 5u, 20u})
      hidden[h] += double{input[i * 16 + h]} / std::sqrt(3.0);
    hidden[h] = std::tanh(hidden[h] + double{input_bias[h]});
  }
  for (std::size_t z = 0; z < 8; ++z) {
    latent[z] = double{bias[z]};
    for (std::size_t h = 0; h < 16; ++h) latent[z] += hidden[h] * double{weight[h * 16 + z]};
  }
  for (std::size_t r = 0; r < 12; ++r) {
    row[r] = double{decoder_bias[r]};
    for (std::size_t z = 0; z < 8; ++z) row[r] += latent[z] * double{decoder[z * 12 + r]};
    row[r] = std::tanh(row[r]);
  }
  Query query;
  query.history = history;
  const std::vector<float> scores = scores_of(*model, query, kItems);
  for (std::size_t i = 0; i < kItems; ++i) {
    double score = double{items[i * 13 + 12]};
    for (std::size_t r = 0; r < 12; ++r) score += row[r] * double{items[i * 13 + r]};
    EXPECT_NEAR(double{scores[i]}, score, 1e-5) << i;
  }
}

// With every item drawn or own, the weighed sample is the whole; without, its sum is right on
// average.
TEST(VaeSample, EstimatesTheSumOverAllItems) {
  std::vector<std::uint32_t> all(kItems);
  for (std::uint32_t i = 0; i < kItems; ++i) all[i] = i;
  const KnownItems known(all, kItems);
  const Histories histories = tastes();
  const std::vector<std::uint32_t> persons{0, 4};
  double sum = 0;
  constexpr int kDraws = 4000;
  for (int d = 0; d < kDraws; ++d) {
    VaeSample sample(known, 5);
    sample.draw(histories, persons, Random(static_cast<std::uint64_t>(d)));
    for (std::size_t p = 0; p < sample.items().size(); ++p)
      sum += (1.0 + sample.items()[p]) * std::exp(-double{sample.log_q()[p]});
    EXPECT_TRUE(std::find(sample.items().begin(), sample.items().end(), 0u) !=
                sample.items().end());
  }
  EXPECT_NEAR(sum / kDraws, kItems * (kItems + 1) / 2.0, 3);
  VaeSample whole(known, 0);
  whole.draw(histories, persons, Random(1));
  EXPECT_EQ(whole.items().size(), kItems);
  EXPECT_TRUE(whole.log_q().empty());
}

TEST(MultVae, SaysWhatDoesNotFit) {
  MultVaeOptions options = small<MultVaeOptions>();
  options.factors = 1024;
  options.hidden = 4096;
  options.memory_limit_mb = 10;
  const Error error = error_of(&fit_mult_vae, options, tastes());
  EXPECT_EQ(error.code, Code::kExhausted) << error.message;
}

}  // namespace
}  // namespace vitrine

#include "model/als.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "model/ease.h"
#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::fit_on;
using testing::near;
using testing::scores_of;
using Square = std::vector<std::vector<double>>;

std::unique_ptr<const Model> fitted(const AlsOptions& options, const Histories& histories,
                                    const InteractionOptions& merge = {}) {
  const auto fit = [](const Run& run, const AlsOptions& o, const TrainingSet& set) {
    return fit_als(run, o, set, nullptr);
  };
  return fit_on(fit, options, histories, merge);
}

// Brute-force alternating least squares on a dense matrix, in double: the slow, obvious version.
class SlowAls {
 public:
  SlowAls(const Interactions& x, const AlsOptions& options, const Square& start)
      : options_(options), weights_(x.by_row.rows(), std::vector<double>(x.items)), items_(start) {
    for (std::size_t r = 0; r < weights_.size(); ++r) {
      for (std::size_t c = 0; c < x.by_row.row(r).size(); ++c)
        weights_[r][x.by_row.row(r)[c]] = double{x.by_row.row_weights(r)[c]};
    }
    double sum = 0;
    for (std::size_t i = 0; i < x.items; ++i) {
      const auto n = static_cast<double>(x.by_item.row(i).size());
      if (n == 0) continue;
      for (auto& row : weights_) row[i] *= std::pow(n, -options.item_exponent);
      sum += n * std::pow(n, -options.item_exponent);
    }
    for (auto& row : weights_) {
      for (double& w : row) w *= static_cast<double>(x.by_row.columns.size()) / sum;
    }
    persons_.assign(weights_.size(), std::vector<double>(start[0].size()));
  }
  void epoch() {
    for (std::size_t r = 0; r < persons_.size(); ++r) persons_[r] = solved(weights_[r], items_);
    for (std::size_t i = 0; i < items_.size(); ++i) {
      std::vector<double> column;
      for (const auto& row : weights_) column.push_back(row[i]);
      items_[i] = solved(column, persons_);
    }
  }
  void solve_persons() {
    for (std::size_t r = 0; r < persons_.size(); ++r) persons_[r] = solved(weights_[r], items_);
  }
  double score(std::size_t r, std::size_t i) const {
    double sum = 0;
    for (std::size_t k = 0; k < items_[i].size(); ++k) sum += persons_[r][k] * items_[i][k];
    return sum;
  }

 private:
  static bool empty(std::span<const double> v) {
    return std::ranges::all_of(v, [](double x) { return x == 0; });
  }
  std::vector<double> solved(const std::vector<double>& weights, const Square& fixed) const {
    const std::size_t width = fixed[0].size();
    std::vector<double> b(width);
    if (empty(weights)) return b;
    Square a(width, std::vector<double>(width));
    double mass = 0;
    for (std::size_t i = 0; i < fixed.size(); ++i) {
      const double w = weights[i] + options_.unobserved_weight;
      mass += weights[i] + (empty(fixed[i]) ? 0 : options_.unobserved_weight);
      for (std::size_t k = 0; k < width; ++k) {
        b[k] += weights[i] * fixed[i][k];
        for (std::size_t l = 0; l < width; ++l) a[k][l] += w * fixed[i][k] * fixed[i][l];
      }
    }
    const double ridge = options_.regularization * std::pow(mass, options_.exponent);
    for (std::size_t k = 0; k < width; ++k) a[k][k] += ridge;
    for (std::size_t k = 0; k < width; ++k) {
      for (std::size_t i = k + 1; i < width; ++i) {
        const double factor = a[i][k] / a[k][k];
        for (std::size_t l = k; l < width; ++l) a[i][l] -= factor * a[k][l];
        b[i] -= factor * b[k];
      }
    }
    for (std::size_t k = width; k-- > 0;) {
      for (std::size_t l = k + 1; l < width; ++l) b[k] -= a[k][l] * b[l];
      b[k] /= a[k][k];
    }
    return b;
  }

  AlsOptions options_;
  Square weights_, items_, persons_;
};

Square vectors_of(const Model& model) {
  const auto vectors = dynamic_cast<const FactorModel<AlsOptions>&>(model).factors().vectors();
  Square rows;
  for (std::int64_t i = 0; i < vectors.rows; ++i)
    rows.emplace_back(vectors.row(i).begin(), vectors.row(i).end());
  return rows;
}

// Two epochs more of the brute force, from where one epoch of ours left, are three of ours.
TEST(Als, IsAlternatingLeastSquares) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    InteractionOptions merge;
    merge.binary = *rc::gen::arbitrary<bool>();
    merge.merge = "max";
    AlsOptions options;
    options.factors = *rc::gen::element(2, 5, 20);
    options.unobserved_weight = *rc::gen::element(0.0, 0.1, 0.5);
    options.regularization = *rc::gen::element(0.02, 0.3);
    options.exponent = *rc::gen::element(0.0, 0.5, 1.0);
    options.item_exponent = *rc::gen::element(0.0, 0.7);
    options.epochs = 1;
    const Interactions interactions = build_interactions(histories, merge);
    if (interactions.by_row.columns.empty()) return;
    SlowAls slow(interactions, options, vectors_of(*fitted(options, histories, merge)));
    slow.epoch();
    slow.epoch();
    slow.solve_persons();
    options.epochs = 3;
    const auto model = fitted(options, histories, merge);
    for (std::size_t r = 0; r < histories.rows(); ++r) {
      const auto scores = scores_of(*model, histories.row(r), 8);
      for (std::size_t i = 0; i < 8; ++i) RC_ASSERT(near(scores[i], slow.score(r, i), 2e-3));
    }
  }));
}

// Persons of a taste take items of that taste: a matrix of rank `tastes`, with noise.
Histories planted(std::uint32_t persons, std::uint32_t items, std::uint32_t tastes,
                  double inside = 0.6, double outside = 0.02) {
  const Random random(4);
  std::vector<std::vector<HistoryEvent>> rows(persons);
  std::uint64_t draw = 0;
  for (std::uint32_t p = 0; p < persons; ++p) {
    for (std::uint32_t i = 0; i < items; ++i) {
      const double chance = i % tastes == p % tastes ? inside : outside;
      if (random.uniform(draw++) < chance) rows[p].push_back(event_of(i));
    }
  }
  return testing::make_histories(rows, persons, items);
}

double loss(const Model& model, const Interactions& x, const AlsOptions& o) {
  // With persons at their best, x = D^-1 ..., the loss is what fitting lowers.
  const auto& factors = dynamic_cast<const FactorModel<AlsOptions>&>(model).factors();
  double sum = 0;
  const auto squared = [](std::span<const float> v) {
    double s = 0;
    for (const float value : v) s += double{value} * double{value};
    return s;
  };
  for (std::uint32_t i = 0; i < x.items; ++i) {
    const double mass = static_cast<double>(x.by_item.row(i).size()) +
                        o.unobserved_weight * static_cast<double>(x.by_row.rows());
    sum += o.regularization * std::pow(mass, o.exponent) * squared(factors.vectors().row(i));
  }
  for (std::size_t r = 0; r < x.by_row.rows(); ++r) {
    std::vector<HistoryEvent> history;
    for (const std::uint32_t item : x.by_row.row(r)) history.push_back(event_of(item));
    Query query;
    query.history = history;
    const double mass = static_cast<double>(history.size()) + o.unobserved_weight * x.items;
    sum += o.regularization * std::pow(mass, o.exponent) * squared(factors.query_vector(query));
    const auto scores = scores_of(model, query, x.items);
    for (const float s : scores) sum += o.unobserved_weight * double{s} * double{s};
    for (const std::uint32_t item : x.by_row.row(r)) sum += std::pow(1 - double{scores[item]}, 2);
  }
  return sum;
}

TEST(Als, NoEpochRaisesTheLoss) {
  const Histories histories = planted(90, 40, 5);
  const Interactions interactions = build_interactions(histories, {});
  for (const char* solver : {"exact", "block", "cg"}) {
    AlsOptions options;
    options.item_exponent = 0;
    options.solver = solver;
    options.factors = 24;
    options.block = 16;
    double before = 1e30;
    for (options.epochs = 1; options.epochs <= 12; ++options.epochs) {
      const double now = loss(*fitted(options, histories), interactions, options);
      EXPECT_LE(now, before * (1 + 1e-5)) << solver << " after epoch " << options.epochs;
      before = now;
    }
  }
}

// A matrix of ones in four blocks, of which a fifth is hidden: the hidden ones come back.
TEST(Als, RecoversAPlantedLowRankMatrix) {
  constexpr std::uint32_t kTastes = 4;
  const Histories histories = planted(120, 60, kTastes, 0.8, 0);
  for (const char* solver : {"exact", "block", "cg"}) {
    AlsOptions options;
    options.solver = solver;
    options.factors = kTastes;
    options.item_exponent = 0;
    options.epochs = 20;
    const auto model = fitted(options, histories);
    for (std::size_t r = 0; r < histories.rows(); ++r) {
      const auto scores = scores_of(*model, histories.row(r), 60);
      for (std::uint32_t i = 0; i < 60; ++i) {
        // (chance) / (chance + a0), shrunk a little
        EXPECT_NEAR(scores[i], i % kTastes == r % kTastes ? 0.86 : 0, 0.12) << solver;
      }
    }
  }
}

TEST(Als, SolversAgreeWhenTheyHaveConverged) {
  const Histories histories = planted(80, 40, 4);
  AlsOptions options;
  options.factors = 20;
  options.block = 16;
  options.regularization = 0.05;
  options.epochs = 300;
  const auto exact = fitted(options, histories);
  for (const char* solver : {"block", "cg"}) {
    options.solver = solver;
    const auto other = fitted(options, histories);
    for (std::size_t r = 0; r < histories.rows(); r += 7) {
      const auto a = scores_of(*exact, histories.row(r), 40);
      const auto b = scores_of(*other, histories.row(r), 40);
      for (std::size_t i = 0; i < 40; ++i) EXPECT_NEAR(a[i], b[i], 5e-3) << solver;
    }
  }
}

TEST(Als, StartsFromThePreviousModel) {
  const Histories before = planted(80, 40, 4), after = planted(84, 44, 4);
  const Interactions interactions = build_interactions(after, {});
  const testing::QuietRun run;
  const Catalogue catalogue;
  const TrainingSet set{after, interactions, catalogue};
  AlsOptions options;
  options.item_exponent = 0;
  options.factors = 16;
  options.epochs = 30;
  const auto previous = fitted(options, before);
  options.epochs = 1;
  const auto cold = fit_als(run, options, set, nullptr);
  for (options.factors = 8; options.factors <= 32; options.factors += 8) {  // of any width
    const auto warm = fit_als(run, options, set, previous.get());
    ASSERT_TRUE(warm.ok());
    if (options.factors < 16) continue;
    EXPECT_LT(loss(**warm, interactions, options), loss(**cold, interactions, options));
  }
  const auto stranger = fit_on(fit_ease, EaseOptions{}, after);
  ASSERT_TRUE(fit_als(run, options, set, stranger.get()).ok());
}

TEST(Als, ALongEpochLooksAtTheMonitor) {
  AlsOptions options;
  options.factors = 1;
  options.epochs = 1;
  std::vector<std::vector<HistoryEvent>> rows(40'000);
  for (std::uint32_t u = 0; u < rows.size(); ++u) rows[u].push_back(event_of(u % 3));
  const Histories histories = testing::make_histories(rows, 40'000, 3);
  testing::CountingMonitor monitor;
  ThreadPool pool(2);
  const vitrine::Run run{Random(1), pool, monitor};
  const Interactions cells = build_interactions(histories, {});
  ASSERT_TRUE(fit_als(run, options, {histories, cells, {}}, nullptr).ok());
  EXPECT_GE(monitor.calls, 4);
}

TEST(Als, RefusesWhatDoesNotFitWithTheNumberAndTheRemedy) {
  const Histories histories = planted(3000, 4000, 40);
  const Interactions interactions = build_interactions(histories, {});
  const testing::QuietRun run;
  AlsOptions options;
  options.factors = 1024;
  options.memory_limit_mb = 40;
  const auto model =
      fit_als(run, options, TrainingSet{histories, interactions, Catalogue()}, nullptr);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, Code::kExhausted);
  EXPECT_THAT(model.error().message, ::testing::HasSubstr("memory_limit_mb or set factors = "));
  options.block = 17;
  EXPECT_EQ(fit_als(run, options, TrainingSet{histories, interactions, Catalogue()}, nullptr)
                .error()
                .code,
            Code::kInvalid);
}

}  // namespace
}  // namespace vitrine

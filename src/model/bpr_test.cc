#include "model/bpr.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "model/bpr_sgd.h"
#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::fit_on;
using testing::list_of;

double softplus(double x) { return std::log1p(std::exp(x)); }

// One user and two items of 16 columns.
struct Rows {
  std::vector<float> user = std::vector<float>(16), taken = user, other = user;
  float taken_bias = 0, other_bias = 0;

  static Rows arbitrary() {
    Rows rows;
    for (auto* vector : {&rows.user, &rows.taken, &rows.other}) {
      for (float& v : *vector) v = static_cast<float>(*rc::gen::inRange(-10, 11)) / 10;
    }
    rows.taken_bias = static_cast<float>(*rc::gen::inRange(-10, 11)) / 10;
    rows.other_bias = static_cast<float>(*rc::gen::inRange(-10, 11)) / 10;
    return rows;
  }
  double score(bool of_taken) const {
    double sum = double{of_taken ? taken_bias : other_bias};
    for (std::size_t k = 0; k < user.size(); ++k)
      sum += double{user[k]} * (of_taken ? taken : other)[k];
    return sum;
  }
  std::vector<float*> numbers() {
    std::vector<float*> all;
    for (auto* vector : {&user, &taken, &other}) {
      for (float& v : *vector) all.push_back(&v);
    }
    all.push_back(&taken_bias);
    all.push_back(&other_bias);
    return all;
  }
};

// What a step does is, to first order, its rate times the gradient by finite differences.
template <class Loss, class Step>
void step_is_down_the_gradient(Rows rows, bool with_other, Loss loss, Step step) {
  constexpr float kRate = 1e-3f, kL2 = 0.5f;
  Rows after = rows;
  step(after, BprStep{kRate, kL2});
  const auto before = rows.numbers(), moved = after.numbers();
  for (std::size_t n = 0; n < before.size(); ++n) {
    const float value = *before[n];
    *before[n] = value + 0x1p-10f;
    const double up = loss(rows);
    *before[n] = value - 0x1p-10f;
    const double down = loss(rows);
    *before[n] = value;
    const bool still = !with_other && ((n >= 32 && n < 48) || n == 49);
    const double gradient = (up - down) * 512 + (still ? 0 : double{kL2} * value);
    RC_ASSERT(std::abs(double{*moved[n]} - value + kRate * gradient) < 2e-6);
  }
}

TEST(BprStep, PairwiseIsDownTheGradient) {
  EXPECT_TRUE(rc::check([] {
    step_is_down_the_gradient(
        Rows::arbitrary(), true,
        [](const Rows& r) { return softplus(-(r.score(true) - r.score(false))); },
        [](Rows& r, const BprStep& step) {
          bpr_pairwise_step(step, 16, r.user.data(), {r.taken.data(), &r.taken_bias},
                            {r.other.data(), &r.other_bias});
        });
  }));
}

TEST(BprStep, PointwiseIsDownTheGradient) {
  EXPECT_TRUE(rc::check([] {
    const bool taken = *rc::gen::arbitrary<bool>();
    const float offset = -1.5f;
    step_is_down_the_gradient(
        Rows::arbitrary(), false,
        [&](const Rows& r) {
          const double x = r.score(true) + offset;
          return softplus(taken ? -x : x);
        },
        [&](Rows& r, const BprStep& step) {
          bpr_pointwise_step(step, 16, offset, taken, r.user.data(),
                             {r.taken.data(), &r.taken_bias});
        });
  }));
}

// An epoch as it is meant: block after block, in the order of the rounds, on one thread.
class SlowTrainer {
 public:
  SlowTrainer(const Run& run, const BprOptions& options, const SparseRows& cells,
              std::span<const std::uint32_t> counts)
      : random_(run.random), options_(options), cells_(cells), counts_(counts) {
    const auto fill = [&](const char* name, std::size_t rows) {
      std::vector<std::vector<float>> vectors(rows);
      const auto factors = static_cast<std::size_t>(options.factors);
      for (std::size_t r = 0; r < rows; ++r) {
        vectors[r].resize((factors + 15) / 16 * 16);
        for (std::size_t k = 0; k < factors; ++k) {
          vectors[r][k] = 0.1f * static_cast<float>(random_.fork(name).normal(r * factors + k));
        }
      }
      return vectors;
    };
    users = fill("bpr/users", cells.rows());
    items = fill("bpr/items", counts.size());
    biases.resize(counts.size());
  }

  void epoch(int number) {
    const Random random = random_.fork("bpr/epochs").fork(static_cast<std::uint64_t>(number));
    const float left = 1 - static_cast<float>(number) / static_cast<float>(options_.epochs);
    const BprStep step{options_.learning_rate * left, options_.regularization};
    for (std::uint32_t round = 0; round < kBprStrips; ++round) {
      for (std::uint32_t us = 0; us < kBprStrips; ++us) {
        const std::uint32_t is = (us + round) % kBprStrips;
        block(step, random.fork("strips"), random.fork(us * kBprStrips + is), us, is);
      }
    }
  }

  std::vector<std::vector<float>> users, items;
  std::vector<float> biases;

 private:
  void block(const BprStep& step, const Random& strips, const Random& random, std::uint32_t us,
             std::uint32_t is) {
    std::vector<std::uint32_t> pool;  // every item of the strip, as often as it may be drawn
    for (std::uint32_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] == 0 || strips.below(i, kBprStrips) != is) continue;
      const double copies = std::pow(counts_[i], options_.negative_exponent);
      pool.insert(pool.end(), static_cast<std::size_t>(std::lround(copies)), i);
    }
    std::vector<std::pair<std::uint32_t, std::uint32_t>> cells;
    for (std::uint32_t u = us; u < cells_.rows(); u += kBprStrips) {
      for (const std::uint32_t i : cells_.row(u)) {
        if (strips.below(i, kBprStrips) == is) cells.emplace_back(u, i);
      }
    }
    shuffle(cells, random.fork("order"));
    const auto each = static_cast<std::uint64_t>(options_.negatives);
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const auto [u, i] = cells[c];
      const BprItem taken{items[i].data(), &biases[i]};
      const auto width = static_cast<std::int64_t>(items[i].size());
      const float offset = -std::log(static_cast<float>(options_.negatives));
      if (options_.loss == "pointwise") {
        bpr_pointwise_step(step, width, offset, true, users[u].data(), taken);
      }
      std::vector<std::uint32_t> others;
      for (std::uint64_t n = 0; n < each; ++n) {
        const std::uint64_t draw = c * each + n;
        const std::uint64_t bits = random.fork("negatives").bits(draw / 2) >> (draw % 2 * 32);
        const std::uint32_t j = pool[(bits & 0xffff'ffff) * pool.size() >> 32];
        const auto row = cells_.row(u);
        if (std::count(row.begin(), row.end(), j) == 0) others.push_back(j);
      }
      const auto score = [&, user = u](std::uint32_t j) {
        return kernels().dot(users[user].data(), items[j].data(), width) + biases[j];
      };
      if (options_.loss == "hardest" && !others.empty()) {
        others = {*std::max_element(others.begin(), others.end(),
                                    [&](auto a, auto b) { return score(a) < score(b); })};
      }
      for (const std::uint32_t j : others) {
        const BprItem other{items[j].data(), &biases[j]};
        if (options_.loss == "pointwise")
          bpr_pointwise_step(step, width, offset, false, users[u].data(), other);
        else
          bpr_pairwise_step(step, width, users[u].data(), taken, other);
      }
    }
  }

  const Random random_;
  const BprOptions& options_;
  const SparseRows& cells_;
  std::span<const std::uint32_t> counts_;
};

TEST(BprTrainer, AnyNumberOfThreadsIsTheSlowTrainerToTheBit) {
  EXPECT_TRUE(rc::check([] {
    const auto persons = *rc::gen::inRange<std::uint32_t>(1, 60);
    std::vector<std::vector<HistoryEvent>> rows(persons);
    for (auto& row : rows) {
      row.resize(*rc::gen::inRange<std::size_t>(0, 12));
      for (HistoryEvent& event : row) event.item = ItemIndex{*rc::gen::inRange(0u, 50u)};
    }
    const Histories histories = testing::make_histories(rows, persons, 50);
    const Interactions cells = build_interactions(histories, {});
    const auto counts = item_counts(histories);
    BprOptions options;
    options.factors = *rc::gen::inRange(1, 40);
    options.epochs = 3;
    options.negatives = *rc::gen::inRange(1, 4);
    options.negative_exponent = *rc::gen::element(0.0f, 0.75f, 1.0f);
    options.loss = *rc::gen::element<std::string>("pairwise", "hardest", "pointwise");
    const testing::QuietRun run(*rc::gen::inRange(1, 5));
    SlowTrainer slow(run, options, cells.by_row, counts);
    BprTrainer fast(run, options, cells.by_row, counts);
    for (int e = 0; e < options.epochs; ++e) {
      slow.epoch(e);
      fast.begin_epoch(e);
      for (int round = 0; round < static_cast<int>(kBprStrips); ++round) fast.round(round);
    }
    const auto same = [](MatrixView<const float> a, const std::vector<std::vector<float>>& b) {
      for (std::int64_t r = 0; r < a.rows; ++r) {
        const auto& row = b[static_cast<std::size_t>(r)];
        if (!std::equal(a.row(r).begin(), a.row(r).end(), row.begin())) return false;
      }
      return true;
    };
    RC_ASSERT(same(fast.users(), slow.users));
    RC_ASSERT(same(fast.items(), slow.items));
    RC_ASSERT(std::equal(slow.biases.begin(), slow.biases.end(), fast.biases().begin()));
  }));
}

// Two circles of taste; a person has half of one. The other half comes first, with a row or folded
// in, by either loss.
TEST(Bpr, ListsTheRestOfATaste) {
  std::vector<std::vector<HistoryEvent>> rows(80);
  const Random random(5);
  for (std::uint32_t u = 0; u < rows.size(); ++u) {
    for (std::uint32_t i = 0; i < 20; ++i) {
      if (random.uniform(u * 20 + i) < 0.5) rows[u].push_back(event_of(i * 2 + u % 2));
    }
  }
  const Histories histories = testing::make_histories(rows, 80, 40);
  for (const char* loss : {"pairwise", "hardest", "pointwise"}) {
    BprOptions options;
    options.loss = loss;
    const auto model = fit_on(fit_bpr, options, histories);
    for (const bool known : {true, false}) {
      std::size_t own = 0, listed = 0;
      for (std::uint32_t u = 0; u < rows.size(); ++u) {
        Query query;
        query.history = histories.row(u);
        query.user = known ? histories.user(u) : std::nullopt;
        for (const Candidate& c : list_of(*model, query, 20)) {
          own += raw(c.item) % 2 == u % 2;
          ++listed;
        }
      }
      EXPECT_GE(listed, 20 * (rows.size() - 2));
      EXPECT_GE(static_cast<double>(own), 0.9 * static_cast<double>(listed)) << loss << known;
    }
  }
}

// Also where the interactions are weighted.
TEST(Bpr, AnInteractionCountsOnceWhateverItsWeight) {
  const Histories histories = testing::make_histories(
      {{event_of(0, 3), event_of(1)}, {event_of(1, 2), event_of(2)}, {event_of(0), event_of(2)}}, 0,
      3);
  InteractionOptions merge;
  merge.binary = false;
  const auto model = testing::fit_on(fit_bpr, BprOptions{}, histories, merge);
  const std::vector<HistoryEvent> light{event_of(0), event_of(1)},
      heavy{event_of(0, 5), event_of(1)};
  EXPECT_EQ(testing::scores_of(*model, light, 3), testing::scores_of(*model, heavy, 3));
}

TEST(Bpr, SaysHowManyFactorsWouldFit) {
  BprOptions options;
  options.memory_limit_mb = 4;
  const testing::QuietRun run;
  const Histories histories = testing::make_histories({{event_of(0)}}, 1, 10'000);
  const Interactions cells = build_interactions(histories, {});
  const auto model = fit_bpr(run, options, {histories, cells, {}});
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, Code::kExhausted);
  EXPECT_NE(model.error().message.find("factors = 15"), std::string::npos) << model.error().message;
}

TEST(Bpr, ALongEpochLooksAtTheMonitor) {
  BprOptions options;
  options.factors = 1;
  options.epochs = 1;
  options.negatives = 100;
  std::vector<std::vector<HistoryEvent>> rows(2000);
  for (std::uint32_t u = 0; u < rows.size(); ++u) {
    for (std::uint32_t n = 0; n < 20; ++n) rows[u].push_back(event_of((u * 7 + n * 3) % 100));
  }
  const Histories histories = testing::make_histories(rows, 2000, 100);
  testing::CountingMonitor monitor;
  ThreadPool pool(2);
  const vitrine::Run run{Random(1), pool, monitor};
  const Interactions cells = build_interactions(histories, {});
  ASSERT_TRUE(fit_bpr(run, options, {histories, cells, {}}).ok());
  EXPECT_GE(monitor.calls, 4);
}

TEST(Bpr, ARateThatDivergesIsSaid) {
  BprOptions options;
  options.learning_rate = 10;
  options.regularization = 100;
  const testing::QuietRun run;
  std::vector<std::vector<HistoryEvent>> rows(40);
  for (std::uint32_t u = 0; u < rows.size(); ++u) {
    for (std::uint32_t n = 0; n < 20; ++n) rows[u].push_back(event_of((u * 7 + n * 3) % 100));
  }
  const Histories histories = testing::make_histories(rows, 40, 100);
  const Interactions cells = build_interactions(histories, {});
  const auto model = fit_bpr(run, options, {histories, cells, {}});
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, Code::kInvalid);
  EXPECT_NE(model.error().message.find("use a smaller learning_rate"), std::string::npos)
      << model.error().message;
}

}  // namespace
}  // namespace vitrine

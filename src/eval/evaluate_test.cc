#include "eval/evaluate.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>

#include "eval/metrics.h"

namespace vitrine {
namespace {

using Items = std::vector<ItemIndex>;

// A split over 60 items: each person has some items and some more come next, all from one
// counter-based stream. The recommender knows what is planted: `skill` of the truth is scored above
// everything else.
class PlantedShop {
 public:
  static constexpr std::uint32_t kItems = 60;

  explicit PlantedShop(std::size_t persons, bool repeats = false) : counts_(kItems) {
    const Random random(11);
    std::vector<std::uint64_t> offsets{0};
    std::vector<HistoryEvent> events;
    for (std::uint64_t p = 0; p < persons; ++p) {
      const Random person = random.fork(p);
      Items history = draw(person.fork("history"), 6), truth = draw(person.fork("truth"), 4);
      if (repeats && !history.empty()) truth.push_back(history.front());
      std::sort(truth.begin(), truth.end());
      truth.erase(std::unique(truth.begin(), truth.end()), truth.end());
      for (const ItemIndex i : history) events.push_back({.item = i});
      offsets.push_back(events.size());
      histories_.push_back(history);
      truths_.push_back(truth);
      for (const ItemIndex i : history) ++counts_[raw(i)];
    }
    const auto users = static_cast<std::uint32_t>(persons);
    split_.emplace(Histories(offsets, events, users, kItems), "planted");
    for (std::uint32_t p = 0; p < users; ++p) {
      split_->add_case(
          {.history = std::span(events).subspan(offsets[p], offsets[p + 1] - offsets[p]),
           .truth = truths_[p],
           .user = UserIndex{p}});
    }
  }

  const Split& split() const { return *split_; }
  std::span<const std::uint32_t> counts() const { return counts_; }
  const Items& history(std::size_t p) const { return histories_[p]; }
  const Items& truth(std::size_t p) const { return truths_[p]; }

  float score(std::size_t p, ItemIndex i, double skill) const {
    const Random draw = Random(23).fork(p);
    const bool hit = std::binary_search(truths_[p].begin(), truths_[p].end(), i);
    const double bonus = hit && draw.uniform(1000 + raw(i)) < skill ? 10 : 0;
    return static_cast<float>(bonus + std::floor(20 * draw.uniform(raw(i))) / 20);  // with ties
  }

  Recommender recommender(std::string name, double skill) const {
    const auto scores_of = [this, skill](const Query& query) {
      std::vector<Candidate> scored;
      for (std::uint32_t i = 0; i < kItems; ++i) {
        scored.push_back({ItemIndex{i}, score(raw(*query.user), ItemIndex{i}, skill)});
      }
      return scored;
    };
    Recommender r{.name = std::move(name), .recommend = {}, .score_all = {}};
    r.recommend = [scores_of](std::span<const Query> queries,
                              std::span<const std::span<const ItemIndex>> excluded, int n,
                              CandidateBlock& out) {
      out.reset(queries.size(), static_cast<std::size_t>(n));
      for (std::size_t q = 0; q < queries.size(); ++q) {
        std::vector<Candidate> scored = scores_of(queries[q]);
        std::erase_if(scored, [&](const Candidate& c) {
          return std::binary_search(excluded[q].begin(), excluded[q].end(), c.item);
        });
        std::sort(scored.begin(), scored.end(), better);
        scored.resize(std::min(scored.size(), static_cast<std::size_t>(n)));
        std::copy(scored.begin(), scored.end(), out.room(q).begin());
        out.set_count(q, scored.size());
      }
    };
    r.score_all = [scores_of](const Query& query, std::span<float> scores) {
      for (const Candidate& c : scores_of(query)) scores[raw(c.item)] = c.score;
    };
    return r;
  }

 private:
  static Items draw(const Random& random, std::uint64_t most) {
    Items out;
    const std::uint64_t n = random.below(0, most + 1);
    for (std::uint64_t t = 1; out.size() < n; ++t) {
      const auto u = random.uniform(t);
      const ItemIndex i{static_cast<std::uint32_t>(u * u * kItems)};
      if (std::find(out.begin(), out.end(), i) == out.end()) out.push_back(i);
    }
    return out;
  }

  std::vector<Items> histories_, truths_;
  std::vector<std::uint32_t> counts_;
  std::optional<Split> split_;
};

class NotingMonitor final : public Monitor {
 public:
  void begin(std::string_view stage, std::uint64_t total, std::string_view) override {
    stages.push_back(std::string(stage) + " " + std::to_string(total));
  }
  Verdict advance(std::uint64_t) override { return verdict; }
  void end() override {}
  void note(std::string_view line) override { notes.emplace_back(line); }
  Usage usage() override { return {elapsed += 2, elapsed / 2, 100, 200}; }
  Verdict verdict = Verdict::kContinue;
  std::vector<std::string> stages, notes;
  double elapsed = 0;
};

class EvaluateTest : public testing::Test {
 protected:
  Result<Evaluation> measure(const PlantedShop& shop, double skill,
                             const EvaluateOptions& options = {}, EvaluatedLists* lists = nullptr) {
    return evaluate(run(), shop.recommender("planted", skill), shop.split(), shop.counts(), options,
                    lists);
  }
  vitrine::Run run() { return {Random(5), pool_, monitor_}; }
  ThreadPool pool_{2};
  NotingMonitor monitor_;
};

TEST_F(EvaluateTest, EqualsTheMetricsCaseByCase) {
  for (const std::string repeat : {"never", "always"}) {
    const PlantedShop shop(700, true);
    EvaluateOptions options{.cutoffs = {"5", "20"}, .repeat = repeat, .bootstrap = 0};
    EvaluatedLists lists;
    const Evaluation got = measure(shop, 0.5, options, &lists).value();
    EXPECT_EQ(got.cases + got.skipped, 700u);
    ASSERT_EQ(lists.cases.size(), got.cases);
    ASSERT_EQ(lists.lists.n(), 20u);
    std::size_t at = 0;
    double ndcg_sum = 0, auc_sum = 0;
    for (std::size_t p = 0; p < 700; ++p) {
      Items owned = shop.history(p), truth;
      std::sort(owned.begin(), owned.end());
      if (repeat == "always") owned.clear();
      std::set_difference(shop.truth(p).begin(), shop.truth(p).end(), owned.begin(), owned.end(),
                          std::back_inserter(truth));
      if (truth.empty()) continue;
      EXPECT_EQ(lists.cases[at], p);
      EXPECT_EQ(lists.truth[at], truth);
      std::vector<Candidate> scored;
      std::vector<float> scores;
      for (std::uint32_t i = 0; i < PlantedShop::kItems; ++i) {
        scores.push_back(shop.score(p, ItemIndex{i}, 0.5));
        if (!std::binary_search(owned.begin(), owned.end(), ItemIndex{i})) {
          scored.push_back({ItemIndex{i}, scores.back()});
        }
      }
      std::sort(scored.begin(), scored.end(), better);
      Items list;
      for (const Candidate& c : scored) list.push_back(c.item);
      for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(lists.lists.row(at)[i].item, list[i]);
      std::vector<std::uint32_t> ranks;
      find_hits(list, truth, ranks);
      const double expected = ndcg({ranks, truth.size()}, 5);
      EXPECT_FLOAT_EQ(got.find("ndcg@5")->per_case[at], static_cast<float>(expected));
      ndcg_sum += expected;
      auc_sum += auc(scores, truth, owned);
      ++at;
    }
    EXPECT_EQ(at, got.cases);
    EXPECT_NEAR(got.find("ndcg@5")->mean, ndcg_sum / static_cast<double>(at), 1e-6);
    EXPECT_NEAR(got.find("auc")->mean, auc_sum / static_cast<double>(at), 1e-6);
  }
}

TEST_F(EvaluateTest, PlantedSkillIsFound) {
  const PlantedShop shop(800);
  const Evaluation perfect = measure(shop, 1).value(), chance = measure(shop, 0).value();
  EXPECT_DOUBLE_EQ(perfect.find("ndcg@10")->mean, 1);
  EXPECT_DOUBLE_EQ(perfect.find("recall@20")->mean, 1);
  EXPECT_DOUBLE_EQ(perfect.find("mrr@10")->mean, 1);
  EXPECT_DOUBLE_EQ(perfect.find("auc")->mean, 1);
  EXPECT_NEAR(chance.find("auc")->mean, 0.5, 0.03);
  EXPECT_NEAR(chance.find("recall@20")->mean, 20.0 / 57, 0.05);
  EXPECT_GT(chance.find("coverage@10")->mean, 0.95);
}

TEST_F(EvaluateTest, WholeMetricsEqualASlowCount) {
  const PlantedShop shop(300);
  EvaluatedLists lists;
  const Evaluation got = measure(shop, 0.3, {.cutoffs = {"7"}, .bootstrap = 0}, &lists).value();
  std::vector<std::uint32_t> exposure(PlantedShop::kItems);
  double listed = 0, owned = 0, bits = 0, places = 0, persons = 0;
  for (std::size_t p = 0; p < 300; ++p) persons += shop.history(p).empty() ? 0 : 1;
  for (std::size_t at = 0; at < lists.cases.size(); ++at) {
    double mean = 0, own = 0;
    for (const Candidate& c : lists.lists.row(at)) {
      ++exposure[raw(c.item)];
      mean += shop.counts()[raw(c.item)] / 7.0;
      bits -= std::log2(std::max(1u, shop.counts()[raw(c.item)]) / persons);
      ++places;
    }
    const Items& history = shop.history(lists.cases[at]);
    for (const ItemIndex i : history) {
      own += shop.counts()[raw(i)] / static_cast<double>(history.size());
    }
    if (history.empty()) continue;
    listed += mean, owned += own;
  }
  EXPECT_NEAR(got.find("popularity_bias@7")->mean, listed / owned, 1e-5);
  EXPECT_NEAR(got.find("novelty@7")->mean, bits / places, 1e-9);
  Exposure slow;
  slow.lists = exposure;
  EXPECT_DOUBLE_EQ(got.find("gini@7")->mean, gini(slow));
  EXPECT_DOUBLE_EQ(got.find("coverage@7")->mean, coverage(slow));
  EXPECT_TRUE(got.find("coverage@7")->per_case.empty());
}

TEST_F(EvaluateTest, SameBytesForAnyNumberOfThreads) {
  const PlantedShop shop(1500);
  for (const int negatives : {0, 20}) {
    const EvaluateOptions options{.bootstrap = 50, .sampled_negatives = negatives};
    const Evaluation two = measure(shop, 0.4, options).value();
    for (const int threads : {1, 4}) {
      ThreadPool pool(threads);
      const vitrine::Run other{Random(5), pool, monitor_};
      const Evaluation again =
          evaluate(other, shop.recommender("planted", 0.4), shop.split(), shop.counts(), options)
              .value();
      ASSERT_EQ(again.metrics.size(), two.metrics.size());
      for (std::size_t m = 0; m < two.metrics.size(); ++m) {
        EXPECT_EQ(again.metrics[m].name, two.metrics[m].name);
        EXPECT_EQ(again.metrics[m].mean, two.metrics[m].mean) << two.metrics[m].name;
        EXPECT_EQ(again.metrics[m].low, two.metrics[m].low);
        EXPECT_EQ(again.metrics[m].high, two.metrics[m].high);
        EXPECT_EQ(again.metrics[m].per_case, two.metrics[m].per_case);
      }
    }
  }
}

TEST_F(EvaluateTest, SampledMetricsAreNamedAndWarnedAbout) {
  const PlantedShop shop(400);
  const Evaluation sampled =
      measure(shop, 0, {.bootstrap = 0, .auc = false, .sampled_negatives = 9}).value();
  EXPECT_EQ(sampled.find("recall@10"), nullptr);
  ASSERT_NE(sampled.find("sampled_recall@10"), nullptr);
  EXPECT_EQ(sampled.find("coverage@10"), nullptr);
  // Chance: ten places for at most 13 items.
  EXPECT_GT(sampled.find("sampled_recall@10")->mean, 0.75);
  ASSERT_EQ(monitor_.notes.size(), 1u);
  EXPECT_NE(monitor_.notes[0].find("not comparable"), std::string::npos);

  Recommender lists_only = shop.recommender("lists", 0);
  lists_only.score_all = nullptr;
  const auto failed =
      evaluate(run(), lists_only, shop.split(), shop.counts(), {.sampled_negatives = 9});
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Code::kUnsupported);
  const Evaluation without = evaluate(run(), lists_only, shop.split(), shop.counts(), {}).value();
  EXPECT_EQ(without.find("auc"), nullptr);
}

TEST_F(EvaluateTest, GivenItemsAreAllThatTheTruthIsRankedAmong) {
  const PlantedShop shop(300);
  std::vector<Items> listed(300);
  for (std::uint64_t p = 0; p < 300; ++p) {
    for (std::uint64_t t = 0; t < 9; ++t) {
      const ItemIndex i{static_cast<std::uint32_t>(Random(3).fork(p).below(t, 60))};
      const Items& truth = shop.truth(p);
      if (!std::binary_search(truth.begin(), truth.end(), i)) listed[p].push_back(i);
    }
  }
  const Split given = against_given_items(shop.split(), listed).value();
  const EvaluateOptions options{.cutoffs = {"3"}, .bootstrap = 0, .auc = false};
  const Evaluation got =
      evaluate(run(), shop.recommender("planted", 0.4), given, shop.counts(), options).value();
  EXPECT_EQ(got.find("ndcg@3"), nullptr);
  const MetricValue* found = got.find("sampled_ndcg@3");
  ASSERT_NE(found, nullptr);
  EXPECT_FALSE(monitor_.notes.empty());
  std::size_t at = 0;
  for (std::size_t p = 0; p < 300; ++p) {
    Items owned = shop.history(p), truth, among = listed[p];
    std::sort(owned.begin(), owned.end());
    std::set_difference(shop.truth(p).begin(), shop.truth(p).end(), owned.begin(), owned.end(),
                        std::back_inserter(truth));
    if (truth.empty()) continue;
    among.insert(among.end(), truth.begin(), truth.end());
    std::sort(among.begin(), among.end());
    among.erase(std::unique(among.begin(), among.end()), among.end());
    std::vector<Candidate> scored;
    for (const ItemIndex i : among) scored.push_back({i, shop.score(p, i, 0.4)});
    std::sort(scored.begin(), scored.end(), better);
    Items list;
    for (const Candidate& c : scored) list.push_back(c.item);
    std::vector<std::uint32_t> ranks;
    find_hits(list, truth, ranks);
    ASSERT_LT(at, found->per_case.size());
    EXPECT_FLOAT_EQ(found->per_case[at++], static_cast<float>(ndcg({ranks, truth.size()}, 3)));
  }
  EXPECT_EQ(at, got.cases);
}

TEST_F(EvaluateTest, OnlySeenTypesLeaveListAndTruth) {
  const HistoryEvent carted{.item = ItemIndex{0}, .type = EventType::kCart};
  const HistoryEvent bought{.item = ItemIndex{1}, .type = EventType::kPurchase};
  const std::vector<HistoryEvent> history{carted, bought};
  Split split(Histories(std::vector<std::uint64_t>{0, 2}, std::vector<HistoryEvent>(history), 1, 3),
              "one person");
  const Items truth{ItemIndex{0}, ItemIndex{1}};
  split.add_case({.history = history, .truth = truth, .user = UserIndex{0}});
  Items excluded_of;
  Recommender nothing{.name = "nothing", .recommend = {}, .score_all = {}};
  nothing.recommend = [&](std::span<const Query> queries,
                          std::span<const std::span<const ItemIndex>> excluded, int n,
                          CandidateBlock& out) {
    excluded_of.assign(excluded[0].begin(), excluded[0].end());
    out.reset(queries.size(), static_cast<std::size_t>(n));
  };
  const std::vector<std::uint32_t> counts(3, 1);
  EvaluatedLists lists;
  EvaluateOptions options{.bootstrap = 0};
  EXPECT_EQ(evaluate(run(), nothing, split, counts, options).value().cases, 0u);
  options.seen = {"purchase"};
  EXPECT_EQ(evaluate(run(), nothing, split, counts, options, &lists).value().cases, 1u);
  EXPECT_EQ(excluded_of, Items{ItemIndex{1}});
  EXPECT_EQ(lists.truth[0], Items{ItemIndex{0}});
  options.seen = {"buys"};
  EXPECT_EQ(evaluate(run(), nothing, split, counts, options).error().code, Code::kInvalid);
}

TEST_F(EvaluateTest, ComparisonIsPaired) {
  const PlantedShop shop(500);
  const EvaluateOptions options;
  const Evaluation better_one = measure(shop, 0.6, options).value();
  const Evaluation worse = measure(shop, 0.3, options).value();
  const Comparison won = compare(run(), better_one, worse, "ndcg@10", options).value();
  EXPECT_NEAR(won.difference, better_one.find("ndcg@10")->mean - worse.find("ndcg@10")->mean, 1e-9);
  EXPECT_GT(won.low, 0);
  EXPECT_LT(won.low, won.difference);
  EXPECT_GT(won.high, won.difference);
  EXPECT_LT(won.p, 0.01);
  const Comparison none = compare(run(), worse, worse, "ndcg@10", options).value();
  EXPECT_EQ(none.difference, 0);
  EXPECT_EQ(none.p, 1);

  EXPECT_EQ(compare(run(), better_one, worse, "ndcg@99", options).error().code, Code::kInvalid);
  EXPECT_EQ(compare(run(), better_one, worse, "gini@10", options).error().code, Code::kInvalid);
  Evaluation shorter = worse;
  shorter.cases = 3;
  shorter.metrics[0].per_case.resize(3);
  EXPECT_EQ(compare(run(), better_one, shorter, "precision@10", options).error().code,
            Code::kInvalid);
}

TEST_F(EvaluateTest, ReportsCostAndProgress) {
  const PlantedShop shop(300);
  const Evaluation got = measure(shop, 0.5).value();
  EXPECT_EQ(got.usage.elapsed_s, 2);
  EXPECT_EQ(got.usage.cpu_s, 1);
  EXPECT_EQ(got.usage.memory_peak_bytes, 200u);
  ASSERT_EQ(monitor_.stages.size(), 1u);
  EXPECT_EQ(monitor_.stages[0], "evaluate planted " + std::to_string(got.cases));
  monitor_.verdict = Verdict::kCancel;
  EXPECT_EQ(measure(shop, 0.5).error().code, Code::kCancelled);
  monitor_.verdict = Verdict::kFinish;
  EXPECT_EQ(measure(shop, 0.5).value().cases, got.cases);
}

TEST_F(EvaluateTest, BadOptionsAreNamed) {
  const PlantedShop shop(10);
  for (const std::string cutoff : {"", "0", "-3", "ten", "10x", "10001", "99999999999999"}) {
    const auto failed = measure(shop, 0, {.cutoffs = {"10", cutoff}});
    ASSERT_FALSE(failed.ok()) << cutoff;
    EXPECT_EQ(failed.error().code, Code::kInvalid);
    EXPECT_NE(failed.error().message.find("\"" + cutoff + "\""), std::string::npos);
  }
  EXPECT_EQ(measure(shop, 0, {.cutoffs = {}}).error().code, Code::kInvalid);
  EXPECT_EQ(measure(shop, 0, {.repeat = "sometimes"}).error().code, Code::kInvalid);
}

TEST_F(EvaluateTest, NobodyToAsk) {
  const PlantedShop shop(0);
  const Evaluation got = measure(shop, 0.5).value();
  EXPECT_EQ(got.cases, 0u);
  EXPECT_EQ(got.find("recall@20")->mean, 0);
  EXPECT_FALSE(monitor_.notes.empty());
}

}  // namespace
}  // namespace vitrine

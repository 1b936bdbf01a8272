#include "engine/robustness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "data/histories_testing.h"
#include "engine/learning_curve.h"

namespace vitrine {
namespace {

using testing::make_histories;
using testing::QuietRun;

// Forty persons with the items of their half of a catalogue of twenty; the last item of the
// catalogue is known to one person only. Asked is the last item of each.
RecipeSplits two_halves() {
  std::vector<std::vector<HistoryEvent>> train;
  std::vector<ItemIndex> truth;
  for (std::uint32_t u = 0; u < 40; ++u) {
    train.emplace_back();
    for (std::uint32_t i = 0; i < 6; ++i)
      train.back().push_back({.item = ItemIndex{(u % 2) * 10 + (u / 2 + i) % 9}});
    truth.push_back(ItemIndex{(u % 2) * 10 + (u / 2 + 6) % 9});
  }
  train[0].push_back({.item = ItemIndex{19}});
  RecipeSplits data;
  data.splits.emplace_back(make_histories(train, 40, 20), "two halves");
  for (std::uint32_t u = 0; u < 40; ++u) {
    data.splits[0].add_case({.history = train[u], .truth = {&truth[u], 1}, .user = UserIndex{u}});
  }
  data.catalogue.resize(20);
  return data;
}

Recipe knn_recipe() {
  Recipe recipe;
  recipe.path = "r.toml";
  recipe.metrics = {"ndcg@3"};
  recipe.choose_by = "ndcg@3";
  recipe.evaluate.cutoffs = {"3"};
  recipe.evaluate.auc = false;
  recipe.models.push_back({.name = "item_knn", .kind = "item_knn", .options = {}, .tune = {}});
  return recipe;
}

TEST(Robustness, NoiseAddsItsShareAndKeepsTheRest) {
  const Histories train = two_halves().splits[0].train();
  const Histories noisy = with_noise(train, 0.1, Random(3));
  EXPECT_EQ(noisy.size(), train.size() + train.size() / 10);
  for (std::size_t r = 0; r < train.rows();
       ++r) {  // the row's own events are still there, in order
    std::size_t at = 0;
    for (const HistoryEvent& event : noisy.row(r)) {
      if (at < train.row(r).size() && event.item == train.row(r)[at].item) ++at;
    }
    EXPECT_EQ(at, train.row(r).size());
  }
}

TEST(Robustness, ProfilesAreSessionsThatEndWithTheTarget) {
  const Histories train = two_halves().splits[0].train();
  const ItemIndex target{19};
  for (const char* attack : {"random", "average", "bandwagon"}) {
    const Histories attacked = with_attack(train, attack, target, 4, 5, Random(3));
    ASSERT_EQ(attacked.rows(), train.rows() + 4) << attack;
    EXPECT_EQ(attacked.users(), train.users());
    for (std::size_t r = train.rows(); r < attacked.rows(); ++r) {
      std::set<ItemIndex> items;
      for (const HistoryEvent& event : attacked.row(r)) items.insert(event.item);
      EXPECT_EQ(items.size(), 6u);
      EXPECT_EQ(attacked.row(r).size(), 6u);
      EXPECT_EQ(attacked.row(r).back().item, target);
    }
  }
}

TEST(Robustness, TargetsAreItemsThatFewHave) {
  const Histories train = two_halves().splits[0].train();
  const std::vector<ItemIndex> targets = attack_targets(train, 100, Random(3));
  EXPECT_EQ(targets.size(), 10u);  // half of the 19 known items
  EXPECT_NE(std::find(targets.begin(), targets.end(), ItemIndex{19}), targets.end());
}

TEST(Robustness, AManyfoldAttackEntersTheLists) {
  Recipe recipe = knn_recipe();
  recipe.robustness.noise = {"0.05", "0.1"};
  recipe.robustness.attacks = {"bandwagon"};
  recipe.robustness.attack_sizes = {"1"};
  const RecipeSplits data = two_halves();
  const auto table = run_robustness(QuietRun(), recipe, data);
  ASSERT_TRUE(table.ok()) << table.error().message;
  ASSERT_EQ(table->rows.size(), 4u);
  EXPECT_EQ(table->rows[0].treatment, "clean");
  EXPECT_EQ(table->rows[1].treatment, "noise 5 %");
  EXPECT_NEAR(table->rows[1].value - table->rows[0].value, table->rows[1].lost.difference, 1e-6);
  EXPECT_TRUE(table->rows[3].attack);
  EXPECT_GT(table->rows[3].listed_after, table->rows[3].listed_before);
  const auto again = run_robustness(QuietRun(5), recipe, data);
  EXPECT_EQ(again->rows[3].listed_after, table->rows[3].listed_after);
  recipe.robustness.noise = {"a lot"};
  EXPECT_EQ(run_robustness(QuietRun(), recipe, data).error().code, Code::kInvalid);
}

TEST(Robustness, RowsHaveTheirOwnWeightsAndPIsAdjusted) {
  Recipe recipe = knn_recipe();
  recipe.robustness.noise = {"0.05", "0.1"};
  const RecipeSplits data = two_halves();
  const auto usual = run_robustness(QuietRun(), recipe, data);
  ASSERT_TRUE(usual.ok());
  for (std::size_t r = 1; r < 3; ++r)
    EXPECT_GE(usual->rows[r].lost.p_adjusted, usual->rows[r].lost.p);
  EXPECT_GE(usual->rows[1].lost.p_adjusted,
            std::min(1.0, 2 * std::min(usual->rows[1].lost.p, usual->rows[2].lost.p)));
  recipe.models[0].weights = {"view=0"};  // nothing is left to learn from
  const auto empty = run_robustness(QuietRun(), recipe, data);
  ASSERT_TRUE(empty.ok()) << empty.error().message;
  EXPECT_LT(empty->rows[0].value, usual->rows[0].value);
}

TEST(LearningCurve, EndsWithTheWholeTrainingPart) {
  const RecipeSplits data = two_halves();
  for (const char* by : {"persons", "history"}) {
    const auto curve = learning_curve(QuietRun(), knn_recipe(), data, by);
    ASSERT_TRUE(curve.ok()) << curve.error().message;
    ASSERT_EQ(curve->steps.size(), 4u) << by;
    EXPECT_EQ(curve->steps.back().events, data.splits[0].train().size());
    for (std::size_t s = 1; s < 4; ++s)
      EXPECT_LE(curve->steps[s - 1].events, curve->steps[s].events) << by;
    EXPECT_LT(curve->steps[0].rows[0].find("ndcg@3")->mean,
              curve->steps[3].rows[0].find("ndcg@3")->mean);
    EXPECT_EQ(curve->steps[0].rows[0].cases, curve->steps[3].rows[0].cases);
  }
}

}  // namespace
}  // namespace vitrine

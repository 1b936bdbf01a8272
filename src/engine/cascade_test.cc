#include "engine/cascade.h"

#include <gtest/gtest.h>

#include "engine/engine_testing.h"

namespace vitrine {
namespace {

constexpr std::string_view kCascade =
    "[train]\nmodels = ['popularity', 'item_knn', 'ease']\n"
    "[placements.home]\ncascade = ['item_knn', 'ease']\n";

double metric_of(const Evaluation& evaluation, std::string_view name) {
  const MetricValue* metric = evaluation.find(name);
  EXPECT_NE(metric, nullptr) << name;
  return metric == nullptr ? -1 : metric->mean;
}

TEST(Cascade, StepsLeaveOutTheLastModelUntilPopularityRemains) {
  TempFolder folder;
  const Config config = shop_config(folder, kCascade);
  const auto engine = filled_shop(config, OpenMode::kTool, false);
  TestRun run;
  const CascadeTable table =
      must(engine->evaluate_cascade(run.run, config.split, config.evaluate, "home"));
  ASSERT_EQ(table.steps.size(), 3u);
  EXPECT_EQ(table.steps[0].name, "full");
  EXPECT_EQ(table.steps[0].models, (std::vector<std::string>{"item_knn", "ease"}));
  EXPECT_TRUE(table.steps[0].comparisons.empty());
  EXPECT_EQ(table.steps[1].name, "first model");
  EXPECT_EQ(table.steps[1].models, std::vector<std::string>{"item_knn"});
  EXPECT_EQ(table.steps[2].name, "popularity");
  EXPECT_TRUE(table.steps[2].models.empty());
  for (const CascadeStep& step : table.steps) {
    EXPECT_EQ(step.evaluation.cases, table.cases);
    for (const Comparison& c : step.comparisons) {
      EXPECT_NEAR(
          c.difference,
          metric_of(step.evaluation, c.metric) - metric_of(table.steps[0].evaluation, c.metric),
          1e-6)
          << step.name << " " << c.metric;
    }
  }
  // A model alone, measured without a pipeline.
  const EvaluationTable alone =
      must(engine->evaluate(run.run, config.split, config.evaluate, {"popularity"}, ""));
  for (const char* metric : {"ndcg@10", "recall@20"}) {
    EXPECT_DOUBLE_EQ(metric_of(table.steps[2].evaluation, metric),
                     metric_of(alone.models[0].evaluation, metric));
  }
}

TEST(Cascade, RefusesWhatIsNotThere) {
  TempFolder folder;
  const Config config = shop_config(folder, kCascade);
  const auto engine = filled_shop(config, OpenMode::kTool, false);
  TestRun run;
  EXPECT_EQ(
      engine->evaluate_cascade(run.run, config.split, config.evaluate, "nowhere").error().code,
      Code::kInvalid);
}

}  // namespace
}  // namespace vitrine

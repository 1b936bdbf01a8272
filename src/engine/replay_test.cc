#include "engine/replay.h"

#include <gtest/gtest.h>

#include "engine/engine_testing.h"

namespace vitrine {
namespace {

// A shop that answered every person once, and whose first shown item each of them clicked.
std::unique_ptr<Engine> shop_that_answered(const TempFolder& folder) {
  auto engine = filled_shop(shop_config(folder), OpenMode::kServe);
  for (int p = 0; p < 40; ++p) {
    const Answer answer = must(engine->recommend(request_of(user_id(p), 5)));
    Event click = purchase(user_id(p), answer.items[0].id, kShopOpens + 100 * kDay, "");
    click.type = EventType::kClick;
    click.slate = answer.slate_id;
    must(engine->add_events(std::vector{click}));
  }
  engine->flush_slates();
  return engine;
}

TEST(Replay, TheSameConfigurationGivesTheSameLists) {
  TempFolder folder;
  const auto engine = shop_that_answered(folder);
  TestRun run;
  const ReplayReport report = must(engine->replay(run.run, engine->config(), {}));
  ASSERT_EQ(report.placements.size(), 1u) << report.to_json().as_table()->size();
  const ReplayedPlacement& home = report.placements[0];
  EXPECT_EQ(home.placement, "home");
  EXPECT_EQ(home.requests, 40u);
  EXPECT_EQ(home.identical, 40u) << "as they were before the clicks";
  EXPECT_DOUBLE_EQ(home.overlap, 1);
  EXPECT_EQ(home.failed, 0u);
  EXPECT_EQ(home.clicked, 40u);
  EXPECT_EQ(home.clicks_kept, 40u);
  EXPECT_EQ(report.trained_to, 520u);
}

TEST(Replay, AnotherConfigurationDiffers) {
  TempFolder folder;
  const auto engine = shop_that_answered(folder);
  const Config candidate = shop_config(folder,
                                       "[train]\nmodels = ['popularity']\n"
                                       "[placements.home]\nmodels = ['popularity']\n");
  TestRun run;
  ReplayOptions options;
  options.requests = 10;
  const ReplayReport report = must(engine->replay(run.run, candidate, options));
  ASSERT_EQ(report.placements.size(), 1u);
  EXPECT_EQ(report.placements[0].requests, 10u);
  EXPECT_LT(report.placements[0].overlap, 0.9);
  EXPECT_EQ(report.models, std::vector<std::string>{"popularity"});
}

TEST(Replay, WithoutSlatesItSaysWhatToDo) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool);
  TestRun run;
  const auto report = engine->replay(run.run, engine->config(), {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::kNotFound);
  EXPECT_NE(report.error().message.find("serve some requests"), std::string::npos);
}

// What cannot be asked for as it was is left out.
TEST(Replay, ListsThatMoreWasAskedOfAreLeftOut) {
  TempFolder folder;
  const auto engine = shop_that_answered(folder);
  RecommendRequest narrow = request_of(user_id(1), 5);
  narrow.categories = {"All>Taste 2"};
  must(engine->recommend(narrow));
  engine->flush_slates();
  TestRun run;
  const ReplayReport report = must(engine->replay(run.run, engine->config(), {}));
  EXPECT_EQ(report.placements.at(0).requests, 40u);
}

}  // namespace
}  // namespace vitrine

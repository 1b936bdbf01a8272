// A machine whose clock jumps ten years ahead, and back again, while the shop is open: it goes on,
// its lists stay lists, and what happened meanwhile is there.
#include <gtest/gtest.h>

#include <atomic>

#include "base/toml.h"
#include "engine/engine.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

constexpr Timestamp kToday = 1'760'000'000'000, kTenYears = 3'652 * kDay;
constexpr std::uint64_t kPeople = 40, kItems = 25;
constexpr std::string_view kShop = R"(
[shop]
folder = "shop"
threads = 1
[evaluate]
bootstrap = 20
[live]
checkpoint_minutes = 0.0001
[interactions]
half_life_days = 30
[placements.home]
new_items = 0.3
[train]
models = ["recent", "week", "item_knn"]
[models.recent]
kind = "popularity"
half_life_days = 7
[models.week]
kind = "popularity"
window_days = 7
[models.item_knn]
)";

std::atomic<Timestamp> now{kToday};
Timestamp clock_of_the_machine() { return now.load(); }

class JumpingClock : public testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    engine_.reset();
    const auto table = parse_toml(kShop, "here");
    ASSERT_TRUE(table.ok()) << table.error().message;
    auto config = config_from_table(*table, folder_.path() + "/vitrine.toml");
    ASSERT_TRUE(config.ok()) << config.error().message;
    auto engine = Engine::open(*config, real_files(), OpenMode::kServe, run_, clock_of_the_machine);
    ASSERT_TRUE(engine.ok()) << engine.error().message;
    engine_ = std::move(*engine);
  }

  // Days in which everybody buys something, and one item is new.
  void live_for(int days) {
    Item fresh;
    fresh.id = "new " + std::to_string(now.load());
    fresh.category = {"All"};
    ASSERT_TRUE(engine_->put_items(std::span(&fresh, 1)).ok());
    for (int day = 0; day < days; ++day) {
      std::vector<Event> events(kPeople);
      for (std::uint64_t p = 0; p < kPeople; ++p) {
        events[p].user = "u" + std::to_string(p);
        events[p].item = "i" + std::to_string(random_.below(sold_ + p, kItems));
        events[p].type = EventType::kPurchase;
        events[p].order = std::to_string(sold_ + p);
      }
      ASSERT_TRUE(engine_->add_events(events).ok());
      sold_ += kPeople;
      now += kDay;
    }
  }

  void look() {
    for (const char* user : {"u1", "somebody"}) {
      RecommendRequest request;
      request.user = user;
      request.repeat = "always";
      const auto list = engine_->recommend(request);
      ASSERT_TRUE(list.ok()) << list.error().message;
      EXPECT_EQ(list->items.size(), 10U) << user;
    }
    for (const int days : {0, 1, 7, 92}) {
      const auto list = engine_->popular({.n = 10, .days = days});
      ASSERT_TRUE(list.ok()) << list.error().message;
      EXPECT_FALSE(list->items.empty()) << days << " days";
    }
    ASSERT_TRUE(engine_->trending({.n = 10}).ok());
    std::uint64_t found = 0;
    for (std::uint64_t p = 0; p < kPeople; ++p)
      found += engine_->person("u" + std::to_string(p))->history.size();
    EXPECT_EQ(found, sold_);
    EXPECT_EQ(engine_->status().events, sold_);
  }

  void train() {
    const auto report = engine_->train(run_, {.force = true, .reason = "the clock"});
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_TRUE(report->published) << report->verdict;
    EXPECT_EQ(report->manifest.events, sold_);
  }

  void live_train_and_look() {
    ASSERT_NO_FATAL_FAILURE(live_for(12));
    ASSERT_NO_FATAL_FAILURE(look());
    ASSERT_NO_FATAL_FAILURE(train());
    ASSERT_NO_FATAL_FAILURE(look());
    ASSERT_TRUE(engine_->checkpoint().ok());
  }

  const TempFolder folder_;
  const Random random_{3};
  ThreadPool pool_{1};
  QuietMonitor monitor_;
  vitrine::Run run_{Random(1), pool_, monitor_};
  std::uint64_t sold_ = 0;
  std::unique_ptr<Engine> engine_;
};

TEST_F(JumpingClock, TenYearsAheadAndBack) {
  for (const Timestamp jump : {Timestamp{0}, kTenYears, -kTenYears, -kTenYears, kTenYears}) {
    SCOPED_TRACE(jump / kDay);
    now += jump;
    ASSERT_NO_FATAL_FAILURE(live_train_and_look());
    ASSERT_NO_FATAL_FAILURE(open());
    ASSERT_NO_FATAL_FAILURE(look());
  }
}

TEST_F(JumpingClock, StandsStill) {
  ASSERT_NO_FATAL_FAILURE(live_for(3));
  const Timestamp still = now.load();
  for (int i = 0; i < 5; ++i) {
    now = still;
    ASSERT_NO_FATAL_FAILURE(live_for(1));
    ASSERT_NO_FATAL_FAILURE(look());
  }
  ASSERT_NO_FATAL_FAILURE(train());
  ASSERT_NO_FATAL_FAILURE(look());
}

}  // namespace
}  // namespace vitrine

#include "engine/plan.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <filesystem>

#include "engine/engine_testing.h"
#include "engine/limits.h"
#include "index/item_search.h"

namespace vitrine {
namespace {

constexpr PlanSize kSize{.users = 40'000, .items = 20'000, .events = 300'000};

std::uint64_t allocated() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

std::string id_of(std::uint64_t number) { return planned_item(number, kSize.id_bytes).id; }

// Events as the plan assumes them.
void fill(Engine& engine) {
  const Random random(3);
  std::vector<Item> items;
  for (std::uint64_t i = 0; i < kSize.items; ++i) {
    items.push_back(planned_item(i, kSize.id_bytes));
    if (items.size() < 1'000) continue;
    must(engine.put_items(items));
    items.clear();
  }
  std::vector<Event> events;
  for (std::uint64_t i = 0; i < kSize.events; ++i) {
    Event event;
    event.id = id_of(i);
    event.user = id_of(random.below(2 * i, kSize.users));
    event.item = id_of(random.below(2 * i + 1, kSize.items));
    event.session = id_of(i / 10);
    event.quantity = 1;
    event.time = kShopOpens + static_cast<Timestamp>(i * (kPopularDays * kDay / kSize.events));
    event.received = event.time;
    events.push_back(std::move(event));
    if (events.size() < 1'000) continue;
    must(engine.add_events(events));
    events.clear();
  }
  for (const int days : {1, 7, 30}) must(engine.popular({.n = 5, .days = days}));
  for (const int hours : {1, 24, 48}) must(engine.popular({.n = 5, .hours = hours}));
}

void expect_near(std::uint64_t found, std::uint64_t planned, const char* what) {
  EXPECT_NEAR(static_cast<double>(found), static_cast<double>(planned),
              static_cast<double>(planned) / 10)
      << what;
}

TEST(Plan, IsWhatAnEngineTakes) {
  TempFolder folder;
  const Config config = shop_config(folder);
  {
    const std::uint64_t nothing = allocated();
    if (nothing == 0) GTEST_SKIP() << "NOT TESTED: the plan; this allocator does not tell";
    const auto engine = open_shop(config, OpenMode::kServe);
    const std::uint64_t before = allocated();
    fill(*engine);
    const Plan planned = plan(kSize, config);
    expect_near(allocated() - before,
                planned.memory_bytes() - planned.row("program").memory_bytes -
                    planned.row("search of item vectors").memory_bytes,
                "memory");
  }
  const Plan planned = plan(kSize, config);
  std::uint64_t log = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder.file("shop/log")))
    log += file.file_size();
  expect_near(log, planned.row("log").disk_bytes, "log");
  expect_near(std::filesystem::file_size(folder.file("shop/checkpoint")),
              planned.row("checkpoint, and the next one while it is written").disk_bytes / 2,
              "checkpoint");
}

TEST(Plan, CountsWhatItemVectorsAreSearchedBy) {
  if (allocated() == 0) GTEST_SKIP() << "NOT TESTED: the plan; this allocator does not tell";
  const Table als{{"factors", 64}};
  const Config config =
      config_from_table(Table{{"models", Table{{"als", als}, {"popularity", Table()}}}}, "")
          .value();
  Matrix table(static_cast<std::int64_t>(kSize.items), 64);
  std::vector<ItemIndex> names;
  for (std::uint32_t i = 0; i < kSize.items; ++i) {
    names.push_back(ItemIndex{i});
    for (float& v : table.row(i)) v = static_cast<float>(i);
  }
  const std::uint64_t before = allocated();
  const ItemSearch search(table.view(), names);
  expect_near(allocated() - before, plan(kSize, config).row("search of item vectors").memory_bytes,
              "search");
}

TEST(Plan, AHundredBytesForAnEventAtTenMillion) {
  const Config config = config_from_table({}, "").value();
  for (const std::uint64_t each : {5U, 7U, 10U}) {
    const Plan planned =
        plan({.users = 10'000'000 / each, .items = 0, .events = 10'000'000}, config);
    EXPECT_LE(planned.memory_bytes(), 1'000'000'000U) << each;
  }
}

TEST(Plan, HoldsTheLimitOfMemory) {
  Config config = config_from_table({}, "").value();
  config.live.memory_mb = 100;
  const Plan planned = plan({.users = 2'000'000, .items = 10, .events = 10'000'000}, config);
  EXPECT_EQ(planned.row("people").memory_bytes, 100U << 20);
  EXPECT_GT(planned.row("people").disk_bytes, 100U << 20);
  EXPECT_EQ(plan({}, config).row("log").disk_bytes, 0U);
}

}  // namespace
}  // namespace vitrine

// A small shop for tests: four tastes of ten items each, people who buy within theirs, on real
// files.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/toml.h"
#include "engine/engine.h"

namespace vitrine {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = testing::TempDir() + "vitrine-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline constexpr int kTastes = 4, kItemsPerTaste = 10, kPeople = 80;
inline constexpr Timestamp kShopOpens = 1'600'000'000'000;

inline std::string item_id(int taste, int i) {
  return "t" + std::to_string(taste) + "-" + std::to_string(i);
}
inline std::string user_id(int person) { return "u" + std::to_string(person); }

inline Item shop_item(int taste, int i) {
  Item item;
  item.id = item_id(taste, i);
  item.title = "Taste " + std::to_string(taste) + " number " + std::to_string(i);
  item.category = {"All", "Taste " + std::to_string(taste)};
  return item;
}

inline std::vector<Item> shop_items() {
  std::vector<Item> items;
  for (int taste = 0; taste < kTastes; ++taste) {
    for (int i = 0; i < kItemsPerTaste; ++i) items.push_back(shop_item(taste, i));
  }
  return items;
}

inline Event purchase(const std::string& user, const std::string& item, Timestamp time,
                      const std::string& order) {
  Event event;
  event.id = user + "/" + item + "/" + std::to_string(time);
  event.user = user;
  event.item = item;
  event.type = EventType::kPurchase;
  event.quantity = 1;
  event.order = order;
  event.time = time;
  event.received = time;
  return event;
}

// Three baskets of two items each: a person buys the taste of their number, once in a while
// another.
inline std::vector<Event> shop_events(int people = kPeople) {
  std::vector<Event> events;
  const Random random(42);
  for (int p = 0; p < people; ++p) {
    for (int basket = 0; basket < 3; ++basket) {
      const Timestamp time = kShopOpens + (basket * 30 + p % 30) * kDay;
      const std::string order = user_id(p) + "-" + std::to_string(basket);
      for (int i = 0; i < 2; ++i) {
        const auto draw = static_cast<std::uint64_t>((p * 3 + basket) * 2 + i);
        const int taste = random.below(draw, 10) == 0 ? (p + 1) % kTastes : p % kTastes;
        const auto half = random.fork("item").below(draw, kItemsPerTaste / 2);
        const int which = static_cast<int>(half) + i * kItemsPerTaste / 2;
        events.push_back(purchase(user_id(p), item_id(taste, which), time, order));
      }
    }
  }
  return events;
}

inline Config shop_config(const TempFolder& folder, std::string_view more = "") {
  const std::string base = "[train]\nmodels = ['popularity', 'item_knn', 'ease', 'together']\n";
  auto table = parse_toml(
      more.find("[train]") == std::string_view::npos ? base + std::string(more) : std::string(more),
      "test");
  EXPECT_TRUE(table.ok()) << (table.ok() ? "" : table.error().message);
  auto config = config_from_table(*table, folder.file("vitrine.toml"));
  EXPECT_TRUE(config.ok()) << (config.ok() ? "" : config.error().message);
  config->evaluate.bootstrap = 50;
  return std::move(config).value();
}

// Threads and a silent monitor for one test.
struct TestRun {
  ThreadPool pool{2};
  QuietMonitor monitor;
  Run run{Random(1), pool, monitor};
};

template <class T>
T must(Result<T> result) {
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
  if (!result.ok()) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}
inline void must(const Status& status) { ASSERT_TRUE(status.ok()) << status.error().message; }

inline std::unique_ptr<Engine> open_shop(Config config, OpenMode mode) {
  TestRun run;
  return must(Engine::open(std::move(config), real_files(), mode, run.run));
}

// Open, filled, and trained when `train`.
inline std::unique_ptr<Engine> filled_shop(Config config, OpenMode mode, bool train = true) {
  auto engine = open_shop(std::move(config), mode);
  must(engine->put_items(shop_items()));
  must(engine->add_events(shop_events()));
  if (train) {
    TestRun run;
    const TrainReport report = must(engine->train(run.run, {}));
    EXPECT_TRUE(report.published) << report.verdict;
  }
  return engine;
}

inline RecommendRequest request_of(const std::string& user, int n = 10, bool explain = false) {
  RecommendRequest request;
  request.user = user;
  request.n = n;
  request.explain = explain;
  return request;
}

inline std::vector<std::string> ids_of(const Answer& answer) {
  std::vector<std::string> ids;
  for (const AnsweredItem& item : answer.items) ids.push_back(item.id);
  return ids;
}

}  // namespace vitrine

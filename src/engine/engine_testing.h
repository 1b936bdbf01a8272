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

// The real file system without waiting for the disk: what is tested here is not its durability.
class UnsyncedFiles : public FileSystem {
 public:
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    return unsynced(real_files().create(path));
  }
  Result<std::unique_ptr<WritableFile>> append_to(const std::string& path) override {
    return unsynced(real_files().append_to(path));
  }
  Result<std::unique_ptr<SequentialFile>> read(const std::string& path) override {
    return real_files().read(path);
  }
  Result<std::shared_ptr<const MappedFile>> map(const std::string& path) override {
    return real_files().map(path);
  }
  Status truncate(const std::string& path, std::uint64_t size) override {
    return real_files().truncate(path, size);
  }
  Status rename(const std::string& from, const std::string& to) override {
    return real_files().rename(from, to);
  }
  Status remove(const std::string& path) override { return real_files().remove(path); }
  Status make_folder(const std::string& path) override { return real_files().make_folder(path); }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    return real_files().list(folder);
  }
  Status sync_folder(const std::string&) override { return {}; }

 private:
  class File final : public WritableFile {
   public:
    explicit File(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}
    Status append(std::span<const std::byte> bytes) override { return file_->append(bytes); }
    Status sync() override { return {}; }

   private:
    std::unique_ptr<WritableFile> file_;
  };
  static Result<std::unique_ptr<WritableFile>> unsynced(
      Result<std::unique_ptr<WritableFile>> file) {
    if (!file.ok()) return file;
    return std::unique_ptr<WritableFile>(new File(std::move(file).value()));
  }
};

inline FileSystem& unsynced_files() {
  static UnsyncedFiles files;
  return files;
}

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
  return must(Engine::open(std::move(config), unsynced_files(), mode, run.run));
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

// What the first few people are shown, to be compared.
inline std::string lists_of(Engine& engine) {
  std::string text;
  for (int p = 0; p < 9; ++p)
    for (const std::string& id : ids_of(must(engine.recommend(request_of(user_id(p))))))
      text += id + " ";
  return text;
}

}  // namespace vitrine

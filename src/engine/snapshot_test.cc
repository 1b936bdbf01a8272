#include "engine/snapshot.h"

#include <gtest/gtest.h>

#include <atomic>

#include "engine/engine_testing.h"

namespace vitrine {
namespace {

void flip_byte(const std::string& path, std::size_t place) {
  std::string text = must(read_file(real_files(), path));
  ASSERT_LT(place, text.size());
  text[place] = static_cast<char>(text[place] ^ 0x40);
  must(write_file_atomically(real_files(), path, text));
}

std::vector<std::string> files_of(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path().string());
  }
  return files;
}

TEST(Snapshot, ManifestReadsBackAsItself) {
  Manifest manifest;
  manifest.name = "000003-17";
  manifest.sequence = 17;
  manifest.users = 3;
  manifest.items = 5;
  manifest.kernels = "scalar";
  manifest.last_event = kShopOpens;
  manifest.items_fingerprint = ~std::uint64_t{0};
  manifest.models = {{"ease", "ease"}, {"fast", "item_knn"}};
  manifest.metrics.set("ease", Table{{"ndcg@20", Table{{"mean", 0.1}}}});
  manifest.searches.set("als", List{Table{{"allowed", 1.0}, {"recall@10", 0.98}}});
  manifest.publication = {kShopOpens, true, "000002-9", "better", "", {{"metric", true, "better"}}};
  const Manifest again = must(Manifest::from_json(manifest.to_json()));
  EXPECT_EQ(again.to_json(), manifest.to_json());
  EXPECT_FALSE(Manifest::from_json(Value(3)).ok());
  EXPECT_FALSE(Manifest::from_json(Table{{"format", 99}}).ok());
}

TEST(Snapshot, DamageIsFoundAndNamed) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool);
  const std::string place = folder.file("shop/snapshots/" + engine->status().snapshot);
  must(Snapshot::load(real_files(), place));
  for (const std::string& file : files_of(place)) {
    const std::string whole = must(read_file(real_files(), file));
    for (const std::size_t at : {std::size_t{9}, whole.size() / 2}) {
      flip_byte(file, at);
      const auto loaded = Snapshot::load(real_files(), place);
      if (file.find("publication") == std::string::npos) {
        ASSERT_FALSE(loaded.ok()) << file << " at " << at;
        EXPECT_NE(loaded.error().message.find(file), std::string::npos) << loaded.error().message;
      }
      must(write_file_atomically(real_files(), file, whole));
    }
    must(write_file_atomically(real_files(), file, whole.substr(0, whole.size() / 2)));
    const auto cut = Snapshot::load(real_files(), place);
    ASSERT_FALSE(cut.ok()) << file;
    must(real_files().remove(file));
    EXPECT_FALSE(Snapshot::load(real_files(), place).ok()) << file;
    must(write_file_atomically(real_files(), file, whole));
  }
  must(Snapshot::load(real_files(), place));
}

TEST(Snapshot, ADamagedOneLeavesTheOlderServing) {
  TempFolder folder;
  const Config config = shop_config(folder);
  std::string older, newer;
  {
    const auto engine = filled_shop(config, OpenMode::kTool);
    older = engine->status().snapshot;
    TestRun run;
    newer = must(engine->train(run.run, {true, "", true})).manifest.name;
  }
  ASSERT_NE(older, newer);
  const auto server = open_shop(config, OpenMode::kServe);
  EXPECT_EQ(server->status().snapshot, newer);
  flip_byte(folder.file("shop/snapshots/" + older + "/models/ease.vta"), 100);
  EXPECT_EQ(server->publish(older).error().code, Code::kCorrupt);
  EXPECT_EQ(server->status().snapshot, newer) << "what cannot be loaded is not served";
  EXPECT_EQ(server->publish("000009-1").error().code, Code::kNotFound);
}

TEST(Snapshot, RestartPassesOverADamagedOne) {
  TempFolder folder;
  const Config config = shop_config(folder);
  std::string older, newer;
  {
    const auto engine = filled_shop(config, OpenMode::kTool);
    older = engine->status().snapshot;
    TestRun run;
    newer = must(engine->train(run.run, {true, "", true})).manifest.name;
  }
  flip_byte(folder.file("shop/snapshots/" + newer + "/models/ease.vta"), 100);
  EXPECT_EQ(open_shop(config, OpenMode::kServe)->status().snapshot, older);
  flip_byte(folder.file("shop/snapshots/" + older + "/manifest.json"), 30);
  const auto server = open_shop(config, OpenMode::kServe);
  const Answer answer = must(server->recommend(request_of("u0")));
  EXPECT_FALSE(answer.degraded.empty());
  EXPECT_EQ(answer.items.size(), 10u);
}

TEST(Snapshot, OfAnotherShopIsRefused) {
  TempFolder one, other;
  const auto trained = filled_shop(shop_config(one), OpenMode::kTool);
  const std::string name = trained->status().snapshot;
  {
    const auto different = open_shop(shop_config(other), OpenMode::kTool);
    std::vector<Event> events;
    for (int i = 0; i < 60; ++i)
      events.push_back(purchase("x", "other" + std::to_string(i), kShopOpens, ""));
    must(different->add_events(events));
  }
  std::filesystem::copy(one.file("shop/snapshots"), other.file("shop/snapshots"),
                        std::filesystem::copy_options::recursive);
  const auto server = open_shop(shop_config(other), OpenMode::kServe);
  EXPECT_TRUE(server->status().snapshot.empty());
  EXPECT_NE(server->publish(name).error().message.find("another event log"), std::string::npos);
}

TEST(Snapshot, OldOnesAndHalfWrittenOnesGo) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool);
  const std::string first = engine->status().snapshot;
  must(real_files().make_folder(folder.file("shop/snapshots/000007-3.partial/models")));
  TestRun run;
  for (int i = 0; i < 4; ++i) must(engine->train(run.run, {true, "", false}));
  const auto manifests = must(engine->snapshots());
  EXPECT_EQ(manifests.size(), 3u);
  EXPECT_EQ(manifests.front().name, engine->status().snapshot);
  for (const std::string& name : must(real_files().list(folder.file("shop/snapshots")))) {
    EXPECT_EQ(name.find("partial"), std::string::npos) << name;
    EXPECT_NE(name, first);
  }
  // A published one is kept however old.
  must(engine->publish(manifests.back().name));
  must(SnapshotFolder(real_files(), folder.file("shop/snapshots")).prune(1));
  EXPECT_EQ(must(engine->snapshots()).size(), 2u);
}

TEST(Snapshot, RefusedOnesDoNotPushOthersOut) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool);
  const std::string root = folder.file("shop/snapshots/"), good = engine->status().snapshot;
  for (const char* name : {"000002-520", "000003-520", "000004-520"}) {
    std::filesystem::copy(root + good, root + name, std::filesystem::copy_options::recursive);
    const std::string path = root + name + "/publication.json";
    std::string text = must(read_file(real_files(), path));
    const std::size_t at = text.find("true", text.find("\"passed\""));
    ASSERT_NE(at, std::string::npos) << text;
    must(write_file_atomically(real_files(), path, text.replace(at, 4, "false")));
  }
  TestRun run;
  const std::string next = must(engine->train(run.run, {true, "", false})).manifest.name;
  std::vector<std::string> left;
  for (const Manifest& manifest : must(engine->snapshots())) left.push_back(manifest.name);
  EXPECT_EQ(left, (std::vector<std::string>{next, "000004-520", good}));
}

// Publishes a snapshot as soon as anything long is watched.
class RollBack final : public Monitor {
 public:
  RollBack(std::string folder, std::string name)
      : folder_(std::move(folder)), name_(std::move(name)) {}
  void begin(std::string_view, std::uint64_t, std::string_view) override {}
  Verdict advance(std::uint64_t) override {
    if (!done_.exchange(true)) must(SnapshotFolder(real_files(), folder_).publish(name_));
    return Verdict::kContinue;
  }
  void end() override {}
  void note(std::string_view) override {}
  Usage usage() override { return {}; }
  bool done() const { return done_; }

 private:
  const std::string folder_, name_;
  std::atomic<bool> done_{false};  // models report from any thread
};

TEST(Snapshot, WhatIsPublishedDuringATrainingStays) {
  TempFolder folder;
  auto engine = filled_shop(shop_config(folder), OpenMode::kTool);
  const std::string first = engine->status().snapshot;
  TestRun run;
  must(engine->train(run.run, {true, "", false}));
  RollBack monitor(folder.file("shop/snapshots"), first);
  const vitrine::Run watched{Random(1), run.pool, monitor};
  const TrainReport report = must(engine->train(watched, {true, "", false}));
  EXPECT_TRUE(monitor.done());
  EXPECT_FALSE(report.published);
  EXPECT_NE(report.verdict.find(first), std::string::npos) << report.verdict;
  engine.reset();
  EXPECT_EQ(open_shop(shop_config(folder), OpenMode::kServe)->status().snapshot, first);
}

}  // namespace
}  // namespace vitrine

#include "engine/trainer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <thread>

#include "engine/background.h"
#include "engine/choose.h"
#include "engine/engine_testing.h"
#include "engine/gate.h"
#include "engine/survey.h"
#include "engine/trainer_process.h"

namespace vitrine {
namespace {

// Every file of a snapshot that its log, configuration, seed and threads determine.
std::vector<std::pair<std::string, std::string>> reproducible_files(const std::string& folder) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = std::filesystem::relative(entry.path(), folder).string();
    if (!entry.is_regular_file() || name == "publication.json") continue;
    files.emplace_back(name, must(read_file(real_files(), entry.path().string())));
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string snapshot_folder(const TempFolder& folder, const Engine& engine) {
  return folder.file("shop/snapshots/" + engine.status().snapshot);
}

TEST(Trainer, SameLogSameSeedSameBytes) {
  TempFolder one, other;
  const auto first = filled_shop(shop_config(one), OpenMode::kTool);
  const auto second = filled_shop(shop_config(other), OpenMode::kTool);
  const auto files = reproducible_files(snapshot_folder(one, *first));
  EXPECT_EQ(files.size(), 6u);
  EXPECT_EQ(files, reproducible_files(snapshot_folder(other, *second)));
  // And once more over the same folder, where a champion stands to be compared with.
  TestRun run;
  must(first->train(run.run, {true, "again", true}));
  EXPECT_EQ(files, reproducible_files(snapshot_folder(one, *first)));
}

TEST(Trainer, ChoosesAndSaysWhat) {
  TempFolder folder;
  const auto engine =
      filled_shop(shop_config(folder, "[train]\nbudget_seconds = 60\n"), OpenMode::kTool, false);
  TestRun run;
  const TrainReport report = must(engine->train(run.run, {}));
  ASSERT_TRUE(report.published) << report.verdict;
  EXPECT_NE(report.data_says.find("80 customers"), std::string::npos) << report.data_says;
  EXPECT_NE(report.data_says.find("bought-together makes sense"), std::string::npos);
  // What it chose is a configuration that works.
  const Table table = must(parse_toml(report.chosen_toml, "chosen"));
  const Config chosen = must(config_from_table(table, ""));
  EXPECT_FALSE(chosen.train.models.empty());
  EXPECT_FALSE(must(chosen.placement("home"))->models.empty());
  const Answer answer = must(engine->recommend(request_of("u0", 5)));
  EXPECT_EQ(answer.items[0].id.substr(0, 2), "t0");
}

TEST(Trainer, ATinyShopIsServedToo) {
  TempFolder folder;
  const auto engine = open_shop(shop_config(folder, "[train]\n"), OpenMode::kTool);
  TestRun run;
  const auto nothing = engine->train(run.run, {});
  ASSERT_FALSE(nothing.ok());
  EXPECT_NE(nothing.error().message.find("import"), std::string::npos) << nothing.error().message;
  must(engine->add_events(std::vector{purchase("a", "x", kShopOpens, "1")}));
  const auto one = engine->train(run.run, {});
  ASSERT_TRUE(one.ok()) << one.error().message;
  EXPECT_TRUE(one->published) << one->verdict;
  EXPECT_EQ(ids_of(must(engine->recommend(request_of("b", 3)))), std::vector<std::string>{"x"});
}

TEST(Trainer, ARemnantOfTheDataIsNotPublished) {
  TempFolder folder;
  const Config config = shop_config(folder);
  const auto engine = filled_shop(config, OpenMode::kTool);
  const std::string champion = engine->status().snapshot;
  for (int p = 0; p < kPeople * 2 / 3; ++p) must(engine->erase_user(user_id(p)));
  TestRun run;
  TrainReport report = must(engine->train(run.run, {}));
  EXPECT_FALSE(report.published);
  EXPECT_NE(report.verdict.find("is the import whole?"), std::string::npos) << report.verdict;
  EXPECT_EQ(engine->status().snapshot, champion);
  report = must(engine->train(run.run, {true, "many left", true}));
  EXPECT_TRUE(report.published);
  EXPECT_NE(report.verdict.find("forced: many left"), std::string::npos);
  EXPECT_EQ(engine->status().snapshot, report.manifest.name);
  EXPECT_EQ(must(engine->snapshots()).front().publication.reason, "many left");
}

TEST(Trainer, EvaluatesBesideTheBaselines) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool, false);
  TestRun run;
  const Config& config = engine->config();
  const EvaluationTable table =
      must(engine->evaluate(run.run, config.split, config.evaluate, {}, folder.file("dump")));
  std::vector<std::string> names;
  for (const EvaluatedModel& model : table.models) names.push_back(model.name);
  EXPECT_EQ(names, (std::vector<std::string>{"popularity", "popularity_7d", "item_knn", "ease",
                                             "together"}));
  EXPECT_EQ(table.models[3].comparisons.size(), 1u);
  EXPECT_GT(table.models[3].comparisons[0].difference, 0) << "tastes are planted";
  EXPECT_TRUE(table.to_json().as_table()->find("models")->as_list()->size() == 5);
  EXPECT_GE(must(real_files().list(folder.file("dump"))).size(), 2u);
  EXPECT_FALSE(engine->evaluate(run.run, config.split, config.evaluate, {"eese"}, "").ok());
}

TEST(Gate, ADayOfAbnormalVolumeIsNotLearned) {
  const TrainOptions options;
  GateInput input;
  input.events = 10'000;
  input.volume = DayVolume{15'000, 700, 800, 8};
  EXPECT_TRUE(check_gate(input, options).passes);
  input.volume->events = 159;
  const GateVerdict low = check_gate(input, options);
  EXPECT_FALSE(low.passes);
  EXPECT_NE(low.text().find("159 events on 2011-01-26"), std::string::npos) << low.text();
  input.volume->events = 4001;
  EXPECT_FALSE(check_gate(input, options).passes);
  input.volume->median = 90;  // a small shop has such days
  EXPECT_TRUE(check_gate(input, options).passes);
}

TEST(Gate, ScoresThatDriftedAreNotPublished) {
  const TrainOptions options;
  Manifest champion;
  champion.name = "000001-5";
  GateInput input;
  input.events = 10;
  input.champion = &champion;
  input.drift = ListDrift{100, 20, 0.8, {{"ease", 0.2}, {"als", 0.3}}};
  EXPECT_TRUE(check_gate(input, options).passes);
  input.drift->scores[1].second = 0.9;
  const GateVerdict verdict = check_gate(input, options);
  EXPECT_FALSE(verdict.passes);
  EXPECT_NE(verdict.text().find("als's scores"), std::string::npos) << verdict.text();
  EXPECT_NE(verdict.checks.back().text.find("80 % of the first 20 of 100 visitors"),
            std::string::npos);
}

TEST(Drift, KolmogorovSmirnovByHand) {
  EXPECT_DOUBLE_EQ(kolmogorov_smirnov({1, 2, 3}, {3, 1, 2}), 0);
  EXPECT_DOUBLE_EQ(kolmogorov_smirnov({1, 2}, {3, 4, 5}), 1);
  EXPECT_DOUBLE_EQ(kolmogorov_smirnov({1, 2, 3, 4}, {3, 4, 5, 6}), 0.5);
  EXPECT_DOUBLE_EQ(kolmogorov_smirnov({1, 1, 1, 1}, {1, 1, 1, NAN}), 0.25);
  EXPECT_DOUBLE_EQ(kolmogorov_smirnov({}, {1}), 0);
}

TEST(Drift, TheVolumeOfADayBesideItsWeekday) {
  std::vector<HistoryEvent> events;
  const auto add = [&](std::int64_t day, int count) {
    for (int i = 0; i < count; ++i)
      events.push_back({ItemIndex{0}, EventType::kView, 1, 1, day * kDay + i, 0});
  };
  for (const auto& [day, count] : std::vector<std::pair<std::int64_t, int>>{
           {100, 3}, {107, 5}, {114, 0}, {121, 7}, {122, 50}, {128, 9}, {129, 1}})
    add(day, count);
  const auto made = [&] {
    return Histories(std::vector<std::uint64_t>{0, events.size()}, events, 1, 1);
  };
  const auto volume = day_volume(made());
  ASSERT_TRUE(volume.has_value());
  EXPECT_EQ(volume->day, 128);
  EXPECT_EQ(volume->events, 9u);
  EXPECT_EQ(volume->days_before, 4);
  EXPECT_DOUBLE_EQ(volume->median, 4);  // of 7, 0, 5, 3
  events.erase(events.begin(), events.begin() + 8);
  EXPECT_FALSE(day_volume(made()).has_value()) << "two weekdays before are too few";
  EXPECT_FALSE(day_volume(Histories()).has_value());
}

TEST(Drift, ASnapshotBesideItself) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool);
  TestRun run;
  const TrainReport report = must(engine->train(run.run, {}));
  ASSERT_TRUE(report.published) << report.verdict;
  const auto checks = must(engine->snapshots()).front().publication.checks;
  ASSERT_FALSE(checks.empty());
  EXPECT_EQ(checks.back().name, "lists");
  EXPECT_NE(checks.back().text.find("100 %"), std::string::npos) << checks.back().text;
}

std::atomic<bool> never{false};

TEST(TrainerProcess, ATrainerThatHangsIsEnded) {
  std::atomic<bool> stop{false};
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    stop = true;
  });
  // Closes its output and ignores being asked.
  const Status ended =
      run_trainer({"/bin/sh", "-c", "trap '' TERM; exec 2>&-; exec sleep 100"}, {}, stop);
  later.join();
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().code, Code::kCancelled);
}

TEST(TrainerProcess, ACrashIsToldWithItsLastWords) {
  const Status ended =
      run_trainer({"/bin/sh", "-c", "echo out of luck >&2; kill -9 $$"}, {}, never);
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().code, Code::kInternal);
  EXPECT_EQ(ended.error().message, "training ended by signal 9: out of luck");
}

TEST(TrainerProcess, ItsCoresAndItsMemoryAreLimited) {
  TrainerLimits limits;
  limits.cores = 1;
  EXPECT_TRUE(run_trainer({"/bin/sh", "-c", "sleep .2; test $(nproc) = 1"}, limits, never).ok());
  limits.memory_bytes = 64 << 20;
  EXPECT_FALSE(run_trainer({"/bin/sh", "-c", "sleep .2; head -c 200000000 /dev/zero | tail -n 1"},
                           limits, never)
                   .ok());
}

TEST(Background, ATrainingThatCrashedIsBegunAgain) {
  std::atomic<int> begun{0};
  Background::Work work;
  work.look = [] {};
  work.train = [&](const TrainRequest&, const std::atomic<bool>&) -> Status {
    if (++begun < 3) return Error{Code::kInternal, "crashed"};
    return {};
  };
  Background background(work, 0, {5, std::chrono::milliseconds(1)});
  ASSERT_TRUE(background.start({}).ok());
  for (int i = 0; i < 1000 && (begun < 3 || background.status() != "idle"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(begun, 3);
  EXPECT_EQ(background.status(), "idle");
}

// A server that is started anew every night trains all the same.
TEST(Background, ItsScheduleCountsFromTheLastTraining) {
  std::atomic<int> begun{0};
  Background::Work work;
  work.look = [] {};
  work.train = [&](const TrainRequest&, const std::atomic<bool>&) -> Status {
    ++begun;
    return {};
  };
  const Background late(work, 24, {}, 1e9);
  for (int i = 0; i < 1000 && begun == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(begun, 1);
  for (const double hours : {0., 12., -1e9}) {  // a clock may have gone back meanwhile
    const Background early(work, 24, {}, hours);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(begun, 1);
}

TEST(Gate, WorseBeyondIntervalAndTolerance) {
  const TrainOptions options;
  Manifest champion;
  champion.name = "000001-5";
  champion.events = 1000;
  GateInput input{1000,      Measured{0.090, 0.08, 0.1},  0.5,
                  &champion, Measured{0.1, 0.095, 0.105}, true};
  EXPECT_FALSE(check_gate(input, options).passes);
  input.metric->mean = 0.0951;  // inside the interval
  EXPECT_TRUE(check_gate(input, options).passes);
  input.champion_metric = Measured{0.1, 0.0999, 0.1001};
  input.metric->mean = 0.096;  // inside the tolerance
  EXPECT_TRUE(check_gate(input, options).passes);
  input.coverage = 0.001;
  EXPECT_FALSE(check_gate(input, options).passes);
  input.coverage = 0.5;
  input.events = 499;
  EXPECT_FALSE(check_gate(input, options).passes);
  input.champion = nullptr;
  EXPECT_TRUE(check_gate(input, options).passes);
}

TEST(Survey, OfAShopCountedByHand) {
  // Two users: {1, 1, 2 | 3} with a repeat, {1}; times one day apart.
  std::vector<HistoryEvent> events{{ItemIndex{1}, EventType::kPurchase, 1, 1, 0, 0},
                                   {ItemIndex{1}, EventType::kPurchase, 1, 1, 0, 0},
                                   {ItemIndex{2}, EventType::kPurchase, 1, 1, 0, 0},
                                   {ItemIndex{3}, EventType::kPurchase, 1, 1, kDay, 1},
                                   {ItemIndex{1}, EventType::kPurchase, 1, 1, kNoTime, 0}};
  const Histories histories(std::vector<std::uint64_t>{0, 4, 4, 5}, events, 2, 5);
  const Survey s = survey(histories);
  EXPECT_EQ(s.users, 1u);
  EXPECT_EQ(s.sessions, 1u);
  EXPECT_EQ(s.items, 3u);
  EXPECT_EQ(s.events, 5u);
  EXPECT_EQ(s.cells, 4u);
  EXPECT_DOUBLE_EQ(s.repeat_share, 0.2);
  EXPECT_DOUBLE_EQ(s.density, 4.0 / 6);
  EXPECT_DOUBLE_EQ(s.timed_share, 0.8);
  EXPECT_DOUBLE_EQ(s.days, 1);
  EXPECT_DOUBLE_EQ(s.basket_share, 1.0 / 3);
  EXPECT_DOUBLE_EQ(s.basket_size, 2);
  EXPECT_EQ(survey(Histories()).events, 0u);
  EXPECT_NE(survey_text(Survey()).find("no events"), std::string::npos);
}

}  // namespace
}  // namespace vitrine

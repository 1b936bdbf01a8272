#include "engine/tune.h"

#include <gtest/gtest.h>

#include <set>

#include "base/json.h"
#include "engine/engine_testing.h"

namespace vitrine {
namespace {

// 120 persons with one of four tastes each; what they take is of that taste, and somewhat random.
Histories planted() {
  const Random random(11);
  std::uint64_t draw = 0;
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  for (std::uint32_t p = 0; p < 120; ++p) {
    for (int e = 0; e < 12; ++e) {
      const auto taste = random.uniform(draw++) < 0.8 ? p % 4 : random.below(draw++, 4);
      HistoryEvent event;
      event.item = ItemIndex{static_cast<std::uint32_t>(4 * random.below(draw++, 15) + taste)};
      events.push_back(event);
    }
    offsets.push_back(events.size());
  }
  return {std::move(offsets), std::move(events), 120, 60};
}

class Tune : public ::testing::Test {
 protected:
  Tune() : split_(must(make_split(run_.run, planted(), last()))) {}

  static SplitOptions last() {
    SplitOptions options;
    options.kind = "last";
    options.hold_out = 2;
    return options;
  }
  static ModelConfig model(const std::string& kind) {
    return {kind, kind, must((*find_model(kind))->complete({}))};
  }
  TuneGround data(std::int64_t seed = 1) const {
    TuneGround on{split_, catalogue_};
    on.seed = seed;
    return on;
  }
  Result<TuneReport> tune(const TuneOptions& options, const std::string& kind = "item_knn",
                          std::int64_t seed = 1) {
    VT_TRY(TuneLog log, TuneLog::open(real_files(), options.resume));
    const vitrine::Run run{Random(static_cast<std::uint64_t>(seed)), run_.run.pool,
                           run_.run.monitor};
    VT_TRY(const auto tasks, tune_tasks({model(kind)}, options, false));
    return tune_models(run, tasks, data(seed), options, log);
  }
  static std::vector<std::string> lines_of(const TuneReport& report) {
    std::vector<std::string> lines;
    for (TuneTrial trial : report.trials) {
      trial.fit = {};
      lines.push_back(to_json(trial.to_json("ndcg@20", 1)));
    }
    return lines;
  }

  TestRun run_;
  Split split_;
  Catalogue catalogue_;
};

TEST_F(Tune, FindsSettingsAtLeastAsGoodAsTheConfiguredOnes) {
  TuneOptions options;
  options.trials = 15;
  const TuneReport report = must(tune(options));
  ASSERT_EQ(report.models.size(), 1u);
  ASSERT_EQ(report.trials.size(), 15u);
  const Tuned& best = report.models[0];
  EXPECT_EQ(best.configured, *report.trials[0].value);
  double most = 0;
  for (const TuneTrial& trial : report.trials) most = std::max(most, *trial.value);
  EXPECT_EQ(best.value, most);
  EXPECT_GE(best.value, best.configured);
  ASSERT_TRUE(best.fitted.has_value());
  EXPECT_NE(report.toml().find("[models.item_knn]"), std::string::npos);
}

TEST_F(Tune, TheSameSeedTriesTheSame) {
  TuneOptions options;
  options.trials = 14;
  EXPECT_EQ(lines_of(must(tune(options))), lines_of(must(tune(options))));
  EXPECT_NE(lines_of(must(tune(options)))[1], lines_of(must(tune(options, "item_knn", 2)))[1]);
}

TEST_F(Tune, GoesOnFromItsFileToTheSameResult) {
  for (const char* method : {"tpe", "random", "halving"}) {
    TempFolder folder;
    TuneOptions options;
    options.method = method;
    options.trials = 16;
    const auto expected = lines_of(must(tune(options)));
    options.resume = folder.file("trials.jsonl");
    options.trials = 7;
    must(tune(options));
    // A process that died while it wrote leaves half a line.
    const std::string text = must(read_file(real_files(), options.resume));
    const auto half = text.substr(0, text.size() - 20);
    ASSERT_TRUE(write_file_atomically(real_files(), options.resume, half).ok());
    options.trials = 16;
    EXPECT_EQ(lines_of(must(tune(options))), expected) << method;
    const std::string all = must(read_file(real_files(), options.resume));
    EXPECT_EQ(static_cast<std::size_t>(std::count(all.begin(), all.end(), '\n')), expected.size());
    // What is finished is not fitted again.
    const TuneReport again = must(tune(options));
    EXPECT_EQ(lines_of(again), expected);
    EXPECT_FALSE(again.models[0].fitted.has_value());
    EXPECT_EQ(must(read_file(real_files(), options.resume)), all);
  }
}

TEST_F(Tune, AFileOfAnotherSearchIsRefused) {
  TempFolder folder;
  TuneOptions options;
  options.trials = 4;
  options.resume = folder.file("trials.jsonl");
  must(tune(options));
  EXPECT_EQ(tune(options, "item_knn", 2).error().code, Code::kInvalid);
  options.ranges = {"shrinkage=0..50"};
  const auto other = tune(options);
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.error().message.find("another search"), std::string::npos);
  ASSERT_TRUE(write_file_atomically(real_files(), options.resume, "{}\n[1]\n").ok());
  EXPECT_NE(tune(options).error().message.find("trials.jsonl:1"), std::string::npos);
}

TEST_F(Tune, TrialsOfOtherDataSplitOrBaseSettingsAreRefused) {
  const ModelConfig base = model("item_knn");
  const std::string ground = ground_of(data(), base);
  EXPECT_EQ(ground_of(data(), base), ground);
  ModelConfig narrow = base;
  narrow.options.set("neighbours", 7);
  EXPECT_NE(ground_of(data(), narrow), ground);
  TuneGround summed = data();
  summed.interactions.binary = false;
  EXPECT_NE(ground_of(summed, base), ground);
  SplitOptions one = last();
  one.hold_out = 1;
  const Split other = must(make_split(run_.run, planted(), one));
  EXPECT_NE(ground_of({other, catalogue_}, base), ground);
  const Histories all = planted();
  std::vector<std::uint64_t> offsets(all.offsets().begin(), all.offsets().end());
  std::vector<HistoryEvent> events(all.events().begin(), all.events().end());
  events[0].weight = 2;
  const Split weighed =
      must(make_split(run_.run, Histories(std::move(offsets), std::move(events), 120, 60), last()));
  EXPECT_NE(ground_of({weighed, catalogue_}, base), ground);

  Split swapped{split_.train(), split_.description()};  // the same cases, another truth
  for (std::size_t c = 0; c < split_.cases(); ++c) {
    EvaluationCase asked = split_[c];
    const ItemIndex wanted{0};
    asked.truth = {&wanted, 1};
    asked.ratings = {};
    swapped.add_case(asked);
  }
  EXPECT_NE(ground_of({swapped, catalogue_}, base), ground);

  TempFolder folder;
  TuneOptions options;
  options.trials = 2;
  options.resume = folder.file("trials.jsonl");
  must(tune(options));
  TuneLog log = must(TuneLog::open(real_files(), options.resume));
  const auto tasks = must(tune_tasks({narrow}, options, false));
  const auto resumed = tune_models(run_.run, tasks, data(), options, log);
  ASSERT_FALSE(resumed.ok());
  EXPECT_NE(resumed.error().message.find("another search"), std::string::npos);
  // A file from before there were grounds.
  std::string text = must(read_file(real_files(), options.resume));
  for (std::size_t at; (at = text.find(",\"ground\":\"")) != std::string::npos;) text.erase(at, 28);
  ASSERT_TRUE(write_file_atomically(real_files(), options.resume, text).ok());
  EXPECT_NE(tune(options).error().message.find("another search"), std::string::npos);
}

TEST_F(Tune, HalvingKeepsTheBest) {
  TuneOptions options;
  options.method = "halving";
  options.trials = 1 + 9 + 5 + 3;
  const TuneReport report = must(tune(options));
  // By rung of the first bracket: nine settings on a ninth, three on a third, one on all.
  std::map<int, double> ninth, third;
  std::set<int> whole;
  for (const TuneTrial& trial : report.trials) {
    if (trial.number > 9) continue;
    if (trial.share < 0.2) ninth[trial.number] = *trial.value;
    if (trial.share > 0.2 && trial.share < 0.5) third[trial.number] = *trial.value;
    if (trial.share == 1 && trial.number > 0) whole.insert(trial.number);
  }
  ASSERT_EQ(ninth.size(), 9u);
  ASSERT_EQ(third.size(), 3u);
  ASSERT_EQ(whole.size(), 1u);
  for (const auto& [number, value] : ninth) {
    for (const auto& [kept, unused] : third) {
      EXPECT_TRUE(third.contains(number) || ninth[kept] >= value);
    }
  }
  for (const auto& [number, value] : third) EXPECT_GE(third[*whole.begin()], value);
}

TEST_F(Tune, EpochsAreChosenOnTheWay) {
  TuneOptions options;
  options.trials = 3;
  const TuneReport report = must(tune(options, "als"));
  const Tuned& best = report.models[0];
  for (const TuneTrial& trial : report.trials) {
    const Value* epochs = trial.settings.find("epochs");
    ASSERT_NE(epochs, nullptr);
    EXPECT_GE(*epochs->as_int(), 1);
    EXPECT_TRUE(*trial.value < best.value || *best.config.options.find("epochs") == *epochs);
  }
}

TEST_F(Tune, BadRangesAreErrors) {
  TuneOptions options;
  for (const char* range : {"lambda", "lambda=9..1", "lambda=0..1", "lamda=1..2",
                            "als.factors=1..2", "solver=dense|spares"}) {
    options.ranges = {range};
    const auto report = tune(options, "ease");
    ASSERT_FALSE(report.ok()) << range;
    EXPECT_EQ(report.error().code, Code::kInvalid) << range;
  }
  options.ranges = {"ease.lambda=1..2", "person_exponent=0|1"};
  options.trials = 2;
  EXPECT_TRUE(tune(options, "ease").ok());
}

TEST_F(Tune, WhatCannotBeFittedIsATrialWithoutValue) {
  std::vector<HistoryEvent> events;
  for (std::uint32_t i = 0; i < 1400; ++i) {
    events.emplace_back();
    events.back().item = ItemIndex{i < 700 ? i : 1399 - i};  // what one ends with, the other began
  }
  const Histories wide({std::vector<std::uint64_t>{0, 700, 1400}}, std::move(events), 2, 700);
  const Split split = must(make_split(run_.run, wide, last()));
  TuneOptions options;
  options.trials = 3;
  options.ranges = {"memory_limit_mb=1|2|8192", "lambda=100|200"};
  ModelConfig ease = model("ease");
  ease.options.set("memory_limit_mb", 1);  // too little for 700 x 700 floats
  TuneLog log;
  const TuneGround on{split, catalogue_};
  const auto tasks = must(tune_tasks({ease}, options, false));
  const TuneReport report = must(tune_models(run_.run, tasks, on, options, log));
  ASSERT_EQ(report.trials.size(), 3u);
  EXPECT_FALSE(report.trials[0].value.has_value());
  EXPECT_NE(report.trials[0].error.find("memory_limit_mb"), std::string::npos);
  options.trials = 1;
  EXPECT_EQ(tune_models(run_.run, tasks, on, options, log).error().code, Code::kExhausted);
}

TEST_F(Tune, StopsWhenTheTimeIsUp) {
  TuneOptions options;
  options.trials = 1000;
  options.seconds = 1e-6;
  const TuneReport report = must(tune(options));
  EXPECT_EQ(report.trials.size(), 1u);
  EXPECT_TRUE(report.out_of_time);
}

TEST_F(Tune, ARecipeIsTunedOnItsValidationPart) {
  TempFolder folder;
  std::string csv = "user,item\n";
  const Histories all = planted();
  for (std::size_t r = 0; r < all.rows(); ++r) {
    for (const HistoryEvent& event : all.row(r)) {
      csv += "u" + std::to_string(r) + ",i" + std::to_string(raw(event.item)) + "\n";
    }
  }
  ASSERT_TRUE(write_file_atomically(real_files(), folder.file("train.csv"), csv).ok());
  const std::string recipe = folder.file("recipe.toml");
  ASSERT_TRUE(write_file_atomically(
                  real_files(), recipe,
                  "name = \"a\"\nnote = \"b\"\nmodel = \"ease\"\nmetrics = [\"ndcg@20\"]\n"
                  "choose_by = \"ndcg@20\"\n[train]\npath = \"train.csv\"\nuser = \"user\"\n"
                  "item = \"item\"\ndefault_type = \"view\"\n[split]\nkind = \"last\"\n"
                  "[options]\nlambda = 50.0\n[tune]\nlambda = [10.0, 50, 200.0]\n")
                  .ok());
  TuneOptions options;
  const TuneReport report =
      must(tune_by_recipe(run_.run, real_files(), recipe, folder.file(""), options, 1));
  ASSERT_EQ(report.trials.size(), 3u);  // the whole list
  EXPECT_EQ(*report.trials[0].settings.find("lambda"), Value(50.0));
}

// Says cancel after some calls.
class Impatient final : public Monitor {
 public:
  explicit Impatient(int calls) : left_(calls) {}
  void begin(std::string_view, std::uint64_t, std::string_view) override {}
  Verdict advance(std::uint64_t) override {
    return --left_ < 0 ? Verdict::kCancel : Verdict::kContinue;
  }
  void end() override {}
  void note(std::string_view) override {}
  Usage usage() override { return {}; }

 private:
  std::atomic<int> left_;
};

TEST_F(Tune, CancellingKeepsWhatThereIs) {
  TuneOptions options;
  options.trials = 50;
  TuneLog log;
  Impatient later(60), at_once(0);
  const auto tasks = must(tune_tasks({model("item_knn")}, options, false));
  const auto some = tune_models({Random(1), run_.run.pool, later}, tasks, data(), options, log);
  ASSERT_TRUE(some.ok()) << some.error().message;
  EXPECT_TRUE(some->interrupted);
  EXPECT_GE(some->trials.size(), 1u);
  EXPECT_LT(some->trials.size(), 50u);
  const auto none = tune_models({Random(1), run_.run.pool, at_once}, tasks, data(), options, log);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, Code::kCancelled);
}

}  // namespace
}  // namespace vitrine

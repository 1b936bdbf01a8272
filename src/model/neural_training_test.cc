#include "model/neural_training.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/checkpoint.h"
#include "model/epochs.h"
#include "model/model_testing.h"
#include "nn/dense.h"
#include "nn/losses.h"
#include "tests/fault_files.h"
#include "tests/memory_files.h"
#include "tests/model_worlds.h"

namespace vitrine {
namespace {

constexpr std::string_view kFile = "checkpoints/fit.vta";
constexpr std::int64_t kNumbers = 24, kWidth = 5;

// Says something at one call, hears notes, and has a clock that goes on with every question.
class Scripted final : public Monitor {
 public:
  explicit Scripted(int at = 0, Verdict verdict = Verdict::kCancel) : left_(at), say_(verdict) {}
  void begin(std::string_view, std::uint64_t, std::string_view) override {}
  Verdict advance(std::uint64_t) override { return --left_ == 0 ? say_ : Verdict::kContinue; }
  void end() override {}
  void note(std::string_view line) override { notes += std::string(line) + "\n"; }
  Usage usage() override { return {.elapsed_s = elapsed_s_ += 1}; }
  bool reached() const { return left_ <= 0; }
  bool heard(std::string_view words) const { return notes.find(words) != std::string::npos; }
  std::string notes;

 private:
  int left_;
  Verdict say_;
  double elapsed_s_ = 0;
};

constexpr nn::ParameterId kTable{0}, kWeight{1};

nn::Parameters table_and_weight() {
  nn::Parameters parameters;
  parameters.add("table", kNumbers, kWidth, nn::Update::kRows);
  parameters.add("weight", kWidth, 1);
  return parameters;
}

class Frozen final : public Model {
 public:
  explicit Frozen(nn::Parameters p) : parameters(std::move(p)) {}
  void retrieve(std::span<const Query> queries, std::span<const ItemMask>, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(n));
  }
  void score(const Query&, std::span<const ItemIndex>, std::span<float>) const override {}
  void save(ArchiveWriter& writer) const override { parameters.save(writer, "parameters"); }
  const nn::Parameters parameters;
};

// Learns which numbers are odd: embeddings, dropout, one whole matrix.
class OddNumbers final : public NeuralTask {
 public:
  explicit OddNumbers(const Random& random) {
    parameters.fill_normal(kTable, random, 1);
    parameters.fill_glorot(kWeight, random);
  }
  std::int64_t examples() const override { return kNumbers; }
  void begin_batch(std::span<const std::uint32_t> batch, const Random& random) override {
    share_ = 1.0f / static_cast<float>(batch.size());
    // Something drawn per batch, as negatives are.
    share_ *= 1 + 0.1f * static_cast<float>(random.uniform(0));
    if (--poison_in == 0) share_ = std::numeric_limits<float>::quiet_NaN();
  }
  void build(nn::Tape& tape, int shard, std::span<const std::uint32_t> examples) override {
    std::vector<float>& labels = labels_[static_cast<std::size_t>(shard)];
    std::vector<float>& weights = weights_[static_cast<std::size_t>(shard)];
    labels.clear();
    for (const std::uint32_t n : examples) labels.push_back(static_cast<float>(n % 2));
    weights.assign(examples.size(), share_);
    const nn::Var x = nn::dropout(tape, nn::gather(tape, kTable, examples), 0.2f);
    nn::binary_loss(tape, nn::linear(tape, x, kWeight), labels, weights);
  }
  Result<std::unique_ptr<const Model>> finished(const nn::Parameters& now) override {
    return std::make_unique<const Frozen>(nn::Parameters(now));
  }
  // The table's rows rest in every third epoch.
  void begin_epoch(int epoch) override { rests_ = epoch % 3 == 2; }
  bool learns(nn::ParameterId id) const override { return !rests_ || id.index != kTable.index; }

  int right_answers(const nn::Parameters& of) const {
    int right = 0;
    for (std::int64_t n = 0; n < kNumbers; ++n) {
      float sum = 0;
      for (std::int64_t c = 0; c < kWidth; ++c) sum += of[kTable](n, c) * of[kWeight](c, 0);
      right += (sum > 0) == (n % 2 == 1);
    }
    return right;
  }

  nn::Parameters parameters = table_and_weight();
  int poison_in = 0;  // batches from now; 0: never

 private:
  float share_ = 1;
  bool rests_ = false;
  std::vector<float> labels_[kNeuralShards], weights_[kNeuralShards];
};

std::string bytes_of(const Model& model) {
  MemoryFiles files;
  ArchiveWriter writer(files, "model", "model");
  model.save(writer);
  EXPECT_TRUE(writer.finish().ok());
  return *read_file(files, "model");
}

// How a fit of OddNumbers is run; each fit() is another process, as far as it can tell.
struct Fit {
  NeuralOptions options = {.epochs = 4, .batch = 7, .learning_rate = 0.05, .average = 0.9};
  FileSystem* files = nullptr;  // null: without a checkpoint
  std::uint64_t seed = 3;
  std::uint32_t items = 4;
  int threads = 2, poison_in = 0;

  Result<std::string> fit(Monitor& monitor) const {
    ThreadPool pool(threads);
    const Run run{Random(seed), pool, monitor};
    const Histories histories = testing::full_histories(3, items);
    const Interactions interactions = build_interactions(histories, {});
    const Catalogue catalogue;
    TrainingSet set{histories, interactions, catalogue};
    std::optional<Checkpoint> checkpoint;
    if (files != nullptr) set.checkpoint = &checkpoint.emplace(*files, std::string(kFile), 0);
    OddNumbers task(run.random);
    task.poison_in = poison_in;
    Table settings{{"learning_rate", options.learning_rate}, {"epochs", options.epochs}};
    VT_TRY(const auto model,
           fit_neural(run, set, {"odd_numbers", options, settings, task.parameters, task}));
    return bytes_of(*model);
  }
  std::string bytes() const {
    Scripted quiet;
    const auto fitted = fit(quiet);
    EXPECT_TRUE(fitted.ok()) << fitted.error().message;
    return *fitted;
  }
};

TEST(NeuralTraining, LearnsAndLeavesNoCheckpoint) {
  MemoryFiles files;
  Fit how{.options = {.epochs = 60, .batch = 7, .learning_rate = 0.05}, .files = &files};
  OddNumbers task(Random(1));
  const testing::QuietRun run;
  const Histories histories;
  const Interactions interactions;
  const Catalogue catalogue;
  const auto model = fit_neural(run, {histories, interactions, catalogue},
                                {"odd_numbers", how.options, {}, task.parameters, task});
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(task.right_answers(static_cast<const Frozen&>(**model).parameters), kNumbers);
  const std::string with = how.bytes();
  EXPECT_FALSE(file_exists(files, std::string(kFile)));
  how.files = nullptr;
  EXPECT_TRUE(with == how.bytes()) << "keeping a state changes nothing";
}

TEST(NeuralTraining, SameBytesForAnyNumberOfThreads) {
  const std::string one = Fit{.threads = 1}.bytes();
  EXPECT_TRUE(one == Fit{.threads = 2}.bytes());
  EXPECT_TRUE(one == Fit{.threads = 5}.bytes());
  EXPECT_FALSE(one == Fit{.seed = 4}.bytes());
}

// Kills at every place in turn; `how` without files says what must come out.
void expect_resumed_at_every_place(Fit how) {
  const std::string whole = how.bytes();
  int places = 0;
  for (bool killed = true; killed; ++places) {
    MemoryFiles files;
    how.files = &files;
    how.threads = 1 + places % 3;
    Scripted killer(places + 1);
    const auto first = how.fit(killer);
    killed = !first.ok();
    if (killed) {
      ASSERT_EQ(first.error().code, Code::kCancelled);
    }
    const bool left = file_exists(files, std::string(kFile));
    Scripted again;
    const auto second = how.fit(again);
    ASSERT_TRUE(second.ok()) << second.error().message;
    ASSERT_TRUE(*second == whole) << "killed at " << places;
    EXPECT_EQ(again.heard("goes on in epoch"), left) << again.notes;
    EXPECT_TRUE(files.list("checkpoints")->empty());
  }
  EXPECT_GT(places, how.options.epochs * 4) << "four steps an epoch";
}

TEST(NeuralTraining, GoesOnAfterAKillAtAnyPlace) { expect_resumed_at_every_place({}); }

TEST(NeuralTraining, SchedulesGoOnToo) {
  std::vector<std::string> results;
  for (const char* schedule : {"constant", "linear", "cosine"}) {
    NeuralOptions options{.epochs = 3, .batch = 7, .learning_rate = 0.05};
    options.schedule = schedule;
    options.warmup = 5;
    options.weight_decay = 0.01;
    options.clip = 0.5;
    expect_resumed_at_every_place({.options = options});
    results.push_back(Fit{.options = options}.bytes());
  }
  EXPECT_FALSE(results[0] == results[1]);
  EXPECT_FALSE(results[1] == results[2]);
}

// Killed again and again, a step or two after each start.
TEST(NeuralTraining, ManyKillsEndLikeNone) {
  MemoryFiles files;
  const Fit how{.files = &files};
  int kills = 0;
  for (;; ++kills) {
    ASSERT_LT(kills, 100);
    Scripted killer(4);
    const auto fitted = how.fit(killer);
    if (!fitted.ok()) continue;
    EXPECT_TRUE(*fitted == Fit{}.bytes());
    break;
  }
  EXPECT_GT(kills, 4);
}

// A checkpoint of `how`, cut off somewhere in the second epoch.
void leave_a_checkpoint(const Fit& how) {
  Scripted killer(9);
  ASSERT_FALSE(how.fit(killer).ok());
  ASSERT_TRUE(file_exists(*how.files, std::string(kFile)));
}

TEST(NeuralTraining, ACheckpointOfAnotherFitIsSetAside) {
  const auto expect_set_aside = [](const Fit& other, const char* what) {
    MemoryFiles files;
    leave_a_checkpoint({.files = &files});
    Fit how = other;
    const std::string fresh = how.bytes();
    how.files = &files;
    Scripted monitor;
    const auto fitted = how.fit(monitor);
    ASSERT_TRUE(fitted.ok());
    EXPECT_TRUE(*fitted == fresh) << what;
    EXPECT_TRUE(monitor.heard("is of another fit")) << what << ": " << monitor.notes;
    EXPECT_FALSE(file_exists(files, std::string(kFile)));
  };
  expect_set_aside({.options = {.epochs = 4, .batch = 7, .learning_rate = 0.04}}, "settings");
  expect_set_aside({.seed = 4}, "seed");
  expect_set_aside({.items = 5}, "data");
}

TEST(NeuralTraining, ADamagedCheckpointIsSetAside) {
  MemoryFiles files;
  const Fit how{.files = &files};
  leave_a_checkpoint(how);
  const std::string good = *read_file(files, std::string(kFile)), whole = Fit{}.bytes();
  const auto expect_anew = [&](std::string damaged) {
    files.put(std::string(kFile), damaged);
    Scripted monitor;
    const auto fitted = how.fit(monitor);
    ASSERT_TRUE(fitted.ok()) << fitted.error().message;
    EXPECT_TRUE(*fitted == whole);
    EXPECT_TRUE(monitor.heard("is of no use")) << monitor.notes;
  };
  for (std::size_t size = 0; size < good.size(); size += 61) expect_anew(good.substr(0, size));
  for (std::size_t at = 0; at < good.size(); at += 67) {
    std::string damaged = good;
    damaged[at] = static_cast<char>(damaged[at] ^ 1 << at % 8);
    expect_anew(std::move(damaged));
  }
}

// Whole, of the right fit, and yet not what this program wrote.
TEST(NeuralTraining, AForgedCheckpointIsAnErrorThatNamesIt) {
  MemoryFiles files;
  const Fit how{.files = &files};
  const auto forge = [&](const std::function<void(ArchiveWriter&)>& write) {
    leave_a_checkpoint(how);
    std::string fingerprint;
    {
      const auto reader = ArchiveReader::open(files, std::string(kFile), "checkpoint");
      fingerprint = *(*reader)->document("fingerprint")->as_string();
    }
    ASSERT_TRUE(Checkpoint(files, std::string(kFile), 0).save(fingerprint, write).ok());
    Scripted monitor;
    const auto fitted = how.fit(monitor);
    ASSERT_FALSE(fitted.ok());
    EXPECT_EQ(fitted.error().code, Code::kCorrupt);
    EXPECT_NE(fitted.error().message.find(std::string(kFile) + " does not fit; remove it"),
              std::string::npos)
        << fitted.error().message;
    ASSERT_TRUE(files.remove(std::string(kFile)).ok());
  };
  forge([](ArchiveWriter&) {});
  for (const auto& [epoch, batch] : {std::pair{4, 0}, {-1, 0}, {0, -1}, {0, 5}}) {
    forge([e = epoch, b = batch](ArchiveWriter& writer) {
      writer.document("epoch", e);
      writer.document("batch", b);
      writer.document("has_best", false);
    });
  }
  forge([](ArchiveWriter& writer) {
    writer.document("epoch", 1);
    writer.document("batch", 1);
    writer.document("has_best", false);
    writer.tensor("parameters/table", std::vector<float>(6), {2, 3});
  });
}

TEST(NeuralTraining, AFailingDiskStopsItAndLeavesTheLastState) {
  const std::string whole = Fit{}.bytes();
  int failures = 0;
  for (std::uint64_t n = 1;; ++n) {
    MemoryFiles memory;
    FaultFiles files(memory);
    const Fit how{.files = &files};
    files.fail_call(n, Error{Code::kIo, "injected"});
    Scripted monitor;
    const std::uint64_t before = files.calls();
    const auto fitted = how.fit(monitor);
    if (files.calls() - before < n) break;
    if (fitted.ok()) {  // at the very end, when there was a model already
      EXPECT_TRUE(*fitted == whole);
      EXPECT_TRUE(monitor.heard("injected"));
    } else {
      ++failures;
      EXPECT_EQ(fitted.error().code, Code::kIo);
      EXPECT_NE(fitted.error().message.find("checkpoints"), std::string::npos);
    }
    files.fail_call(0, Error{});
    EXPECT_TRUE(how.bytes() == whole) << n;
  }
  EXPECT_GT(failures, 90);
}

TEST(NeuralTraining, WhatIsNotFiniteStopsItAndNamesThePlace) {
  MemoryFiles files;
  Fit how{.files = &files, .poison_in = 7};
  Scripted monitor;
  const auto fitted = how.fit(monitor);
  ASSERT_FALSE(fitted.ok());
  EXPECT_EQ(fitted.error().code, Code::kInvalid);
  const std::string& said = fitted.error().message;
  EXPECT_NE(said.find("epoch 2: "), std::string::npos) << said;
  EXPECT_NE(said.find("step 7"), std::string::npos) << said;
  EXPECT_NE(said.find(std::string(kFile) + " holds the last state"), std::string::npos) << said;
  how.poison_in = 0;  // it was the hardware, say
  EXPECT_TRUE(how.bytes() == Fit{}.bytes());
  Scripted quiet;
  const auto without = Fit{.poison_in = 1}.fit(quiet);
  EXPECT_EQ(without.error().message.find("holds"), std::string::npos) << "there is no file";
}

TEST(NeuralTraining, FinishingEarlyKeepsTheModelAndNotTheCheckpoint) {
  std::vector<std::string> by_epochs;
  for (int epochs = 1; epochs <= 4; ++epochs) {
    Fit how;
    how.options.epochs = epochs;
    by_epochs.push_back(how.bytes());
  }
  for (int at = 1; at <= 20; ++at) {
    MemoryFiles files;
    Scripted finisher(at, Verdict::kFinish);
    const auto fitted = Fit{.files = &files}.fit(finisher);
    ASSERT_TRUE(fitted.ok());
    EXPECT_TRUE(finisher.reached());
    // Five calls an epoch, the last of them at its end; one more before the first.
    const auto epoch = static_cast<std::size_t>(std::max(at - 2, 0) / 5);
    EXPECT_TRUE(*fitted == by_epochs[epoch]) << at;
    EXPECT_FALSE(file_exists(files, std::string(kFile)));
  }
}

// Likes the second measurement best and loses patience two measurements later.
class LikesTheSecond final : public Validator {
 public:
  Result<Answer> measure(const Run&, const Model&) override {
    ++measured_;
    return Answer{measured_ <= 2, measured_ < 4};
  }
  Value state() const override { return Table{{"measured", measured_}, {"watches", "turns"}}; }
  Status restore(const Value& state) override {
    measured_ = static_cast<int>(*state.as_table()->find("measured")->as_int());
    return {};
  }
  int measured() const { return measured_; }

 private:
  int measured_ = 0;
};

// A kind of all_models(), whose best state comes back through its load().
class SasrecTraining : public ::testing::Test {
 protected:
  static Table options(int epochs) {
    return {{"epochs", epochs}, {"batch", 16}, {"factors", 8},
            {"length", 5},      {"blocks", 1}, {"negatives", 16}};
  }
  Result<std::string> fit(const Table& options, FileSystem* files, Validator* validator,
                          Monitor& monitor) const {
    ThreadPool pool(2);
    TrainingSet set = world_.set();
    std::optional<Checkpoint> checkpoint;
    if (files != nullptr) set.checkpoint = &checkpoint.emplace(*files, std::string(kFile), 0);
    set.validator = validator;
    VT_TRY(const ModelKind* kind, find_model("sasrec"));
    VT_TRY(const auto model, kind->fit({Random(5), pool, monitor}, options, set, nullptr));
    return bytes_of(*model);
  }

  const testing::World world_ =
      testing::planted_world(4, {.persons = 40, .tastes = 3, .items_per_taste = 4});
};

TEST_F(SasrecTraining, EarlyStoppingGoesOnAfterAKillAtAnyPlace) {
  Scripted quiet;
  LikesTheSecond uninterrupted;
  const std::string whole = *fit(options(9), nullptr, &uninterrupted, quiet);
  EXPECT_EQ(uninterrupted.measured(), 4);
  int places = 0;
  for (bool killed = true; killed; ++places) {
    MemoryFiles files;
    Scripted killer(places + 1), again;
    LikesTheSecond first, second;
    killed = !fit(options(9), &files, &first, killer).ok();
    const auto fitted = fit(options(9), &files, &second, again);
    ASSERT_TRUE(fitted.ok()) << fitted.error().message;
    ASSERT_TRUE(*fitted == whole) << "killed at " << places;
    EXPECT_EQ(second.measured(), 4);
    EXPECT_FALSE(file_exists(files, std::string(kFile)));
  }
  EXPECT_GT(places, 12);
}

TEST_F(SasrecTraining, AValidatorIsPartOfWhatIsFitted) {
  MemoryFiles files;
  Scripted quiet, killer(9), alone;
  const std::string without = *fit(options(3), nullptr, nullptr, quiet);
  LikesTheSecond validator;
  ASSERT_FALSE(fit(options(3), &files, &validator, killer).ok());
  ASSERT_TRUE(file_exists(files, std::string(kFile)));
  EXPECT_TRUE(*fit(options(3), &files, nullptr, alone) == without);
  EXPECT_TRUE(alone.heard("is of another fit")) << alone.notes;
}

// Members of a blend keep their states apart.
TEST_F(SasrecTraining, AMemberOfABlendGoesOn) {
  const Table small = options(2);
  Table members{{"item_knn", Table()}, {"sasrec", small}};
  List weights{"item_knn=1", "sasrec=1"};
  const Table blend{{"members", members}, {"weights", weights}};
  const ModelKind* kind = *find_model("blend");
  const Table complete = *kind->complete(blend);
  MemoryFiles files;
  std::optional<std::string> whole;
  for (const int kill_at : {0, 9, 0}) {
    Scripted monitor(kill_at);
    ThreadPool pool(2);
    Checkpoint checkpoint(files, std::string(kFile), 0);
    TrainingSet set = world_.set();
    set.checkpoint = &checkpoint;
    const auto model = kind->fit({Random(5), pool, monitor}, complete, set, nullptr);
    const bool left = file_exists(files, "checkpoints/fit.sasrec.vta");
    EXPECT_EQ(left, !model.ok());
    EXPECT_EQ(model.ok(), kill_at == 0);
    if (!model.ok()) continue;
    EXPECT_EQ(monitor.heard("goes on in epoch"), whole.has_value()) << monitor.notes;
    if (whole) {
      EXPECT_TRUE(bytes_of(**model) == *whole);
    }
    whole = bytes_of(**model);
  }
}

}  // namespace
}  // namespace vitrine

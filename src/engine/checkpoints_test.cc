#include "engine/checkpoints.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "engine/engine_testing.h"

namespace vitrine {
namespace {

// One neural model of a few steps, and where it may be interrupted.
constexpr std::string_view kNeural = R"([train]
models = ['popularity', 'sasrec']
[models.popularity]
[models.sasrec]
epochs = 3
batch = 32
factors = 8
length = 6
blocks = 1
negatives = 16
)";

// Cancels at one call, hears notes, and has a clock that is an hour later at every question.
class Interrupting final : public Monitor {
 public:
  explicit Interrupting(int at = 0) : left_(at) {}
  void begin(std::string_view stage, std::uint64_t, std::string_view) override {
    in_neural_ = stage == "sasrec";
  }
  Verdict advance(std::uint64_t) override {
    if (in_neural_) ++steps;
    return in_neural_ && --left_ == 0 ? Verdict::kCancel : Verdict::kContinue;
  }
  void end() override { in_neural_ = false; }
  void note(std::string_view line) override { notes += std::string(line) + "\n"; }
  Usage usage() override { return {.elapsed_s = elapsed_s_ += 3600}; }
  bool heard(std::string_view words) const { return notes.find(words) != std::string::npos; }
  std::string notes;
  int steps = 0;  // calls of neural fits

 private:
  int left_;
  bool in_neural_ = false;
  double elapsed_s_ = 0;
};

class Checkpoints : public ::testing::Test {
 protected:
  std::unique_ptr<Engine> shop() const {
    return filled_shop(shop_config(folder_, kNeural), OpenMode::kTool, false);
  }
  static Result<TrainReport> train(Engine& engine, Interrupting& monitor) {
    ThreadPool pool(2);
    return engine.train(vitrine::Run{Random(1), pool, monitor}, {true, "", true});
  }
  std::string published(const Engine& engine) const {
    const std::string place = folder_.file("shop/snapshots/" + engine.status().snapshot);
    return must(read_file(real_files(), place + "/manifest.json")) +
           must(read_file(real_files(), place + "/models/sasrec.vta"));
  }
  std::vector<std::string> left() const {
    auto names = real_files().list(folder_.file("shop/checkpoints"));
    return names.ok() ? std::move(names).value() : std::vector<std::string>();
  }

  const TempFolder folder_;
};

using Names = std::vector<std::string>;

TEST_F(Checkpoints, AnInterruptedTrainingGoesOnToTheSameBytes) {
  const auto engine = shop();
  Interrupting undisturbed;
  must(train(*engine, undisturbed));
  const std::string whole = published(*engine);
  EXPECT_TRUE(left().empty());
  const int half = undisturbed.steps / 2;
  ASSERT_GT(half, 6);
  int resumed = 0;
  for (int at = 1; at <= undisturbed.steps; at += 2) {
    Interrupting interrupting(at), again;
    const auto first = train(*engine, interrupting);
    ASSERT_FALSE(first.ok());
    EXPECT_EQ(first.error().code, Code::kCancelled);
    const Names names = left();
    EXPECT_EQ(at > half + 3, names.size() == 2) << at << ": the validation's stays";
    must(train(*engine, again));
    EXPECT_TRUE(published(*engine) == whole) << "interrupted at " << at;
    EXPECT_EQ(again.heard("sasrec: goes on in epoch"), !names.empty()) << again.notes;
    EXPECT_TRUE(left().empty());
    resumed += names.empty() ? 0 : 1;
  }
  EXPECT_GT(resumed, half / 2);
}

TEST_F(Checkpoints, ManyInterruptionsEndLikeNone) {
  const auto engine = shop();
  Interrupting undisturbed;
  must(train(*engine, undisturbed));
  const std::string whole = published(*engine);
  int interruptions = 0;
  for (;; ++interruptions) {
    ASSERT_LT(interruptions, 100) << "it never ends";
    Interrupting interrupting(9);
    if (train(*engine, interrupting).ok()) break;
  }
  EXPECT_GT(interruptions, 2);
  EXPECT_TRUE(published(*engine) == whole);
  EXPECT_TRUE(left().empty());
}

TEST_F(Checkpoints, ALogThatHasGrownMeansAnew) {
  const auto engine = shop();
  Interrupting interrupting(7), again, fresh;
  ASSERT_FALSE(train(*engine, interrupting).ok());
  ASSERT_EQ(left(), Names{"sasrec-validation.vta"});
  must(engine->add_events(
      std::vector{purchase("u0", item_id(0, 3), kShopOpens + 5 * kDay, "another")}));
  must(train(*engine, again));
  EXPECT_TRUE(again.heard("sasrec-validation.vta is of another fit")) << again.notes;
  EXPECT_FALSE(again.heard("goes on"));
  EXPECT_TRUE(left().empty());
  const std::string resumed = published(*engine);
  must(train(*engine, fresh));
  EXPECT_EQ(fresh.notes, "");
  EXPECT_TRUE(published(*engine) == resumed);
}

TEST_F(Checkpoints, WhatOthersLeftGoesWhenTrainingSucceeds) {
  const auto engine = shop();
  std::filesystem::create_directories(folder_.file("shop/checkpoints"));
  for (const char* name : {"gone-final.vta", "sasrec-validation.vta.partial", "README"}) {
    must(write_file_atomically(real_files(), folder_.file("shop/checkpoints/") + name, "old"));
  }
  Interrupting interrupting(7), again;
  ASSERT_FALSE(train(*engine, interrupting).ok());
  EXPECT_EQ(left(), (Names{"README", "gone-final.vta", "sasrec-validation.vta"}));
  must(train(*engine, again));
  EXPECT_EQ(left(), Names{"README"});
}

TEST_F(Checkpoints, NeverMeansNever) {
  const auto engine =
      filled_shop(shop_config(folder_, std::string(kNeural).insert(8, "checkpoint_minutes = 0\n")),
                  OpenMode::kTool, false);
  ASSERT_EQ(engine->config().train.checkpoint_minutes, 0);
  Interrupting interrupting(7), again;
  ASSERT_FALSE(train(*engine, interrupting).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_.file("shop/checkpoints")));
  must(train(*engine, again));
  EXPECT_EQ(again.notes, "");
}

// A server that is stopped and started again.
TEST_F(Checkpoints, ARestartedServerGoesOn) {
  const Config config = shop_config(folder_, kNeural);
  {
    const auto engine = filled_shop(config, OpenMode::kTool, false);
    Interrupting interrupting(7);
    ASSERT_FALSE(train(*engine, interrupting).ok());
  }
  ASSERT_EQ(left(), Names{"sasrec-validation.vta"});
  const auto engine = open_shop(config, OpenMode::kServe);
  must(engine->start_training({}));
  for (int i = 0; i < 600 && engine->status().training == "running"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(engine->status().training, "idle");
  EXPECT_TRUE(left().empty());
}

}  // namespace
}  // namespace vitrine

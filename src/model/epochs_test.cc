#include "model/epochs.h"

#include <gtest/gtest.h>

#include "model/model_testing.h"

namespace vitrine {
namespace {

// Remembers the epoch that it was made after.
class Numbered final : public Model {
 public:
  explicit Numbered(int n) : number(n) {}
  void retrieve(std::span<const Query> queries, std::span<const ItemMask>, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(n));
  }
  void score(const Query&, std::span<const ItemIndex>, std::span<float>) const override {}
  void save(ArchiveWriter&) const override {}
  const int number;
};

// Likes one epoch best and gives up after another.
class Scripted final : public Validator {
 public:
  Scripted(int best, int last) : best_(best), last_(last) {}
  Result<Answer> measure(const Run&, const Model& model) override {
    const int number = static_cast<const Numbered&>(model).number;
    measured.push_back(number);
    if (last_ < 0) return Error{Code::kInvalid, "no such metric"};
    return Answer{number <= best_, number < last_};
  }
  Value state() const override { return Table(); }
  Status restore(const Value&) override { return {}; }
  std::vector<int> measured;

 private:
  int best_, last_;
};

// Gives a verdict at each call in turn, then goes on.
class Deciding final : public Monitor {
 public:
  explicit Deciding(std::vector<Verdict> verdicts) : verdicts_(std::move(verdicts)) {}
  void begin(std::string_view, std::uint64_t total, std::string_view) override { total_ = total; }
  Verdict advance(std::uint64_t done) override {
    EXPECT_LE(done, total_);
    return calls_ < verdicts_.size() ? verdicts_[calls_++] : Verdict::kContinue;
  }
  void end() override {}
  void note(std::string_view) override {}
  Usage usage() override { return {}; }

 private:
  std::vector<Verdict> verdicts_;
  std::uint64_t total_ = 0;
  std::size_t calls_ = 0;
};

// Fits `epochs` epochs of two parts each; the number of the model that comes out.
Result<int> fitted(Monitor& monitor, Validator* validator, int epochs, int measure_every = 1) {
  ThreadPool pool(1);
  const Run run{Random(1), pool, monitor};
  int state = 0;
  Epochs loop(
      run, validator, "numbers", epochs,
      [&]() -> Result<std::unique_ptr<const Model>> {
        return std::make_unique<const Numbered>(state);
      },
      measure_every);
  while (loop.next()) {
    EXPECT_EQ(loop.done(), state);
    VT_TRY(loop.part(1, 2));
    ++state;
  }
  VT_TRY(const auto model, loop.model());
  return static_cast<const Numbered&>(*model).number;
}

TEST(Epochs, WithoutValidatorTheLastStateCounts) {
  QuietMonitor quiet;
  EXPECT_EQ(*fitted(quiet, nullptr, 5), 5);
}

TEST(Epochs, TheValidatorsBestIsKept) {
  QuietMonitor quiet;
  Scripted until_five(2, 5);
  EXPECT_EQ(*fitted(quiet, &until_five, 9), 2);
  EXPECT_EQ(until_five.measured, (std::vector<int>{1, 2, 3, 4, 5}));
  Scripted seldom(9, 9);
  EXPECT_EQ(*fitted(quiet, &seldom, 7, 3), 7);
  EXPECT_EQ(seldom.measured, (std::vector<int>{3, 6, 7}));
  Scripted broken(0, -1);
  EXPECT_EQ(fitted(quiet, &broken, 9).error().code, Code::kInvalid);
}

TEST(Epochs, TheMonitorDecides) {
  using enum Verdict;
  Deciding at_once({kFinish});
  EXPECT_EQ(*fitted(at_once, nullptr, 9), 1) << "one epoch in any case";
  Deciding in_the_second({kContinue, kContinue, kContinue, kFinish});
  EXPECT_EQ(*fitted(in_the_second, nullptr, 9), 2) << "at the end of the epoch";
  Scripted validator(1, 9);
  Deciding third({kContinue, kContinue, kContinue, kContinue, kContinue, kFinish});
  EXPECT_EQ(*fitted(third, &validator, 9), 1) << "the best that was measured";
  for (std::size_t at = 0; at < 5; ++at) {
    std::vector<Verdict> verdicts(at, kContinue);
    verdicts.push_back(kCancel);
    Deciding cancelling(verdicts);
    EXPECT_EQ(fitted(cancelling, nullptr, 2).error().code, Code::kCancelled);
  }
}

}  // namespace
}  // namespace vitrine

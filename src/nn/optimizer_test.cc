#include "nn/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "nn/dense.h"
#include "nn/losses.h"
#include "tests/memory_files.h"

namespace vitrine::nn {
namespace {

constexpr std::uint32_t kIds[] = {2, 0, 2}, kWrong[] = {1, 3};
constexpr float kWeights[] = {1, 1, 1};

// A table whose rows 0 and 2 learn to be near their partner and far from the others.
struct Small {
  Parameters parameters;
  ParameterId table, other;
  Small() {
    table = parameters.add("table", 5, 3, Update::kRows);
    other = parameters.add("other", 3, 3);
    parameters.fill_normal(table, Random(1), 1);
    parameters.fill_normal(other, Random(1), 1);
  }
  void fill(Tape& tape) const {
    tape.begin(Tape::Mode::kTraining, Random(2));
    Candidates c;
    c.weights = kWeights, c.right_ids = kIds, c.wrong_ids = kWrong;
    candidate_loss(tape, linear(tape, gather(tape, table, kIds), other), gather(tape, table, kIds),
                   gather(tape, table, kWrong), c);
    tape.backward();
  }
};

TEST(Optimizer, FirstStepMovesByTheRateAndLeavesOtherRowsAlone) {
  Small s;
  const Matrix& m = s.parameters[s.table];
  std::vector<float> before(m.data(), m.data() + m.rows() * m.stride());
  Optimizer optimizer(s.parameters, {0.01});
  Tape tape(s.parameters);
  s.fill(tape);
  ThreadPool pool(1);
  Tape* const tapes[] = {&tape};
  ASSERT_TRUE(optimizer.step(pool, tapes, 1).ok());
  for (std::int64_t r = 0; r < 5; ++r) {
    for (std::int64_t c = 0; c < 3; ++c) {
      const float moved = std::abs(m(r, c) - before[static_cast<std::size_t>(r * m.stride() + c)]);
      if (r == 4)
        EXPECT_EQ(moved, 0);
      else
        EXPECT_NEAR(moved, 0.01f, 1e-4f);  // Adam's first step is the sign of the gradient
    }
  }
}

double train(Small& s, ThreadPool& pool, int steps, const AdamOptions& options) {
  Optimizer optimizer(s.parameters, options);
  Tape one(s.parameters), two(s.parameters);
  Tape* const tapes[] = {&one, &two};
  for (int i = 0; i < steps; ++i) {
    pool.run(2, [&](std::int64_t t) { s.fill(*tapes[t]); });
    EXPECT_TRUE(optimizer.step(pool, tapes, 1).ok());
  }
  return one.loss();
}

TEST(Optimizer, LearnsAndIsTheSameForAnyNumberOfThreads) {
  Small alone, many, few;
  ThreadPool one(1), four(4);
  const double trained = train(alone, one, 200, {0.05});
  EXPECT_LT(trained, 0.2 * train(few, one, 1, {0.05}));
  EXPECT_EQ(trained, train(many, four, 200, {0.05}));
  for (std::int64_t r = 0; r < 5; ++r)
    for (std::int64_t c = 0; c < 3; ++c)
      EXPECT_EQ(alone.parameters[alone.table](r, c), many.parameters[many.table](r, c));
}

TEST(Optimizer, StopsAtNumbersThatAreNotFinite) {
  Small s;
  s.parameters[s.other](0, 0) = std::numeric_limits<float>::infinity();
  const float before = s.parameters[s.table](0, 0);
  ThreadPool pool(1);
  Optimizer optimizer(s.parameters, {0.01});
  Tape tape(s.parameters);
  s.fill(tape);
  Tape* const tapes[] = {&tape};
  const Status status = optimizer.step(pool, tapes, 1);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kInvalid);
  EXPECT_EQ(s.parameters[s.table](0, 0), before);
}

TEST(Optimizer, ClipsTheWholeGradient) {
  // With a gradient that is bounded to almost nothing, epsilon outweighs it and nothing moves.
  Small s;
  ThreadPool pool(1);
  const float before = s.parameters[s.other](0, 0);
  train(s, pool, 3, {.rate = 0.01, .epsilon = 1.0, .clip = 1e-12});
  EXPECT_NEAR(s.parameters[s.other](0, 0), before, 1e-9);
}

TEST(Optimizer, ResumesExactly) {
  ThreadPool pool(1);
  MemoryFiles files;
  Small whole, halves;
  const auto steps = [&](Small& s, Optimizer& optimizer, int count) {
    Tape tape(s.parameters);
    Tape* const tapes[] = {&tape};
    for (int i = 0; i < count; ++i) {
      s.fill(tape);
      ASSERT_TRUE(optimizer.step(pool, tapes, 1).ok());
    }
  };
  Optimizer straight(whole.parameters, {0.02});
  steps(whole, straight, 10);
  {
    Optimizer first(halves.parameters, {0.02});
    steps(halves, first, 4);
    ArchiveWriter writer(files, "checkpoint", "test");
    halves.parameters.save(writer, "parameters");
    first.save(writer, "optimizer");
    ASSERT_TRUE(writer.finish().ok());
  }
  Small resumed;
  Optimizer second(resumed.parameters, {0.02});
  const auto reader = ArchiveReader::open(files, "checkpoint", "test");
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(resumed.parameters.load(**reader, "parameters").ok());
  ASSERT_TRUE(second.load(**reader, "optimizer").ok());
  steps(resumed, second, 6);
  for (std::int64_t r = 0; r < 5; ++r)
    for (std::int64_t c = 0; c < 3; ++c)
      EXPECT_EQ(whole.parameters[whole.table](r, c), resumed.parameters[resumed.table](r, c));
}

TEST(Optimizer, SchedulesAreTheirDefinitions) {
  EXPECT_DOUBLE_EQ(schedule_share(Schedule::kConstant, 0, 4, 10), 0.25);
  EXPECT_DOUBLE_EQ(schedule_share(Schedule::kConstant, 9, 4, 10), 1);
  EXPECT_DOUBLE_EQ(schedule_share(Schedule::kLinear, 5, 0, 10), 0.5);
  EXPECT_DOUBLE_EQ(schedule_share(Schedule::kCosine, 5, 0, 10), 0.5);
  EXPECT_NEAR(schedule_share(Schedule::kCosine, 10, 0, 10), 0, 1e-12);
}

}  // namespace
}  // namespace vitrine::nn

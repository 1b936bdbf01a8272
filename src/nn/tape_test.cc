// Every operation's gradient against finite differences.
#include "nn/tape.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "nn/dense.h"
#include "nn/losses.h"
#include "nn/segments.h"

namespace vitrine::nn {
namespace {

using Build = std::function<void(Tape&)>;

double loss_of(const Parameters& parameters, const Build& build) {
  Tape tape(parameters);
  tape.begin(Tape::Mode::kTraining, Random(5));
  build(tape);
  return tape.loss();
}

// What backward() says of one number of a parameter, whole or by rows.
std::vector<Matrix> gradients_of(const Parameters& parameters, const Build& build) {
  Tape tape(parameters);
  tape.begin(Tape::Mode::kTraining, Random(5));
  build(tape);
  tape.backward();
  std::vector<Matrix> all;
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const ParameterId id{static_cast<std::int32_t>(p)};
    const Matrix& m = parameters[id];
    Matrix sum(m.rows(), m.cols());
    if (const Matrix* whole = tape.whole_gradient(id)) {
      for (std::int64_t r = 0; r < m.rows(); ++r)
        for (std::int64_t c = 0; c < m.cols(); ++c) sum(r, c) += (*whole)(r, c);
    }
    for (const auto& g : tape.row_gradients()) {
      if (g.id.index != id.index) continue;
      for (std::size_t i = 0; i < g.rows.size(); ++i)
        for (std::int64_t c = 0; c < m.cols(); ++c)
          sum(g.rows[i], c) += g.scale * g.values[static_cast<std::int64_t>(i) * m.cols() + c];
    }
    all.push_back(std::move(sum));
  }
  return all;
}

void expect_right_gradients(Parameters& parameters, const Build& build, float step = 1e-2f) {
  const std::vector<Matrix> gradients = gradients_of(parameters, build);
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const ParameterId id{static_cast<std::int32_t>(p)};
    Matrix& m = parameters[id];
    for (std::int64_t r = 0; r < m.rows(); ++r) {
      for (std::int64_t c = 0; c < m.cols(); ++c) {
        const float before = m(r, c);
        m(r, c) = before + step;
        const double above = loss_of(parameters, build);
        m(r, c) = before - step;
        const double below = loss_of(parameters, build);
        m(r, c) = before;
        const double slope = (above - below) / (2 * double{step});
        EXPECT_NEAR(double{gradients[p](r, c)}, slope, 3e-3 + 1e-2 * std::abs(slope))
            << parameters.name(id) << " " << r << "," << c;
      }
    }
  }
}

// A sum of all outputs, each with its own factor.
void add_up(Tape& tape, Var y) {
  double sum = 0;
  const auto factor = [](std::int64_t i) {
    return static_cast<float>(Random(3).uniform(static_cast<std::uint64_t>(i)) * 2 - 1);
  };
  for (std::int64_t i = 0; i < tape.size(y); ++i)
    sum += double{factor(i)} * double{tape.value(y)[i]};
  tape.add_loss(sum, [=](Tape& t) {
    for (std::int64_t i = 0; i < t.size(y); ++i) t.gradient(y)[i] += factor(i);
  });
}

// Parameters of 7 x 5 and 7 x 5 numbers, and what depends on them.
struct Pair {
  Parameters parameters;
  ParameterId a, b;
  explicit Pair(std::int64_t rows = 7, std::int64_t cols = 5) {
    a = parameters.add("a", rows, cols);
    b = parameters.add("b", rows, cols);
    parameters.fill_normal(a, Random(1), 1);
    parameters.fill_normal(b, Random(1), 1);
  }
};

// A parameter as an ordinary matrix, contiguous.
Var whole(Tape& tape, ParameterId id) {
  const Matrix& m = tape.parameters()[id];
  std::vector<std::uint32_t> rows(static_cast<std::size_t>(m.rows()));
  for (std::uint32_t r = 0; r < rows.size(); ++r) rows[r] = r;
  return select(tape, tape.parameter(id), tape.copy(std::span<const std::uint32_t>(rows)));
}

using Unary = std::function<Var(Tape&, Var)>;
void expect_right(const Unary& operation) {
  Pair p;
  expect_right_gradients(p.parameters, [&](Tape& t) { add_up(t, operation(t, whole(t, p.a))); });
}

TEST(Tape, Activations) {
  for (const Activation kind : {Activation::kGelu, Activation::kSilu, Activation::kSigmoid,
                                Activation::kTanh, Activation::kRelu}) {
    SCOPED_TRACE(static_cast<int>(kind));
    expect_right([&](Tape& t, Var x) { return activate(t, kind, x); });
  }
}

TEST(Tape, ShapesAndSums) {
  static constexpr std::uint32_t kRows[] = {3, 0, 3, 6};
  static constexpr std::uint32_t kOffsets[] = {0, 2, 2, 7};
  expect_right([](Tape& t, Var x) { return scale(t, x, -2.5f); });
  expect_right([](Tape& t, Var x) { return normalize(t, x); });
  expect_right([](Tape& t, Var x) { return columns(t, x, 1, 3); });
  expect_right([](Tape& t, Var x) { return select(t, x, kRows); });
  expect_right([](Tape& t, Var x) { return dropout(t, x, 0.4f); });
  expect_right([](Tape& t, Var x) { return segment_mean(t, x, kOffsets); });
  expect_right([](Tape& t, Var x) { return multiply(t, x, x); });
  for (const float rate : {0.0f, 0.5f}) {
    Pair p;
    expect_right_gradients(p.parameters, [&](Tape& t) {
      add_up(t, add_dropout(t, whole(t, p.a), whole(t, p.b), rate));
    });
  }
  Pair p;
  expect_right_gradients(p.parameters, [&](Tape& t) {
    const Var a = whole(t, p.a), b = whole(t, p.b);
    add_up(t, concat(t, add(t, a, b), multiply(t, a, b)));
  });
}

TEST(Tape, LinearAndLayerNorm) {
  Pair p;
  const ParameterId weight = p.parameters.add("weight", 5, 6),
                    bias = p.parameters.add("bias", 1, 6);
  const ParameterId gain = p.parameters.add("gain", 1, 6), shift = p.parameters.add("shift", 1, 6);
  for (const ParameterId id : {weight, bias, gain, shift})
    p.parameters.fill_normal(id, Random(2), 1);
  expect_right_gradients(p.parameters, [&](Tape& t) {
    const Var y = linear(t, add(t, whole(t, p.a), whole(t, p.b)), weight, bias);
    add_up(t, layer_norm(t, y, gain, shift));
  });
  expect_right_gradients(p.parameters,
                         [&](Tape& t) { add_up(t, linear(t, t.parameter(p.a), weight)); });
  expect_right_gradients(p.parameters, [&](Tape& t) {
    add_up(t, products(t, whole(t, p.a), t.parameter(p.b)));
    add_up(t, add_row(t, linear(t, whole(t, p.b), weight), shift));
  });
}

TEST(Tape, Embeddings) {
  static constexpr std::uint32_t kIds[] = {4, 1, 4, 0, 2}, kOffsets[] = {0, 3, 3, 5};
  static constexpr float kWeights[] = {0.5f, -1, 2, 1, 3};
  for (const Update update : {Update::kRows, Update::kWhole}) {
    Parameters parameters;
    const ParameterId table = parameters.add("table", 6, 3, update);
    parameters.fill_normal(table, Random(1), 1);
    expect_right_gradients(parameters, [&](Tape& t) {
      add_up(t, gather(t, table, kIds, 1.5f));
      add_up(t, bag(t, table, kOffsets, kIds, kWeights));
    });
  }
}

TEST(Tape, Attention) {
  static constexpr std::uint32_t kOffsets[] = {0, 1, 1, 5, 7};
  static constexpr std::int64_t kSeconds[] = {5, 0, 3, 100, 1'000'000, 9, 9};
  Parameters parameters;
  const ParameterId qkv = parameters.add("qkv", 7, 12);
  const ParameterId distance = parameters.add("distance", 2, 16);
  const ParameterId time = parameters.add("time", 2, 16);
  for (const ParameterId id : {qkv, distance, time}) parameters.fill_normal(id, Random(4), 1);
  for (const bool causal : {true, false}) {
    for (const bool biased : {true, false}) {
      AttentionOptions options{2, causal};
      if (biased) options.distance_bias = distance, options.time_bias = time;
      options.seconds = kSeconds;
      expect_right_gradients(
          parameters, [&](Tape& t) { add_up(t, attention(t, whole(t, qkv), kOffsets, options)); });
    }
  }
}

// The definition, one token after the other.
TEST(Tape, AttentionIsItsDefinition) {
  static constexpr std::uint32_t kOffsets[] = {0, 3, 5};
  Parameters parameters;
  const ParameterId qkv = parameters.add("qkv", 5, 12);
  parameters.fill_normal(qkv, Random(4), 1);
  Tape tape(parameters);
  tape.begin(Tape::Mode::kServing);
  const Var y = attention(tape, whole(tape, qkv), kOffsets, {2, true});
  const Matrix& m = parameters[qkv];
  for (std::int64_t i = 0; i < 5; ++i) {
    const std::int64_t first = i < 3 ? 0 : 3;
    for (std::int64_t head = 0; head < 2; ++head) {
      double total = 0, sums[2] = {};
      for (std::int64_t j = first; j <= i; ++j) {
        double score = 0;
        for (std::int64_t c = 0; c < 2; ++c)
          score += double{m(i, head * 2 + c)} * double{m(j, 4 + head * 2 + c)};
        const double weight = std::exp(score / std::sqrt(2.0));
        total += weight;
        for (std::int64_t c = 0; c < 2; ++c) sums[c] += weight * double{m(j, 8 + head * 2 + c)};
      }
      for (std::int64_t c = 0; c < 2; ++c)
        EXPECT_NEAR(double{tape.value(y)[i * 4 + head * 2 + c]}, sums[c] / total, 1e-5);
    }
  }
}

TEST(Tape, Gru) {
  static constexpr std::uint32_t kOffsets[] = {0, 1, 5, 5, 7};
  Parameters parameters;
  const ParameterId x = parameters.add("x", 7, 9);
  const ParameterId recurrent = parameters.add("recurrent", 3, 9);
  const ParameterId bias = parameters.add("bias", 1, 9);
  for (const ParameterId id : {x, recurrent, bias}) parameters.fill_normal(id, Random(4), 1);
  expect_right_gradients(
      parameters, [&](Tape& t) { add_up(t, gru(t, whole(t, x), kOffsets, recurrent, bias)); });
}

TEST(Tape, CandidateLosses) {
  static constexpr float kWeights[] = {1, 0.5f, 2, 1};
  static constexpr std::uint32_t kRight[] = {7, 1, 2, 9}, kWrong[] = {1, 3, 2, 1, 5};
  static constexpr float kRightQ[] = {0.1f, 0.2f, -0.3f, 0}, kWrongQ[] = {0.3f, 0, -1, 0.2f, 0.1f};
  for (const CandidateLoss loss :
       {CandidateLoss::kSoftmax, CandidateLoss::kGbce, CandidateLoss::kBprMax}) {
    SCOPED_TRACE(static_cast<int>(loss));
    Parameters parameters;
    const ParameterId hidden = parameters.add("hidden", 4, 3),
                      right = parameters.add("right", 4, 3);
    const ParameterId wrong = parameters.add("wrong", 5, 3);
    for (const ParameterId id : {hidden, right, wrong}) parameters.fill_normal(id, Random(6), 1);
    Candidates c;
    c.loss = loss;
    c.beta = 0.7f;
    c.temperature = 0.8f;
    c.weights = kWeights;
    c.right_ids = kRight;
    c.wrong_ids = kWrong;
    c.right_log_q = kRightQ;
    c.wrong_log_q = kWrongQ;
    expect_right_gradients(parameters, [&](Tape& t) {
      candidate_loss(t, whole(t, hidden), whole(t, right), whole(t, wrong), c);
    });
    expect_right_gradients(
        parameters, [&](Tape& t) { in_batch_loss(t, whole(t, hidden), whole(t, right), c); });
  }
}

TEST(Tape, SoftmaxLossIsItsDefinition) {
  Parameters parameters;
  const ParameterId hidden = parameters.add("hidden", 1, 2), right = parameters.add("right", 1, 2);
  const ParameterId wrong = parameters.add("wrong", 3, 2);
  for (const ParameterId id : {hidden, right, wrong}) parameters.fill_normal(id, Random(6), 1);
  static constexpr float kWeights[] = {3};
  static constexpr std::uint32_t kRight[] = {7}, kWrong[] = {1, 7, 2};
  Candidates c;
  c.weights = kWeights, c.right_ids = kRight, c.wrong_ids = kWrong;
  const double loss = loss_of(parameters, [&](Tape& t) {
    candidate_loss(t, whole(t, hidden), whole(t, right), whole(t, wrong), c);
  });
  const auto score = [&](const Matrix& m, std::int64_t r) {
    const Matrix& h = parameters[hidden];
    return std::exp(double{h(0, 0)} * double{m(r, 0)} + double{h(0, 1)} * double{m(r, 1)});
  };
  const double mine = score(parameters[right], 0);
  const double all = mine + score(parameters[wrong], 0) + score(parameters[wrong], 2);
  EXPECT_NEAR(loss, -3 * std::log(mine / all), 1e-5);
}

TEST(Tape, LikelihoodsAndDivergence) {
  static constexpr std::uint32_t kOffsets[] = {0, 2, 2, 5}, kIds[] = {1, 4, 0, 2, 3};
  static constexpr float kAmounts[] = {1, 2, 0.5f, 1, 1}, kWeights[] = {1, 2, 0.3f};
  static constexpr float kLabels[] = {1, 0, 1}, kLogQ[] = {0, -1, 0.5f, 0, -2};
  Pair p(3, 5);
  expect_right_gradients(p.parameters, [&](Tape& t) {
    multinomial_loss(t, whole(t, p.a), {kOffsets, kIds, kAmounts}, 0.7f);
  });
  expect_right_gradients(p.parameters, [&](Tape& t) {
    multinomial_loss(t, whole(t, p.a), {kOffsets, kIds, kAmounts, kLogQ}, 0.7f);
  });
  expect_right_gradients(p.parameters, [&](Tape& t) {
    const Var mean = whole(t, p.a), log_variance = whole(t, p.b);
    normal_divergence(t, mean, log_variance, kWeights);
    add_up(t, sample_normal(t, mean, log_variance));
  });
  static constexpr float kOldMean[15] = {0, 1, -1, 2}, kOldLog[15] = {0, -1, 1, 0.5f};
  expect_right_gradients(p.parameters, [&](Tape& t) {
    const Var mean = whole(t, p.a), log_variance = whole(t, p.b);
    const Var z = sample_normal(t, mean, log_variance);
    composite_divergence(t, z, mean, log_variance, kOldMean, kOldLog, kWeights);
  });
  Pair q(3, 1);
  expect_right_gradients(q.parameters,
                         [&](Tape& t) { binary_loss(t, whole(t, q.a), kLabels, kWeights); });
}

TEST(Tape, ServingWritesNothingDownAndDropsNothing) {
  Pair p;
  Tape tape(p.parameters);
  tape.begin(Tape::Mode::kServing);
  const Var x = whole(tape, p.a), y = add_dropout(tape, x, x, 0.9f);
  for (std::int64_t i = 0; i < tape.size(x); ++i) EXPECT_EQ(tape.value(y)[i], 2 * tape.value(x)[i]);
  EXPECT_EQ(tape.whole_gradient(p.a), nullptr);
}

TEST(Tape, DropoutKeepsTheShareAndTheMean) {
  Parameters parameters;
  const ParameterId ones = parameters.add("ones", 100, 160);
  parameters.fill(ones, 1);
  Tape tape(parameters);
  for (const float rate : {0.1f, 0.5f, 0.9f}) {
    tape.begin(Tape::Mode::kTraining, Random(9).fork(static_cast<std::uint64_t>(rate * 10)));
    const Var y = dropout(tape, whole(tape, ones), rate);
    double sum = 0, kept = 0;
    for (std::int64_t i = 0; i < tape.size(y); ++i) {
      sum += double{tape.value(y)[i]};
      kept += tape.value(y)[i] != 0;
    }
    const auto n = static_cast<double>(tape.size(y));
    EXPECT_NEAR(kept / n, 1 - double{rate}, 0.015);
    EXPECT_NEAR(sum / n, 1, 0.06);
  }
}

}  // namespace
}  // namespace vitrine::nn

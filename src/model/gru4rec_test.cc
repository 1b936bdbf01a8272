#include "model/gru4rec.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/model_testing.h"
#include "model/sequence_model.h"

namespace vitrine {
namespace {

using testing::error_of;
using testing::event_of;
using testing::fit_on;
using testing::list_of;
using testing::make_histories;
using Vector = std::vector<double>;

double sigma(double x) { return 1 / (1 + std::exp(-x)); }

// The equations of the header, in double; parameters by name.
class PlainGru {
 public:
  PlainGru(const GruShape& shape, const nn::Parameters& parameters)
      : shape_(shape), parameters_(parameters) {}

  // The state after each token.
  std::vector<Vector> states(const std::vector<std::uint32_t>& items) const {
    std::vector<Vector> xs;
    for (const std::uint32_t item : items) {
      Vector& x = xs.emplace_back(static_cast<std::size_t>(shape_.width));
      for (std::size_t c = 0; c < x.size(); ++c)
        x[c] = std::sqrt(static_cast<double>(shape_.width)) * at("items", item, c);
    }
    for (std::int64_t l = 0; l < shape_.layers; ++l) {
      Vector h(static_cast<std::size_t>(shape_.units));
      for (Vector& x : xs) x = h = unit("layer" + std::to_string(l) + "_", x, h);
    }
    if (shape_.projected()) {
      for (Vector& x : xs) x = affine("projection", x);
    }
    return xs;
  }

 private:
  const Matrix& matrix(const std::string& name) const {
    for (std::int32_t p = 0;; ++p) {
      if (parameters_.name({p}) == name) return parameters_[nn::ParameterId{p}];
    }
  }
  double at(const std::string& name, std::size_t row, std::size_t col) const {
    return double{matrix(name)(static_cast<std::int64_t>(row), static_cast<std::int64_t>(col))};
  }
  Vector affine(const std::string& name, const Vector& x) const {
    Vector y(static_cast<std::size_t>(matrix(name).cols()));
    for (std::size_t c = 0; c < y.size(); ++c) {
      y[c] = at(name + "_bias", 0, c);
      for (std::size_t r = 0; r < x.size(); ++r) y[c] += x[r] * at(name, r, c);
    }
    return y;
  }
  Vector unit(const std::string& name, const Vector& x, const Vector& h) const {
    const Vector input = affine(name + "input", x), state = affine(name + "recurrent", h);
    const std::size_t n = h.size();
    Vector next(n);
    for (std::size_t c = 0; c < n; ++c) {
      const double r = sigma(input[c] + state[c]), z = sigma(input[n + c] + state[n + c]);
      next[c] = (1 - z) * std::tanh(input[2 * n + c] + r * state[2 * n + c]) + z * h[c];
    }
    return next;
  }

  GruShape shape_;
  const nn::Parameters& parameters_;
};

std::vector<GruShape> shapes() {
  GruShape one;
  one.rows = 9;
  one.width = one.units = 5;
  one.embedding_dropout = 0.3f;
  one.dropout = 0.4f;
  GruShape projected = one, deep = one;
  projected.units = 7;
  deep.layers = 3;
  deep.units = 4;
  return {one, projected, deep};
}

// Biases too: after initialize() they are 0, which would hide them.
void fill_all(nn::Parameters& parameters) {
  for (std::size_t p = 0; p < parameters.size(); ++p)
    parameters.fill_normal({static_cast<std::int32_t>(p)}, Random(7), 0.7);
}

const std::vector<std::vector<std::uint32_t>> kSessions = {{4}, {1, 2, 8, 2, 0}, {3, 3}};

SequenceTokens tokens_of(const std::vector<std::vector<std::uint32_t>>& sessions) {
  SequenceTokens tokens;
  for (const auto& session : sessions) {
    for (const std::uint32_t item : session) tokens.add(event_of(item), item);
    tokens.end();
  }
  return tokens;
}

void expect_row(const nn::Tape& tape, nn::Var states, std::int64_t row, const Vector& right) {
  ASSERT_EQ(tape.cols(states), static_cast<std::int64_t>(right.size()));
  for (std::size_t c = 0; c < right.size(); ++c)
    EXPECT_NEAR(double{tape.view(states).row(row)[c]}, right[c], 1e-5);
}

TEST(GruNetwork, IsThePlainLoop) {
  for (const GruShape& shape : shapes()) {
    nn::Parameters parameters;
    const GruNetwork network(shape, parameters);
    fill_all(parameters);
    const PlainGru plain(shape, parameters);
    const SequenceTokens tokens = tokens_of(kSessions);
    nn::Tape tape(parameters);
    tape.begin(nn::Tape::Mode::kServing);
    const nn::Var all = network.encode(tape, tokens, States::kAll);
    const nn::Var last = network.encode(tape, tokens, States::kLast);
    ASSERT_EQ(tape.rows(last), 3);
    std::int64_t row = 0;
    for (std::size_t s = 0; s < kSessions.size(); ++s) {
      const auto states = plain.states(kSessions[s]);
      for (const Vector& state : states) expect_row(tape, all, row++, state);
      expect_row(tape, last, static_cast<std::int64_t>(s), states.back());
    }
    EXPECT_EQ(tape.rows(all), row);
  }
}

TEST(GruNetwork, CountsItsNumbers) {
  for (const GruShape& shape : shapes()) {
    nn::Parameters parameters;
    const GruNetwork network(shape, parameters);
    double by_rows = 0, whole = 0;
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      const nn::ParameterId id{static_cast<std::int32_t>(p)};
      const auto numbers = static_cast<double>(parameters[id].rows() * parameters[id].cols());
      (parameters.update(id) == nn::Update::kRows ? by_rows : whole) += numbers;
    }
    EXPECT_EQ(GruNetwork::numbers_by_rows(shape), by_rows);
    EXPECT_EQ(GruNetwork::numbers_whole(shape), whole);
  }
}

TEST(Gru4Rec, ServesTheTrainingNetworkWithoutDropout) {
  for (const GruShape& shape : shapes()) {
    SequenceRecommender::Parts parts;
    parts.network = std::make_unique<const GruNetwork>(shape, parts.parameters);
    fill_all(parts.parameters);
    nn::Parameters parameters;
    GruShape whole = shape;
    whole.embedding_dropout = whole.dropout = 0;
    const GruNetwork training(whole, parameters);
    parameters = nn::Parameters(parts.parameters);
    std::vector<std::uint32_t> all(static_cast<std::size_t>(shape.rows));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint32_t>(i);
    parts.known = KnownItems(all, static_cast<std::uint32_t>(shape.rows));
    const auto served = SequenceRecommender::create(std::move(parts));
    ASSERT_TRUE(served.ok());

    const SequenceTokens tokens = tokens_of(kSessions);
    nn::Tape tape(parameters);
    tape.begin(nn::Tape::Mode::kTraining, Random(2));
    const nn::Var states = training.encode(tape, tokens, States::kAll);
    for (std::size_t s = 0; s < kSessions.size(); ++s) {
      std::vector<HistoryEvent> history;
      for (const std::uint32_t item : kSessions[s]) history.push_back(event_of(item));
      std::vector<float> state(static_cast<std::size_t>(shape.width));
      ASSERT_TRUE(served.value()->state(history, state));
      expect_row(tape, states, tokens.last[s], Vector(state.begin(), state.end()));
    }
  }
}

// Item i is followed by i + 1 or i + 2, as the first item of the session is even or odd: more than
// the last item tells.
TEST(Gru4Rec, LearnsWhatFollowsFromTheWholeSession) {
  constexpr std::uint32_t kItems = 12;
  const auto next_of = [](std::uint32_t first, std::uint32_t item) {
    return (item + 1 + first % 2) % kItems;
  };
  std::vector<std::vector<HistoryEvent>> rows;
  for (std::uint32_t r = 0; r < 240; ++r) {
    std::uint32_t item = r % kItems;
    std::vector<HistoryEvent> row;
    for (int e = 0; e < 5; ++e, item = next_of(r % kItems, item)) row.push_back(event_of(item));
    rows.push_back(row);
  }
  const Histories histories = make_histories(rows, 0, kItems);
  for (const char* loss : {"softmax", "bpr_max"}) {
    Gru4RecOptions options;
    options.factors = 16;
    options.units = 24;
    options.batch = 16;
    options.epochs = 30;
    options.learning_rate = 0.01;
    options.loss = loss;
    const auto model = fit_on(fit_gru4rec, options, histories);
    for (std::uint32_t first = 0; first < kItems; ++first) {
      const std::uint32_t second = next_of(first, first), third = next_of(first, second);
      const std::vector<HistoryEvent> history = {event_of(first), event_of(second)};
      const auto list = list_of(*model, {.history = history}, 1);
      ASSERT_EQ(list.size(), 1u);
      EXPECT_EQ(raw(list[0].item), third) << loss << " " << first;
    }
  }
}

TEST(Gru4Rec, RefusesWhatDoesNotFit) {
  const Histories histories = testing::full_histories(3, 5);
  Gru4RecOptions options;
  options.units = 4096;
  options.layers = 8;
  options.memory_limit_mb = 1;
  EXPECT_EQ(error_of(fit_gru4rec, options, histories).code, Code::kExhausted);
}

}  // namespace
}  // namespace vitrine

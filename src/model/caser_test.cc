#include "model/caser.h"

#include <gtest/gtest.h>

#include <algorithm>
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
using Sessions = std::vector<std::vector<std::uint32_t>>;

// The equations of the header, in double; parameters by name.
class PlainCaser {
 public:
  PlainCaser(const CaserShape& shape, const nn::Parameters& parameters)
      : shape_(shape), parameters_(parameters) {}

  // The state after the last of `items`.
  Vector state(std::span<const std::uint32_t> items) const {
    Vector x;  // the image, the latest item first
    for (std::size_t back = 0; back < static_cast<std::size_t>(shape_.recent); ++back) {
      for (std::size_t c = 0; c < width(); ++c) {
        x.push_back(back >= items.size() ? 0
                                         : std::sqrt(static_cast<double>(width())) *
                                               at("items", items[items.size() - 1 - back], c));
      }
    }
    Vector state(width());
    for (std::size_t c = 0; c < width(); ++c) {
      state[c] = at("bias", 0, c);
      for (std::size_t i = 0; i < x.size(); ++i) state[c] += x[i] * at("vertical", i, c);
    }
    for (std::size_t h = 1; h <= static_cast<std::size_t>(shape_.recent); ++h) {
      const std::string name = "height" + std::to_string(h) + "_";
      for (std::size_t f = 0; f < static_cast<std::size_t>(shape_.filters); ++f) {
        double best = 0;  // of relu
        for (std::size_t from = 0; from + h * width() <= x.size(); from += width()) {
          double sum = at(name + "filters_bias", 0, f);
          for (std::size_t i = 0; i < h * width(); ++i)
            sum += x[from + i] * at(name + "filters", i, f);
          best = std::max(best, sum);
        }
        for (std::size_t c = 0; c < width(); ++c) state[c] += best * at(name + "out", f, c);
      }
    }
    return state;
  }

 private:
  std::size_t width() const { return static_cast<std::size_t>(shape_.width); }
  double at(const std::string& name, std::size_t row, std::size_t col) const {
    nn::ParameterId id{0};
    while (parameters_.name(id) != name) ++id.index;
    return double{parameters_[id](static_cast<std::int64_t>(row), static_cast<std::int64_t>(col))};
  }
  CaserShape shape_;
  const nn::Parameters& parameters_;
};

CaserShape small_shape() {
  CaserShape shape;
  shape.rows = 9;
  shape.width = 5;
  shape.recent = 3;
  shape.filters = 4;
  shape.dropout = 0.4f;
  return shape;
}

// Biases too: after initialize() they are 0, which would hide them.
void fill_all(nn::Parameters& parameters) {
  for (std::size_t p = 0; p < parameters.size(); ++p)
    parameters.fill_normal({static_cast<std::int32_t>(p)}, Random(7), 0.5);
}

const Sessions kSessions = {{4}, {1, 2, 8, 2, 0}, {3, 3}};

SequenceTokens tokens_of(const Sessions& sessions) {
  SequenceTokens tokens;
  for (const auto& session : sessions) {
    for (const std::uint32_t item : session) tokens.add(event_of(item), item);
    tokens.end();
  }
  return tokens;
}

void expect_row(std::span<const float> row, const Vector& right) {
  ASSERT_EQ(row.size(), right.size());
  for (std::size_t c = 0; c < row.size(); ++c) EXPECT_NEAR(double{row[c]}, right[c], 1e-4);
}

TEST(CaserNetwork, IsThePlainLoop) {
  nn::Parameters parameters;
  const CaserNetwork network(small_shape(), parameters);
  fill_all(parameters);
  const PlainCaser plain(small_shape(), parameters);
  const SequenceTokens tokens = tokens_of(kSessions);
  nn::Tape tape(parameters);
  tape.begin(nn::Tape::Mode::kServing);
  const nn::Var all = network.encode(tape, tokens, States::kAll);
  const nn::Var last = network.encode(tape, tokens, States::kLast);
  ASSERT_EQ(tape.rows(all), static_cast<std::int64_t>(tokens.items.size()));
  ASSERT_EQ(tape.rows(last), 3);
  std::int64_t row = 0;
  for (std::size_t s = 0; s < kSessions.size(); ++s) {
    const std::span<const std::uint32_t> items = kSessions[s];
    for (std::size_t n = 1; n <= items.size(); ++n)
      expect_row(tape.view(all).row(row++), plain.state(items.first(n)));
    expect_row(tape.view(last).row(static_cast<std::int64_t>(s)), plain.state(items));
  }
}

TEST(CaserNetwork, CountsItsNumbers) {
  nn::Parameters parameters;
  const CaserNetwork network(small_shape(), parameters);
  double by_rows = 0, whole = 0;
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const nn::ParameterId id{static_cast<std::int32_t>(p)};
    const auto numbers = static_cast<double>(parameters[id].rows() * parameters[id].cols());
    (parameters.update(id) == nn::Update::kRows ? by_rows : whole) += numbers;
  }
  EXPECT_EQ(CaserNetwork::numbers_by_rows(small_shape()), by_rows);
  EXPECT_EQ(CaserNetwork::numbers_whole(small_shape()), whole);
}

TEST(Caser, ServesTheTrainingNetworkWithoutDropout) {
  SequenceRecommender::Parts parts;
  parts.network = std::make_unique<const CaserNetwork>(small_shape(), parts.parameters);
  fill_all(parts.parameters);
  nn::Parameters parameters;
  CaserShape whole = small_shape();
  whole.dropout = 0;
  const CaserNetwork training(whole, parameters);
  parameters = nn::Parameters(parts.parameters);
  parts.known = KnownItems(std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8}, 9);
  const auto served = SequenceRecommender::create(std::move(parts));
  ASSERT_TRUE(served.ok());

  const SequenceTokens tokens = tokens_of(kSessions);
  nn::Tape tape(parameters);
  tape.begin(nn::Tape::Mode::kTraining, Random(2));
  const nn::Var states = training.encode(tape, tokens, States::kAll);
  for (std::size_t s = 0; s < kSessions.size(); ++s) {
    std::vector<HistoryEvent> history;
    for (const std::uint32_t item : kSessions[s]) history.push_back(event_of(item));
    std::vector<float> state(5);
    ASSERT_TRUE(served.value()->state(history, state));
    expect_row(tape.view(states).row(tokens.last[s]), Vector(state.begin(), state.end()));
  }
}

// What follows depends on the item before the last: the last alone does not tell.
TEST(Caser, LearnsFromMoreThanTheLastItem) {
  constexpr std::uint32_t kItems = 12;
  std::vector<std::vector<HistoryEvent>> rows;
  for (std::uint32_t r = 0; r < 240; ++r) {
    const std::uint32_t step = 1 + r % 2;
    std::vector<HistoryEvent> row;
    for (std::uint32_t e = 0; e < 5; ++e) row.push_back(event_of((r / 2 + e * step) % kItems));
    rows.push_back(row);
  }
  CaserOptions options;
  options.factors = 16;
  options.batch = 16;
  options.epochs = 30;
  options.learning_rate = 0.01;
  const auto model = fit_on(fit_caser, options, make_histories(rows, 0, kItems));
  for (std::uint32_t first = 0; first < kItems; ++first) {
    for (const std::uint32_t step : {1u, 2u}) {
      const std::vector<HistoryEvent> history = {event_of(first),
                                                 event_of((first + step) % kItems)};
      const auto list = list_of(*model, {.history = history}, 1);
      ASSERT_EQ(list.size(), 1u);
      EXPECT_EQ(raw(list[0].item), (first + 2 * step) % kItems) << first << " " << step;
    }
  }
}

TEST(Caser, RefusesWhatDoesNotFit) {
  const Histories histories = testing::full_histories(3, 5);
  CaserOptions options;
  options.recent = 20;
  options.memory_limit_mb = 1;
  EXPECT_EQ(error_of(fit_caser, options, histories).code, Code::kExhausted);
}

}  // namespace
}  // namespace vitrine

#include "model/transformer_network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

namespace vitrine {
namespace {

// The equations of the header in double precision, one history at a time, from the parameters by
// their names.
class Slow {
 public:
  using Row = std::vector<double>;
  using Rows = std::vector<Row>;

  Slow(const TransformerShape& shape, const nn::Parameters& parameters) : shape_(shape) {
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      const nn::ParameterId id{static_cast<std::int32_t>(p)};
      by_name_[parameters.name(id)] = &parameters[id];
    }
  }

  Rows states(const SequenceTokens& tokens, std::size_t history) const {
    const std::uint32_t begin = tokens.offsets[history], end = tokens.offsets[history + 1];
    Rows x;
    for (std::uint32_t t = begin; t < end; ++t) {
      Row row(width());
      for (std::size_t c = 0; c < width(); ++c) {
        row[c] = std::sqrt(static_cast<double>(shape_.width)) * at("items", tokens.items[t], c);
        if (shape_.positions) row[c] += at("positions", tokens.positions[t], c);
        if (shape_.types) row[c] += at("types", tokens.types[t], c);
        if (shape_.values) row[c] += double{tokens.values[t]} * at("values", 0, c);
      }
      x.push_back(row);
    }
    for (std::int64_t b = 0; b < shape_.blocks; ++b) {
      const std::string name = "block" + std::to_string(b) + "_";
      const Rows heard = attend(name, x, {tokens.seconds.data() + begin, x.size()});
      for (std::size_t t = 0; t < x.size(); ++t) {
        Row out = dense(name + "out", heard[t]);
        if (shape_.gated) gate(out, dense(name + "attention_gate", x[t]));
        for (std::size_t c = 0; c < width(); ++c) x[t][c] += out[c];
        const Row normed = norm(name + "hidden_norm", x[t]);
        Row hidden = dense(name + "hidden", normed);
        const Row other = shape_.gated ? dense(name + "hidden_gate", normed) : hidden;
        for (std::size_t h = 0; h < hidden.size(); ++h) {
          hidden[h] = shape_.gated ? hidden[h] / (1 + std::exp(-hidden[h])) * other[h]
                                   : std::max(hidden[h], 0.0);
        }
        Row back = dense(name + "back", hidden);
        if (shape_.gated) gate(back, dense(name + "back_gate", x[t]));
        for (std::size_t c = 0; c < width(); ++c) x[t][c] += back[c];
      }
    }
    for (Row& row : x) row = norm("last_norm", row);
    return x;
  }

 private:
  std::size_t width() const { return static_cast<std::size_t>(shape_.width); }
  double at(const std::string& name, std::size_t r, std::size_t c) const {
    return double{(*by_name_.at(name))(static_cast<std::int64_t>(r), static_cast<std::int64_t>(c))};
  }
  static void gate(Row& row, const Row& by) {
    for (std::size_t c = 0; c < row.size(); ++c) row[c] /= 1 + std::exp(-by[c]);
  }
  Row dense(const std::string& name, const Row& in) const {
    Row out(static_cast<std::size_t>(by_name_.at(name + "_weight")->cols()));
    for (std::size_t o = 0; o < out.size(); ++o) {
      out[o] = at(name + "_bias", 0, o);
      for (std::size_t i = 0; i < in.size(); ++i) out[o] += in[i] * at(name + "_weight", i, o);
    }
    return out;
  }
  Row norm(const std::string& name, const Row& in) const {
    double mean = 0, squares = 0;
    for (const double v : in) mean += v / static_cast<double>(in.size());
    for (const double v : in) squares += (v - mean) * (v - mean) / static_cast<double>(in.size());
    Row out(in.size());
    for (std::size_t c = 0; c < in.size(); ++c) {
      out[c] = (in[c] - mean) / std::sqrt(squares + 1e-6) * at(name + "_gain", 0, c) +
               at(name + "_bias", 0, c);
    }
    return out;
  }
  Rows attend(const std::string& name, const Rows& x, std::span<const std::int64_t> seconds) const {
    Rows qkv, out(x.size(), Row(width()));
    for (const Row& row : x) qkv.push_back(dense(name + "qkv", norm(name + "attention_norm", row)));
    const std::size_t head_width = width() / static_cast<std::size_t>(shape_.heads);
    for (std::size_t head = 0; head < static_cast<std::size_t>(shape_.heads); ++head) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        const std::size_t seen = shape_.causal ? i + 1 : x.size();
        Row weights(seen);
        double sum = 0;
        for (std::size_t j = 0; j < seen; ++j) {
          double score = 0;
          for (std::size_t c = head * head_width; c < (head + 1) * head_width; ++c)
            score += qkv[i][c] * qkv[j][width() + c];
          score /= std::sqrt(static_cast<double>(head_width));
          const std::size_t apart = i < j ? j - i : i - j;
          if (shape_.distances)
            score += at(name + "distances", head, std::min<std::size_t>(apart, 15));
          if (shape_.times) {
            const auto gap = static_cast<double>(std::abs(seconds[i] - seconds[j]));
            const double bucket = gap < 1 ? 0 : std::floor(std::log2(gap)) + 1;
            score += at(name + "times", head, static_cast<std::size_t>(std::min(bucket, 31.0)));
          }
          sum += weights[j] = std::exp(score);
        }
        for (std::size_t j = 0; j < seen; ++j)
          for (std::size_t c = head * head_width; c < (head + 1) * head_width; ++c)
            out[i][c] += weights[j] / sum * qkv[j][2 * width() + c];
      }
    }
    return out;
  }

  const TransformerShape shape_;
  std::map<std::string, const Matrix*> by_name_;
};

SequenceTokens some_tokens() {
  SequenceTokens tokens;
  const Random random(3);
  std::uint64_t draw = 0;
  for (const int length : {1, 7, 3, 10}) {
    Timestamp time = 0;
    for (int e = 0; e < length; ++e) {
      HistoryEvent event;
      event.type = static_cast<EventType>(random.below(draw++, 3));
      event.value = static_cast<float>(random.uniform(draw++) * 5);
      event.time = time += static_cast<Timestamp>(random.below(draw++, 100'000)) * 100;
      tokens.add(event, static_cast<std::uint32_t>(random.below(draw++, 9)));
    }
    tokens.end();
  }
  return tokens;
}

TransformerShape shape_of(bool causal, bool gated, bool everything) {
  TransformerShape shape;
  shape.rows = 9;
  shape.width = 6;
  shape.heads = 2;
  shape.blocks = 2;
  shape.hidden = 10;
  shape.length = 12;
  shape.causal = causal;
  shape.gated = gated;
  shape.types = shape.values = shape.distances = shape.times = everything;
  shape.deviation = 0.5f;
  return shape;
}

TEST(TransformerNetwork, IsItsEquations) {
  const SequenceTokens tokens = some_tokens();
  for (const bool causal : {true, false}) {
    for (const bool gated : {true, false}) {
      for (const bool everything : {true, false}) {
        const TransformerShape shape = shape_of(causal, gated, everything);
        nn::Parameters parameters;
        const TransformerNetwork network(shape, parameters);
        network.initialize(parameters, Random(1));
        // Gains, biases and the tables of biases away from where they begin.
        for (std::size_t p = 0; p < parameters.size(); ++p) {
          const nn::ParameterId id{static_cast<std::int32_t>(p)};
          if (parameters[id].rows() <= 2) parameters.fill_normal(id, Random(2), 1);
        }
        nn::Tape tape(parameters);
        tape.begin(nn::Tape::Mode::kServing);
        const nn::Var all = network.encode(tape, tokens, States::kAll);
        const nn::Var last = network.encode(tape, tokens, States::kLast);
        const Slow slow(shape, parameters);
        for (std::size_t h = 0; h < tokens.histories(); ++h) {
          const Slow::Rows expected = slow.states(tokens, h);
          for (std::size_t t = 0; t < expected.size(); ++t) {
            const auto row = static_cast<std::int64_t>(tokens.offsets[h] + t);
            for (std::int64_t c = 0; c < shape.width; ++c) {
              const double right = expected[t][static_cast<std::size_t>(c)];
              EXPECT_NEAR(double{tape.value(all)[row * shape.width + c]}, right, 1e-4);
              if (t + 1 < expected.size()) continue;
              EXPECT_NEAR(double{tape.value(last)[static_cast<std::int64_t>(h) * shape.width + c]},
                          right, 1e-4);
            }
          }
        }
      }
    }
  }
}

// Rows and columns that nothing was added for are what the memory check counts.
TEST(TransformerNetwork, CountsItsNumbers) {
  for (const bool gated : {true, false}) {
    const TransformerShape shape = shape_of(true, gated, true);
    nn::Parameters parameters;
    const TransformerNetwork network(shape, parameters);
    double by_rows = 0, whole = 0;
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      const nn::ParameterId id{static_cast<std::int32_t>(p)};
      const auto numbers = static_cast<double>(parameters[id].rows() * parameters[id].cols());
      (parameters.update(id) == nn::Update::kRows ? by_rows : whole) += numbers;
    }
    EXPECT_EQ(TransformerNetwork::numbers_by_rows(shape), by_rows);
    EXPECT_NEAR(TransformerNetwork::numbers_whole(shape) / whole, 1, 0.25);
  }
}

}  // namespace
}  // namespace vitrine

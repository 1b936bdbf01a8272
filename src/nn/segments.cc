#include "nn/segments.h"

#include <algorithm>
#include <numeric>

namespace vitrine::nn {
namespace {

void check_offsets(const Tape& t, Var x, std::span<const std::uint32_t> offsets) {
  VT_CHECK(!offsets.empty() && offsets.front() == 0 && std::int64_t{offsets.back()} == t.rows(x));
}

std::int64_t longest(std::span<const std::uint32_t> offsets) {
  std::uint32_t most = 0;
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s)
    most = std::max(most, offsets[s + 1] - offsets[s]);
  return most;
}

}  // namespace

Var attention(Tape& t, Var qkv, std::span<const std::uint32_t> offsets,
              const AttentionOptions& options) {
  check_offsets(t, qkv, offsets);
  const std::int64_t width = t.cols(qkv) / 3;
  VT_CHECK(width * 3 == t.cols(qkv) && width % options.heads == 0);
  Attention a{{offsets.data(), static_cast<std::int64_t>(offsets.size()) - 1},
              options.heads,
              width / options.heads,
              options.causal,
              0,
              0,
              nullptr,
              nullptr,
              options.seconds.data()};
  const auto bias_of = [&](ParameterId id, std::int64_t& buckets) -> const float* {
    if (!id.exists()) return nullptr;
    const Matrix& m = t.parameters()[id];
    VT_CHECK(m.rows() == options.heads && m.stride() == m.cols());
    buckets = m.cols();
    return m.data();
  };
  a.distance_bias = bias_of(options.distance_bias, a.distances);
  a.time_bias = bias_of(options.time_bias, a.times);
  VT_CHECK(a.time_bias == nullptr ||
           static_cast<std::int64_t>(options.seconds.size()) == t.rows(qkv));
  std::int64_t squares = 0;
  for (std::int64_t s = 0; s < a.segments.count; ++s) {
    const std::int64_t length =
        offsets[static_cast<std::size_t>(s) + 1] - offsets[static_cast<std::size_t>(s)];
    squares += length * length;
  }
  float* weights = t.scratch(squares * a.heads);
  const Var y = t.make(t.rows(qkv), width);
  t.operations().attend(a, t.value(qkv), t.value(y), weights);
  const ParameterId distance = options.distance_bias, time = options.time_bias;
  t.on_backward(y, [=](Tape& b) {
    float* scratch =
        b.scratch(longest({a.segments.offsets, static_cast<std::size_t>(a.segments.count) + 1}));
    b.operations().attend_back(a, b.value(qkv), weights, b.gradient(y), scratch, b.gradient(qkv),
                               distance.exists() ? b.parameter_gradient(distance) : nullptr,
                               time.exists() ? b.parameter_gradient(time) : nullptr);
  });
  return y;
}

namespace {

// What a layer of recurrent units keeps for its way back. Segments are taken by falling length, so
// that those that still run are the first ones at every step; rows of step t lie one after the
// other, from starts[t].
struct GruSteps {
  const std::uint32_t* rows;    // by place: the token
  const std::uint32_t* starts;  // by step, and the end
  std::int64_t steps;
  std::int64_t width;
  float *x_gates, *h_gates, *before, *kept, *after;  // by place
  std::int64_t running(std::int64_t t) const { return starts[t + 1] - starts[t]; }
};

GruSteps plan(Tape& t, std::span<const std::uint32_t> offsets, std::int64_t width) {
  const std::size_t segments = offsets.size() - 1;
  std::vector<std::uint32_t> order(segments), rows, starts{0};
  std::iota(order.begin(), order.end(), 0u);
  const auto length = [&](std::uint32_t s) { return offsets[s + 1] - offsets[s]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return length(a) > length(b); });
  rows.reserve(offsets.back());
  for (std::uint32_t step = 0; rows.size() < offsets.back(); ++step) {
    for (const std::uint32_t s : order) {
      if (length(s) <= step) break;
      rows.push_back(offsets[s] + step);
    }
    starts.push_back(static_cast<std::uint32_t>(rows.size()));
  }
  const auto places = static_cast<std::int64_t>(rows.size());
  return {t.copy(std::span<const std::uint32_t>(rows)).data(),
          t.copy(std::span<const std::uint32_t>(starts)).data(),
          static_cast<std::int64_t>(starts.size()) - 1,
          width,
          t.scratch(places * 3 * width),
          t.scratch(places * 3 * width),
          t.scratch(places * width),
          t.scratch(places * 3 * width),
          t.scratch(places * width)};
}

void run_gru(const Operations& ops, const Matrix& recurrent, const Matrix& bias,
             const GruSteps& g) {
  const std::int64_t n = g.width;
  for (std::int64_t step = 0; step < g.steps; ++step) {
    const std::int64_t at = g.starts[step], rows = g.running(step);
    float* before = g.before + at * n;
    if (step == 0)
      std::fill_n(before, rows * n, 0.0f);
    else  // those that still run are the first ones of the step before
      std::copy_n(g.after + std::int64_t{g.starts[step - 1]} * n, rows * n, before);
    float* gates = g.h_gates + at * 3 * n;
    ops.gemm(false, false, rows, 3 * n, n, 1, before, n, recurrent.data(), recurrent.stride(), 0,
             gates, 3 * n);
    ops.add_to_rows(rows, 3 * n, bias.data(), gates);
    ops.gru(rows, n, g.x_gates + at * 3 * n, gates, before, g.kept + at * 3 * n, g.after + at * n);
  }
}

// d_after holds the gradients of the states from outside and is added to from the steps behind.
void run_gru_back(Tape& b, const GruSteps& g, ParameterId recurrent, ParameterId bias,
                  float* d_after, float* d_x_gates) {
  const Operations& ops = b.operations();
  const Matrix& m = b.parameters()[recurrent];
  const std::int64_t n = g.width;
  float* d_gates = b.scratch(g.running(0) * 3 * n);
  float* d_before = b.scratch(g.running(0) * n);
  for (std::int64_t step = g.steps - 1; step >= 0; --step) {
    const std::int64_t at = g.starts[step], rows = g.running(step);
    std::fill_n(d_before, rows * n, 0.0f);
    ops.gru_back(rows, n, g.h_gates + at * 3 * n, g.before + at * n, g.kept + at * 3 * n,
                 d_after + at * n, d_x_gates + at * 3 * n, d_gates, d_before);
    ops.gemm(true, false, n, 3 * n, rows, 1, g.before + at * n, n, d_gates, 3 * n, 1,
             b.parameter_gradient(recurrent), m.stride());
    ops.sum_rows(rows, 3 * n, d_gates, b.parameter_gradient(bias));
    if (step == 0) continue;
    ops.gemm(false, true, rows, n, 3 * n, 1, d_gates, 3 * n, m.data(), m.stride(), 1, d_before, n);
    ops.add_scaled(rows * n, 1, d_before, d_after + std::int64_t{g.starts[step - 1]} * n);
  }
}

}  // namespace

Var gru(Tape& t, Var x_gates, std::span<const std::uint32_t> offsets, ParameterId recurrent,
        ParameterId recurrent_bias) {
  check_offsets(t, x_gates, offsets);
  const Matrix& m = t.parameters()[recurrent];
  const std::int64_t n = m.rows();
  VT_CHECK(m.cols() == 3 * n && t.cols(x_gates) == 3 * n);
  const Var y = t.zeros(t.rows(x_gates), n);
  if (t.rows(y) == 0) return y;
  const GruSteps g = plan(t, offsets, n);
  const Operations& ops = t.operations();
  const std::int64_t places = t.rows(y);
  ops.gather(places, 3 * n, t.value(x_gates), 3 * n, g.rows, 1, g.x_gates);
  run_gru(ops, m, t.parameters()[recurrent_bias], g);
  ops.scatter(places, n, g.after, g.rows, 1, t.value(y), n);
  t.on_backward(y, [=](Tape& b) {
    float* d_after = b.scratch(places * n);
    b.operations().gather(places, n, b.gradient(y), n, g.rows, 1, d_after);
    float* d_x = b.scratch(places * 3 * n);
    run_gru_back(b, g, recurrent, recurrent_bias, d_after, d_x);
    b.operations().scatter(places, 3 * n, d_x, g.rows, 1, b.gradient(x_gates), 3 * n);
  });
  return y;
}

Var segment_mean(Tape& t, Var x, std::span<const std::uint32_t> offsets) {
  check_offsets(t, x, offsets);
  const std::int64_t cols = t.cols(x);
  const Var y = t.zeros(static_cast<std::int64_t>(offsets.size()) - 1, cols);
  const auto each = [cols](std::span<const std::uint32_t> o, const auto& f) {
    for (std::size_t s = 0; s + 1 < o.size(); ++s) {
      const float share = 1.0f / static_cast<float>(std::max(1u, o[s + 1] - o[s]));
      for (std::uint32_t r = o[s]; r < o[s + 1]; ++r)
        f(static_cast<std::int64_t>(s) * cols, std::int64_t{r} * cols, share);
    }
  };
  each(offsets, [&](std::int64_t s, std::int64_t r, float share) {
    t.operations().add_scaled(cols, share, t.value(x) + r, t.value(y) + s);
  });
  t.on_backward(y, [=](Tape& b) {
    each(offsets, [&](std::int64_t s, std::int64_t r, float share) {
      b.operations().add_scaled(cols, share, b.gradient(y) + s, b.gradient(x) + r);
    });
  });
  return y;
}

}  // namespace vitrine::nn

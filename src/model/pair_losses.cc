#include "model/pair_losses.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

#include "base/blas.h"
#include "base/kernels.h"

namespace vitrine {
namespace {

constexpr std::int64_t kGrain = 256;  // pairs of one block
constexpr std::int64_t kLanes = 8;    // partial sums of the gradient of the negatives
constexpr float kLeast = -60;         // exp() of this and less is 0 to us

MatrixView<float> top(Matrix& m, std::int64_t rows) {
  return {m.data(), rows, m.cols(), m.stride()};
}

void clear(Matrix& m) { std::fill_n(m.data(), m.rows() * m.stride(), 0.0f); }

// values <- exp(values - most), and their sum; relative error below 2e-7. One loop without branches
// that the compiler turns into vectors. The least are exactly 0: as the subnormal numbers that
// scaling makes of them they slow every product down fortyfold on some processors.
float exponentials(std::span<float> values, float most) {
  constexpr float kLog2E = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  constexpr float kRound = 12582912;  // 1.5 * 2^23: adding it rounds to an integer
  constexpr std::size_t kWays = 16;
  float sums[kWays] = {};
  const auto exponential = [&](float value) {
    const float x = std::max(value - most, kLeast);
    const float shifted = x * kLog2E + kRound;
    const float n = shifted - kRound;
    const float r = x - n * kLn2High - n * kLn2Low;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1;
    const std::uint32_t power = (std::bit_cast<std::uint32_t>(shifted) << 23) + 0x3f800000u;
    return x > kLeast ? p * std::bit_cast<float>(power) : 0.0f;
  };
  std::size_t i = 0;
  for (; i + kWays <= values.size(); i += kWays) {
    for (std::size_t w = 0; w < kWays; ++w) {
      const float e = exponential(values[i + w]);
      values[i + w] = e;
      sums[w] += e;
    }
  }
  float sum = 0;
  for (; i < values.size(); ++i) sum += values[i] = exponential(values[i]);
  for (const float s : sums) sum += s;
  return sum;
}

float largest(std::span<const float> values, float start) {
  constexpr std::size_t kWays = 16;
  float most[kWays];
  std::fill_n(most, kWays, start);
  std::size_t i = 0;
  for (; i + kWays <= values.size(); i += kWays) {
    for (std::size_t w = 0; w < kWays; ++w) most[w] = std::max(most[w], values[i + w]);
  }
  for (; i < values.size(); ++i) most[0] = std::max(most[0], values[i]);
  return *std::max_element(most, most + kWays);
}

// Rows of length 1, and what they were divided by.
struct Directions {
  Matrix rows;
  std::vector<float> lengths;
};

Directions directions_of(const Matrix& vectors) {
  Directions d{Matrix(vectors.rows(), vectors.cols()), {}};
  for (std::int64_t i = 0; i < vectors.rows(); ++i) {
    const auto row = vectors.row(i);
    const float square = kernels().dot(row.data(), row.data(), vectors.cols());
    const float length = std::max(std::sqrt(square), 1e-12f);
    d.lengths.push_back(length);
    kernels().axpy(1 / length, row.data(), d.rows.row(i).data(), vectors.cols());
  }
  return d;
}

// The gradient with respect to directions becomes the one with respect to vectors: what points
// along a vector does not turn it.
void through_directions(const Directions& d, Matrix& gradient) {
  const std::int64_t width = gradient.cols();
  for (std::int64_t i = 0; i < gradient.rows(); ++i) {
    const float* v = d.rows.row(i).data();
    float* g = gradient.row(i).data();
    const float along = kernels().dot(g, v, width);
    const float scale = 1 / d.lengths[static_cast<std::size_t>(i)];
    for (std::int64_t c = 0; c < width; ++c) g[c] = scale * (g[c] - along * v[c]);
  }
}

Matrix gather(const Matrix& rows, std::span<const std::uint32_t> places) {
  Matrix out(static_cast<std::int64_t>(places.size()), rows.cols());
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::copy_n(rows.row(places[i]).data(), rows.cols(),
                out.row(static_cast<std::int64_t>(i)).data());
  }
  return out;
}

// What the softmax of all pairs works with and leaves: gradients by pair and by negative.
struct Softmax {
  const PairBatch& batch;
  float temperature;
  Matrix persons, items, negatives;  // directions, by pair and by negative
  Matrix by_person;                  // gradient by pair
  std::vector<float> pull;           // of the pair's own product, by pair
  std::vector<double> loss;          // by pair

  // Pairs [begin, end); adds to the gradient by negative. `scores` has room for them.
  void block(std::int64_t begin, std::int64_t end, Matrix& scores, Matrix& by_negative);

 private:
  void row(std::size_t pair, std::span<float> scores);
};

// The scores of one pair become the derivatives of the batch's loss with respect to the products.
void Softmax::row(std::size_t pair, std::span<float> scores) {
  for (std::size_t n = 0; n < batch.log_weights.size(); ++n) scores[n] += batch.log_weights[n];
  for (auto d = batch.dropped_offsets[pair]; d < batch.dropped_offsets[pair + 1]; ++d) {
    scores[batch.dropped[static_cast<std::size_t>(d)]] = -1e30f;
  }
  const auto at = static_cast<std::int64_t>(pair);
  const float own =
      kernels().dot(persons.row(at).data(), items.row(at).data(), items.cols()) / temperature;
  const float most = largest(scores, own);
  const float others = exponentials(scores, most);
  const float mine = std::exp(own - most), total = others + mine;
  const float factor = 1 / (temperature * static_cast<float>(batch.pairs()));
  for (float& s : scores) s *= factor / total;
  pull[pair] = -factor * others / total;
  loss[pair] = std::log(static_cast<double>(total)) - (own - most);
}

void Softmax::block(std::int64_t begin, std::int64_t end, Matrix& scores, Matrix& by_negative) {
  ThreadPool here(1);
  const auto part = [&](Matrix& m) {
    return MatrixView<float>{m.data() + begin * m.stride(), end - begin, m.cols(), m.stride()};
  };
  const MatrixView<float> s = top(scores, end - begin), u = part(persons);
  gemm(here, 1 / temperature, u, false, negatives.view(), true, 0, s);
  for (std::int64_t i = begin; i < end; ++i) row(static_cast<std::size_t>(i), s.row(i - begin));
  gemm(here, 1, s, false, negatives.view(), false, 0, part(by_person));
  gemm(here, 1, s, true, u, false, 1, by_negative.view());
}

}  // namespace

double bpr_loss(ThreadPool& pool, const PairBatch& batch, const Matrix& vectors, Matrix& gradient) {
  const std::size_t pairs = batch.pairs();
  const std::int64_t width = vectors.cols();
  std::vector<float> margins(pairs);
  parallel_for(
      pool, static_cast<std::int64_t>(pairs), kGrain, [&](std::int64_t begin, std::int64_t end) {
        for (auto p = static_cast<std::size_t>(begin); p < static_cast<std::size_t>(end); ++p) {
          const float* u = vectors.row(batch.persons[p]).data();
          margins[p] = kernels().dot(u, vectors.row(batch.items[p]).data(), width) -
                       kernels().dot(u, vectors.row(batch.negatives[p]).data(), width);
        }
      });
  clear(gradient);
  double loss = 0;
  const float share = 1 / static_cast<float>(std::max<std::size_t>(1, pairs));
  for (std::size_t p = 0; p < pairs; ++p) {
    const float x = margins[p];
    loss += std::max(-x, 0.0f) + std::log1p(std::exp(-std::abs(x)));
    const float pull = -share / (1 + std::exp(x));
    const float* u = vectors.row(batch.persons[p]).data();
    float* to_u = gradient.row(batch.persons[p]).data();
    kernels().axpy(pull, vectors.row(batch.items[p]).data(), to_u, width);
    kernels().axpy(-pull, vectors.row(batch.negatives[p]).data(), to_u, width);
    kernels().axpy(pull, u, gradient.row(batch.items[p]).data(), width);
    kernels().axpy(-pull, u, gradient.row(batch.negatives[p]).data(), width);
  }
  return loss * share;
}

double softmax_loss(ThreadPool& pool, const PairBatch& batch, const Matrix& vectors,
                    float temperature, Matrix& gradient) {
  const auto pairs = static_cast<std::int64_t>(batch.pairs());
  const auto negatives = static_cast<std::int64_t>(batch.negatives.size());
  const std::int64_t width = vectors.cols();
  clear(gradient);
  if (pairs == 0 || negatives == 0) return 0;
  const Directions directions = directions_of(vectors);
  Softmax softmax{batch,
                  temperature,
                  gather(directions.rows, batch.persons),
                  gather(directions.rows, batch.items),
                  gather(directions.rows, batch.negatives),
                  Matrix(pairs, width),
                  std::vector<float>(batch.pairs()),
                  std::vector<double>(batch.pairs())};
  const std::int64_t lanes = std::min(kLanes, (pairs + kGrain - 1) / kGrain);
  std::vector<Matrix> by_negative;
  for (std::int64_t lane = 0; lane < lanes; ++lane) by_negative.emplace_back(negatives, width);
  pool.run(lanes, [&](std::int64_t lane) {
    Matrix scores(std::min(kGrain, pairs), negatives);
    for (std::int64_t begin = lane * kGrain; begin < pairs; begin += lanes * kGrain) {
      softmax.block(begin, std::min(pairs, begin + kGrain), scores,
                    by_negative[static_cast<std::size_t>(lane)]);
    }
  });
  double loss = 0;
  for (std::int64_t p = 0; p < pairs; ++p) {
    const auto at = static_cast<std::size_t>(p);
    loss += softmax.loss[at];
    float* to_u = gradient.row(batch.persons[at]).data();
    kernels().axpy(1, softmax.by_person.row(p).data(), to_u, width);
    kernels().axpy(softmax.pull[at], softmax.items.row(p).data(), to_u, width);
    kernels().axpy(softmax.pull[at], softmax.persons.row(p).data(),
                   gradient.row(batch.items[at]).data(), width);
  }
  for (const Matrix& lane : by_negative) {
    for (std::int64_t n = 0; n < negatives; ++n) {
      kernels().axpy(1, lane.row(n).data(),
                     gradient.row(batch.negatives[static_cast<std::size_t>(n)]).data(), width);
    }
  }
  through_directions(directions, gradient);
  return loss / static_cast<double>(pairs);
}

}  // namespace vitrine

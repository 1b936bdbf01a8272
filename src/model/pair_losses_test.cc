#include "model/pair_losses.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/random.h"

namespace vitrine {
namespace {

using Rows = std::vector<std::vector<double>>;

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

double slow_bpr(const PairBatch& batch, const Rows& v) {
  double loss = 0;
  for (std::size_t p = 0; p < batch.pairs(); ++p) {
    const auto& u = v[batch.persons[p]];
    loss += std::log(1 + std::exp(dot(u, v[batch.negatives[p]]) - dot(u, v[batch.items[p]])));
  }
  return loss / static_cast<double>(batch.pairs());
}

double slow_softmax(const PairBatch& batch, const Rows& v, double temperature) {
  const auto score = [&](std::uint32_t a, std::uint32_t b) {
    return std::exp(dot(v[a], v[b]) / std::sqrt(dot(v[a], v[a]) * dot(v[b], v[b])) / temperature);
  };
  double loss = 0;
  for (std::size_t p = 0; p < batch.pairs(); ++p) {
    const double own = score(batch.persons[p], batch.items[p]);
    double total = own;
    const auto first = batch.dropped.begin() + batch.dropped_offsets[p];
    const auto last = batch.dropped.begin() + batch.dropped_offsets[p + 1];
    for (std::uint32_t n = 0; n < batch.negatives.size(); ++n) {
      if (std::find(first, last, n) != last) continue;
      const double weight = batch.log_weights.empty() ? 1 : std::exp(batch.log_weights[n]);
      total += weight * score(batch.persons[p], batch.negatives[n]);
    }
    loss -= std::log(own / total);
  }
  return loss / static_cast<double>(batch.pairs());
}

struct Case {
  PairBatch batch;
  Matrix vectors;
  Rows rows;
};

// `shared`: negatives of the batch, some of them dropped for some pairs; else one per pair.
Case arbitrary_case(bool shared, std::size_t pairs) {
  const auto nodes = *rc::gen::inRange<std::uint32_t>(2, 9);
  const auto width = *rc::gen::inRange(1, 20);
  const auto some = [&] { return *rc::gen::inRange<std::uint32_t>(0, nodes); };
  Case c;
  for (std::uint32_t n = 0; n < nodes; ++n) c.batch.nodes.push_back(n);
  const Random random(*rc::gen::arbitrary<std::uint64_t>());
  for (std::size_t p = 0; p < pairs; ++p) {
    c.batch.persons.push_back(static_cast<std::uint32_t>(random.below(2 * p, nodes)));
    c.batch.items.push_back(static_cast<std::uint32_t>(random.below(2 * p + 1, nodes)));
  }
  const std::size_t negatives = shared ? *rc::gen::inRange<std::size_t>(1, 40) : pairs;
  for (std::size_t n = 0; n < negatives; ++n) c.batch.negatives.push_back(some());
  if (*rc::gen::arbitrary<bool>()) {
    for (std::size_t n = 0; n < negatives; ++n) {
      c.batch.log_weights.push_back(static_cast<float>(random.normal(500'000 + n)));
    }
  }
  c.batch.dropped_offsets.push_back(0);
  for (std::size_t p = 0; p < pairs; ++p) {
    for (std::uint32_t n = 0; n < negatives; ++n) {
      if (random.below(1000 + p * negatives + n, 5) == 0) c.batch.dropped.push_back(n);
    }
    c.batch.dropped_offsets.push_back(static_cast<std::int64_t>(c.batch.dropped.size()));
  }
  c.vectors = Matrix(nodes, width);
  for (std::int64_t n = 0; n < nodes; ++n) {
    c.rows.emplace_back();
    for (std::int64_t k = 0; k < width; ++k) {
      c.vectors(n, k) =
          static_cast<float>(random.normal(100'000 + static_cast<std::uint64_t>(n * width + k)));
      c.rows.back().push_back(double{c.vectors(n, k)});
    }
  }
  return c;
}

void check_gradient(const Case& c, const std::function<double(const Rows&)>& loss,
                    const Matrix& gradient) {
  constexpr double kStep = 1e-5;
  Rows moved = c.rows;
  for (std::size_t n = 0; n < moved.size(); ++n) {
    for (std::size_t k = 0; k < moved[n].size(); ++k) {
      const double value = moved[n][k];
      moved[n][k] = value + kStep;
      const double up = loss(moved);
      moved[n][k] = value - kStep;
      const double slope = (up - loss(moved)) / (2 * kStep);
      moved[n][k] = value;
      const double got = gradient(static_cast<std::int64_t>(n), static_cast<std::int64_t>(k));
      RC_ASSERT(std::abs(got - slope) < 2e-4 * std::max(1.0, std::abs(slope)));
    }
  }
}

TEST(PairLosses, BprAndItsGradient) {
  EXPECT_TRUE(rc::check([] {
    const Case c = arbitrary_case(false, *rc::gen::inRange<std::size_t>(1, 30));
    ThreadPool pool(2);
    Matrix gradient(c.vectors.rows(), c.vectors.cols());
    gradient(0, 0) = 7;  // must be overwritten
    const double loss = bpr_loss(pool, c.batch, c.vectors, gradient);
    RC_ASSERT(std::abs(loss - slow_bpr(c.batch, c.rows)) < 1e-5);
    check_gradient(
        c, [&](const Rows& rows) { return slow_bpr(c.batch, rows); }, gradient);
  }));
}

TEST(PairLosses, SoftmaxAndItsGradient) {
  EXPECT_TRUE(rc::check([] {
    const Case c = arbitrary_case(true, *rc::gen::inRange<std::size_t>(1, 30));
    const double temperature = *rc::gen::element(0.1, 0.5, 2.0);
    ThreadPool pool(2);
    Matrix gradient(c.vectors.rows(), c.vectors.cols());
    gradient(0, 0) = 7;
    const double loss =
        softmax_loss(pool, c.batch, c.vectors, static_cast<float>(temperature), gradient);
    RC_ASSERT(std::abs(loss - slow_softmax(c.batch, c.rows, temperature)) < 1e-4);
    check_gradient(
        c, [&](const Rows& rows) { return slow_softmax(c.batch, rows, temperature); }, gradient);
  }));
}

// More pairs than one block, and than all lanes, hold.
TEST(PairLosses, TheSameForAnyNumberOfThreads) {
  EXPECT_TRUE(rc::check([] {
    const Case c = arbitrary_case(true, *rc::gen::element<std::size_t>(1, 700, 2500));
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 5}) {
      ThreadPool pool(threads);
      Matrix gradient(c.vectors.rows(), c.vectors.cols());
      const double loss = softmax_loss(pool, c.batch, c.vectors, 0.2f, gradient);
      RC_ASSERT(std::abs(loss - slow_softmax(c.batch, c.rows, 0.2)) < 1e-4);
      results.emplace_back(gradient.data(), gradient.data() + gradient.rows() * gradient.stride());
    }
    RC_ASSERT(results[0] == results[1] && results[0] == results[2]);
  }));
}

// Subnormal derivatives would make every product with them many times slower.
TEST(PairLosses, ADroppedNegativePullsNothingAtAll) {
  PairBatch batch;
  batch.nodes = {0, 1, 2, 3};
  batch.persons = {0};
  batch.items = {1};
  batch.negatives = {2, 3};
  batch.dropped_offsets = {0, 1};
  batch.dropped = {0};
  Matrix vectors(4, 2), gradient(4, 2);
  const float rows[4][2] = {{1, 0}, {0.6f, 0.8f}, {0.8f, 0.6f}, {0, 1}};
  for (std::int64_t r = 0; r < 4; ++r) std::copy_n(rows[r], 2, vectors.row(r).data());
  ThreadPool pool(1);
  softmax_loss(pool, batch, vectors, 0.1f, gradient);
  for (const float g : gradient.row(2)) EXPECT_EQ(g, 0);
  EXPECT_NE(gradient.row(3)[0], 0);
}

TEST(PairLosses, ZeroVectorsAndNoNegativesAreHarmless) {
  PairBatch batch;
  batch.nodes = {0, 1};
  batch.persons = {0};
  batch.items = {1};
  batch.dropped_offsets = {0, 0};
  const Matrix vectors(2, 4);
  Matrix gradient(2, 4);
  ThreadPool pool(1);
  EXPECT_EQ(softmax_loss(pool, batch, vectors, 0.1f, gradient), 0);
  batch.negatives = {1};
  EXPECT_NEAR(softmax_loss(pool, batch, vectors, 0.1f, gradient), std::log(2.0), 1e-6);
  for (const float g : gradient.row(0)) EXPECT_EQ(g, 0);
}

}  // namespace
}  // namespace vitrine

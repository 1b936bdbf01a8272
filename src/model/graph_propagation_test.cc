#include "model/graph_propagation.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "base/random.h"
#include "data/histories_testing.h"

namespace vitrine {
namespace {

using Dense = std::vector<std::vector<double>>;

// P, entry by entry: the mean of the powers of D^-1/2 A D^-1/2.
Dense mean_of_powers(const Interactions& x, int layers, bool own) {
  const std::size_t persons = x.by_row.rows(), nodes = persons + x.items;
  Dense step(nodes, std::vector<double>(nodes)), power = step, mean = step;
  for (std::size_t r = 0; r < persons; ++r) {
    for (const std::uint32_t i : x.by_row.row(r)) {
      const double weight =
          1 / std::sqrt(static_cast<double>(x.by_row.row(r).size() * x.by_item.row(i).size()));
      step[r][persons + i] = step[persons + i][r] = weight;
    }
  }
  for (std::size_t n = 0; n < nodes; ++n) power[n][n] = 1;
  for (int layer = 0; layer <= layers; ++layer) {
    Dense next(nodes, std::vector<double>(nodes));
    for (std::size_t a = 0; a < nodes; ++a) {
      for (std::size_t b = 0; b < nodes; ++b) {
        if (layer > 0 || own) mean[a][b] += power[a][b] / (layers + (own ? 1 : 0));
        for (std::size_t c = 0; c < nodes; ++c) next[a][b] += power[a][c] * step[c][b];
      }
    }
    power = next;
  }
  return mean;
}

Matrix random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  Matrix m(rows, cols);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t c = 0; c < cols; ++c) {
      m(i, c) = static_cast<float>(Random(seed).normal(static_cast<std::uint64_t>(i * cols + c)));
    }
  }
  return m;
}

double product(const Dense& p, std::size_t row, const Matrix& m, std::int64_t column) {
  double sum = 0;
  for (std::size_t n = 0; n < p.size(); ++n) {
    sum += p[row][n] * m(static_cast<std::int64_t>(n), column);
  }
  return sum;
}

struct Case {
  Interactions interactions = build_interactions(testing::arbitrary_histories(), {});
  int layers = *rc::gen::inRange(0, 5);
  bool own = *rc::gen::arbitrary<bool>();
  std::int64_t width = *rc::gen::element<std::int64_t>(1, 5, 16, 64, 70, 150);
  ThreadPool pool{*rc::gen::inRange(1, 4)};
  GraphPropagation graph{pool, interactions, layers, own, width};
  Dense expected = mean_of_powers(interactions, layers, own || layers == 0);

  // Some of the nodes, each once, in any order.
  std::vector<std::uint32_t> some_nodes() const {
    std::vector<std::uint32_t> nodes;
    for (std::uint32_t n = 0; n < static_cast<std::uint32_t>(graph.nodes()); ++n) {
      if (*rc::gen::arbitrary<bool>()) nodes.insert(nodes.begin() + (n % (nodes.size() + 1)), n);
    }
    return nodes;
  }
};

constexpr double kHalfPrecision = 0.03;  // of sums of normal values that were rounded to bfloat16

TEST(GraphPropagation, AllIsTheMeanOfThePowersOfTheNormalisedGraph) {
  EXPECT_TRUE(rc::check([] {
    Case c;
    const Matrix embeddings = random_matrix(c.graph.nodes(), c.width, 1);
    const Matrix got = c.graph.all(embeddings);
    for (std::int64_t n = 0; n < got.rows(); ++n) {
      for (std::int64_t k = 0; k < c.width; ++k) {
        const double want = product(c.expected, static_cast<std::size_t>(n), embeddings, k);
        RC_ASSERT(std::abs(got(n, k) - want) < 1e-5);
      }
    }
  }));
}

TEST(GraphPropagation, ForwardGivesTheSameForSomeNodes) {
  EXPECT_TRUE(rc::check([] {
    Case c;
    const Matrix embeddings = random_matrix(c.graph.nodes(), c.width, 2);
    const auto nodes = c.some_nodes();
    Matrix got(static_cast<std::int64_t>(nodes.size()), c.width);
    c.graph.forward(embeddings, nodes, got);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (std::int64_t k = 0; k < c.width; ++k) {
        const double want = product(c.expected, nodes[i], embeddings, k);
        RC_ASSERT(std::abs(got(static_cast<std::int64_t>(i), k) - want) < kHalfPrecision);
      }
    }
  }));
}

TEST(GraphPropagation, BackwardIsTheTransposedMap) {
  EXPECT_TRUE(rc::check([] {
    Case c;
    const auto nodes = c.some_nodes();
    Matrix gradient = random_matrix(static_cast<std::int64_t>(nodes.size()), c.width, 3);
    Matrix spread(c.graph.nodes(), c.width), got(c.graph.nodes(), c.width);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const auto row = gradient.row(static_cast<std::int64_t>(i));
      std::copy(row.begin(), row.end(), spread.row(nodes[i]).begin());
    }
    // Twice: nothing of one call may stay for the next.
    for (int time = 0; time < 2; ++time) {
      Matrix g = random_matrix(gradient.rows(), c.width, 3);
      std::vector<int> calls(static_cast<std::size_t>(c.graph.nodes()));
      c.graph.backward(nodes, g, [&](std::int64_t node, std::span<const float> row) {
        ++calls[static_cast<std::size_t>(node)];
        std::copy(row.begin(), row.end(), got.row(node).begin());
      });
      RC_ASSERT(calls == std::vector<int>(calls.size(), 1));
    }
    for (std::int64_t n = 0; n < got.rows(); ++n) {
      for (std::int64_t k = 0; k < c.width; ++k) {
        const double want = product(c.expected, static_cast<std::size_t>(n), spread, k);
        RC_ASSERT(std::abs(got(n, k) - want) < kHalfPrecision);
      }
    }
  }));
}

}  // namespace
}  // namespace vitrine

// A request answered from weighted rows, one at a time on one thread: microseconds of CPU per list
// of 20. Sparse: a history of 20 items, 200 neighbours each, 41k items. Dense: 20 rows of 3,706
// items.
#include "index/rows.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace {

using namespace vitrine;

constexpr std::uint32_t kItems = 40'981, kDenseItems = 3'706, kNeighbours = 200, kHistory = 20;

SparseRows neighbours() {
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> columns;
  std::vector<float> weights;
  const Random random(1);
  for (std::uint32_t r = 0; r < kItems; ++r) {
    std::vector<std::uint32_t> row;
    for (std::uint32_t i = 0; i < kNeighbours; ++i) {
      const double u = random.uniform(std::uint64_t{r} * kNeighbours + i);
      row.push_back(static_cast<std::uint32_t>(u * u * kItems));  // popular ones more often
    }
    std::sort(row.begin(), row.end());
    row.erase(std::unique(row.begin(), row.end()), row.end());
    for (const std::uint32_t c : row) {
      columns.push_back(c);
      weights.push_back(static_cast<float>(random.uniform(columns.size())));
    }
    offsets.push_back(columns.size());
  }
  return {std::move(offsets), std::move(columns), std::move(weights)};
}

std::vector<WeightedRow> history(std::uint32_t turn, std::uint32_t items) {
  std::vector<WeightedRow> rows;
  for (std::uint32_t i = 0; i < kHistory; ++i)
    rows.push_back({(turn * 977 + i * 131) % items, 1.0f});
  return rows;
}

void sparse(benchmark::State& state) {
  const SparseRows matrix = neighbours();
  std::vector<Candidate> out(20);
  std::uint32_t turn = 0;
  for (auto _ : state) {
    const std::vector<WeightedRow> rows = history(turn++, kItems);
    benchmark::DoNotOptimize(top_of_sparse_rows(rows, matrix, kItems, {}, 20, out));
  }
}
BENCHMARK(sparse)->Unit(benchmark::kMicrosecond);

Matrix normal(std::int64_t rows, std::int64_t cols) {
  Matrix m(rows, cols);
  const Random random(2);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      m(i, j) = static_cast<float>(random.normal(static_cast<std::uint64_t>(i * cols + j)));
    }
  }
  return m;
}

void dense(benchmark::State& state) {
  const Matrix matrix = normal(kDenseItems, kDenseItems);
  std::vector<Candidate> out(20);
  std::uint32_t turn = 0;
  for (auto _ : state) {
    const std::vector<WeightedRow> rows = history(turn++, kDenseItems);
    benchmark::DoNotOptimize(top_of_dense_rows(rows, matrix.view(), {}, 20, out));
  }
}
BENCHMARK(dense)->Unit(benchmark::kMicrosecond);

void scores(benchmark::State& state) {
  const Matrix values = normal(16, kItems);
  std::vector<Candidate> out(20);
  std::int64_t turn = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(top_of_scores(values.row(turn++ % 16), {}, 20, out));
  }
}
BENCHMARK(scores)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();

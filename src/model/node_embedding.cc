#include "model/node_embedding.h"

#include <algorithm>
#include <cmath>

#include "base/sparse.h"
#include "base/svd.h"
#include "model/item_rows.h"

namespace vitrine {
namespace {

SparseView view_of(const SparseRows& rows, std::size_t cols) {
  return {rows.offsets.span(), rows.columns.span(), rows.weights.span(),
          static_cast<std::int64_t>(cols)};
}

std::vector<double> sums_of(const SparseRows& rows) {
  std::vector<double> sums(rows.rows());
  for (std::size_t r = 0; r < sums.size(); ++r) {
    for (const float w : rows.row_weights(r)) sums[r] += double{w};
  }
  return sums;
}

// How often the walks meet an item, in any company.
std::vector<double> masses(const Interactions& cells, std::span<const float> persons) {
  const std::vector<double> lengths = sums_of(cells.by_row);
  std::vector<double> masses(cells.items);
  for (std::uint32_t i = 0; i < cells.items; ++i) {
    const auto rows = cells.by_item.row(i);
    const auto weights = cells.by_item.row_weights(i);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const double w = weights[r], others = std::max(0.0, lengths[rows[r]] - w);
      masses[i] += double{persons[rows[r]]} * w * others;
    }
  }
  return masses;
}

// M, row by row.
Result<SparseRows> proximities(const Run& run, const NodeEmbeddingOptions& options,
                               const Interactions& cells) {
  std::vector<float> persons;
  for (const double length : sums_of(cells.by_row)) {
    const double weight = length > 0 ? std::pow(length, -options.person_exponent) : 0;
    persons.push_back(static_cast<float>(weight));
  }
  const std::vector<double> mass = masses(cells, persons);
  std::vector<double> context(mass.size());
  double total = 0;
  for (std::size_t i = 0; i < mass.size(); ++i) {
    context[i] = mass[i] > 0 ? std::pow(mass[i], options.context_exponent) : 0;
    total += context[i];
  }
  const double scale = total / options.negatives;
  return build_item_rows(run, NodeEmbeddingOptions::kName, cells.items, options.neighbours,
                         [&](std::uint32_t item, RowWorkspace& workspace) {
                           add_cooccurrences(cells, persons, item, workspace);
                           for (const std::uint32_t j : workspace.touched()) {
                             workspace.row.push_back({ItemIndex{j}, workspace.sum(j)});
                           }
                           keep_best(workspace.row, options.neighbours);
                           for (Candidate& c : workspace.row) {
                             const double chance = mass[item] * context[raw(c.item)];
                             c.score =
                                 static_cast<float>(std::log(double{c.score} * scale / chance));
                           }
                         });
}

// The first columns of `out` become the columns of `vectors` times values^power; the others stay 0.
Matrix weighted(const Matrix& vectors, std::span<const float> values, double power,
                std::int64_t width) {
  std::vector<float> scale;
  for (const float v : values) scale.push_back(static_cast<float>(v > 0 ? std::pow(v, power) : 0));
  Matrix out(vectors.rows(), width);
  for (std::int64_t i = 0; i < vectors.rows(); ++i) {
    const auto from = vectors.row(i);
    const auto to = out.row(i);
    for (std::size_t k = 0; k < scale.size(); ++k) to[k] = from[k] * scale[k];
  }
  return out;
}

// Each person's mean of the vectors of their items.
Matrix person_rows(ThreadPool& pool, const Interactions& cells, const Matrix& sources) {
  Matrix persons(static_cast<std::int64_t>(cells.by_row.rows()), sources.cols());
  multiply(pool, view_of(cells.by_row, cells.items), sources.view(), persons.view());
  const std::vector<double> lengths = sums_of(cells.by_row);
  for (std::size_t r = 0; r < lengths.size(); ++r) {
    const auto scale = static_cast<float>(lengths[r] > 0 ? 1 / lengths[r] : 0);
    for (float& v : persons.row(static_cast<std::int64_t>(r))) v *= scale;
  }
  return persons;
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_node_embedding(const Run& run,
                                                        const NodeEmbeddingOptions& options,
                                                        const TrainingSet& set) {
  const Interactions& cells = set.interactions;
  const double vectors = 10.0 * cells.items + 2.0 * static_cast<double>(cells.by_row.rows());
  VT_TRY(check_setting_memory(NodeEmbeddingOptions::kName, {"factors", options.factors},
                              sizeof(float) * vectors, options.memory_limit_mb));
  VT_TRY(check_row_memory(NodeEmbeddingOptions::kName, cells, {"neighbours", options.neighbours}, 0,
                          options.memory_limit_mb));
  VT_TRY(const SparseRows rows, proximities(run, options, cells));
  const SparseRows columns = transposed(rows, cells.items);
  const SparseView m = view_of(rows, cells.items), mt = view_of(columns, rows.rows());
  const LinearOperator proximity{
      m.rows(), m.cols,
      [&](MatrixView<const float> x, MatrixView<float> y) { multiply(run.pool, m, x, y); },
      [&](MatrixView<const float> x, MatrixView<float> y) { multiply(run.pool, mt, x, y); }};
  auto svd = truncated_svd({run.random.fork("node_embedding"), run.pool, run.monitor},
                           NodeEmbeddingOptions::kName, proximity,
                           {options.factors, std::max(8, options.factors / 8), options.iterations});
  if (!svd.ok()) return svd.error().prefixed(NodeEmbeddingOptions::kName);
  const Matrix items = weighted(svd->right, svd->values, options.spectrum, options.factors);
  const Matrix sources = weighted(svd->left, svd->values, options.spectrum, options.factors);
  const Matrix persons = person_rows(run.pool, cells, sources);
  return finish_factors(run, options, set, {items.view(), persons.view()});
}

Result<std::unique_ptr<const Model>> load_node_embedding(ArchiveReader& reader, const Catalogue&) {
  return load_factors<NodeEmbeddingOptions>(reader);
}

}  // namespace vitrine

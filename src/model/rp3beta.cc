#include "model/rp3beta.h"

#include <algorithm>
#include <cmath>

#include "index/rows.h"
#include "model/item_rows.h"
#include "model/options_archive.h"

namespace vitrine {
namespace {

class Rp3beta final : public Model {
 public:
  Rp3beta(Rp3betaOptions options, std::uint32_t items, SparseRows rows)
      : options_(options), items_(items), rows_(std::move(rows)) {}

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const auto steps = first_steps(queries[q]);
      out.set_count(q, top_of_sparse_rows(steps, rows_, items_, mask_of(masks, q), n, out.room(q)));
    }
  }

  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    score_sparse_rows(first_steps(query), rows_, items, scores);
  }

  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, items_);
    save_rows(writer, rows_);
  }

 private:
  std::vector<WeightedRow> first_steps(const Query& query) const {
    std::vector<WeightedRow> rows = rows_of_history(query.history, items_);
    for (WeightedRow& r : rows) {
      r.weight = static_cast<float>(std::pow(double{r.weight}, options_.alpha));
    }
    return rows;
  }

  Rp3betaOptions options_;
  std::uint32_t items_;
  SparseRows rows_;
};

// To a negative power; 0 of nothing.
std::vector<double> inverse_powers(const SparseRows& rows, double exponent) {
  std::vector<double> values(rows.rows());
  for (std::size_t r = 0; r < values.size(); ++r) {
    double sum = 0;
    for (const float w : rows.row_weights(r)) sum += w;
    values[r] = sum > 0 ? std::pow(sum, -exponent) : 0;
  }
  return values;
}

// Every weight to a power, times a factor of its row.
SparseRows raised(const SparseRows& rows, double exponent, std::span<const double> factors) {
  std::vector<float> weights;
  weights.reserve(rows.weights.size());
  for (std::size_t r = 0; r < rows.rows(); ++r) {
    for (const float w : rows.row_weights(r)) {
      weights.push_back(static_cast<float>(std::pow(double{w}, exponent) * factors[r]));
    }
  }
  return {rows.offsets, rows.columns, std::move(weights)};
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_rp3beta(const Run& run, const Rp3betaOptions& options,
                                                 const TrainingSet& set) {
  InteractionOptions best;
  best.merge = "max";
  best.binary = false;
  const Interactions graph = build_interactions(set.histories, best);
  VT_TRY(check_row_memory(Rp3betaOptions::kName, graph, {"neighbours", options.neighbours}, 0,
                          options.memory_limit_mb));
  const std::vector<double> leave_person = inverse_powers(graph.by_row, options.alpha);
  std::vector<double> leave_item = inverse_powers(graph.by_item, options.alpha);
  const std::vector<double> popularity = inverse_powers(graph.by_item, options.beta);
  // Floats hold P_uj^alpha and P_iu^alpha over the largest of an item, whatever the weights.
  std::vector<double> below_largest(graph.items);
  for (std::uint32_t i = 0; i < graph.items; ++i) {
    const auto weights = graph.by_item.row_weights(i);
    if (weights.empty()) continue;
    const double largest = *std::max_element(weights.begin(), weights.end());
    below_largest[i] = std::pow(largest, -options.alpha);
    leave_item[i] *= std::pow(largest, options.alpha);
  }
  const Interactions cells{raised(graph.by_row, options.alpha, leave_person),
                           raised(graph.by_item, options.alpha, below_largest), graph.items};
  const std::vector<float> ones(graph.by_row.rows(), 1.0f);
  const auto fill = [&](std::uint32_t item, RowWorkspace& workspace) {
    add_cooccurrences(cells, ones, item, workspace);
    for (const std::uint32_t j : workspace.touched()) {
      const double weight = leave_item[item] * workspace.sum(j) * popularity[j];
      workspace.row.push_back({ItemIndex{j}, static_cast<float>(weight)});
    }
  };
  VT_TRY(SparseRows rows,
         build_item_rows(run, Rp3betaOptions::kName, cells.items, options.neighbours, fill));
  return std::make_unique<const Rp3beta>(options, cells.items, std::move(rows));
}

Result<std::unique_ptr<const Model>> load_rp3beta(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(auto saved, load_options<Rp3betaOptions>(reader));
  VT_TRY(SparseRows rows, load_rows(reader, saved.second));
  return std::make_unique<const Rp3beta>(saved.first, saved.second, std::move(rows));
}

}  // namespace vitrine

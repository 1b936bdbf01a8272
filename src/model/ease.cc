#include "model/ease.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/blas.h"
#include "data/readable.h"
#include "model/ease_dense.h"
#include "model/item_regressions.h"
#include "model/linear_rows.h"
#include "model/options_archive.h"

namespace vitrine {
namespace {

class SparseEase final : public Model {
 public:
  SparseEase(EaseOptions options, LinearRows rows)
      : options_(std::move(options)), rows_(std::move(rows)) {}

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    rows_.retrieve(queries, masks, n, out);
  }
  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    rows_.score(query, items, scores);
  }
  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, rows_.items());
    writer.document("solver", "sparse");
    rows_.save(writer);
  }

 private:
  EaseOptions options_;
  LinearRows rows_;
};

Status solve_by_cholesky(const Regression& r) {
  std::copy(r.target.begin(), r.target.end(), r.weights.begin());
  return solve_spd(r.gram, {r.weights.data(), r.gram.rows, 1, 1});
}

Result<std::unique_ptr<const Model>> fit_sparse(const Run& run, const EaseOptions& options,
                                                const Interactions& interactions) {
  VT_TRY(check_regression_memory(EaseOptions::kName, interactions, options.candidates,
                                 run.pool.threads(), options.memory_limit_mb));
  const RegressionOptions regression{options.candidates, options.lambda, options.frequency_exponent,
                                     options.person_exponent};
  VT_TRY(SparseRows rows, solve_item_regressions(run, EaseOptions::kName, interactions, regression,
                                                 solve_by_cholesky));
  return std::make_unique<const SparseEase>(options,
                                            LinearRows(std::move(rows), is_binary(interactions)));
}

std::uint64_t seen_items(const Interactions& interactions) {
  std::uint64_t seen = 0;
  for (std::uint32_t i = 0; i < interactions.items; ++i) {
    seen += interactions.by_item.row(i).empty() ? 0 : 1;
  }
  return seen;
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_ease(const Run& run, const EaseOptions& options,
                                              const TrainingSet& set) {
  const std::uint64_t items = seen_items(set.interactions);
  const double mb = static_cast<double>(dense_ease_bytes(items)) / (1 << 20);
  const bool fits = mb <= options.memory_limit_mb;
  const bool few = items <= static_cast<std::uint64_t>(options.dense_items_max);
  if (options.solver == "sparse" || (options.solver == "auto" && !(few && fits))) {
    return fit_sparse(run, options, set.interactions);
  }
  if (!fits) {
    return Error{Code::kExhausted,
                 fmt::format("ease: {} needed for {} items, limit {}: raise memory_limit_mb or set "
                             "solver = \"sparse\"",
                             readable_memory(mb), readable_count(items),
                             readable_memory(options.memory_limit_mb))};
  }
  return fit_dense_ease(run, options, set.interactions);
}

Result<std::unique_ptr<const Model>> load_ease(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(auto saved, load_options<EaseOptions>(reader));
  VT_TRY(const Value solver, reader.document("solver"));
  const std::string* name = solver.as_string();
  if (name == nullptr || (*name != "dense" && *name != "sparse")) {
    return Error{Code::kCorrupt, "ease: solver must be dense or sparse"};
  }
  if (*name == "dense") return load_dense_ease(reader, std::move(saved.first), saved.second);
  VT_TRY(LinearRows rows, LinearRows::load(reader, saved.second));
  return std::make_unique<const SparseEase>(std::move(saved.first), std::move(rows));
}

}  // namespace vitrine

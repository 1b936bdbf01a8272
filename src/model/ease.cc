#include "model/ease.h"

#include <fmt/format.h>

#include "data/readable.h"
#include "index/mask.h"
#include "model/ease_dense.h"
#include "model/item_attributes.h"
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

constexpr int kMixedMost = 4;  // weights of a new item, per candidate

// What the attributes say of new items: model/item_attributes.h. Without rows where nothing is
// asked for.
Result<SparseRows> mixes_of(const Run& run, const EaseOptions& options, const TrainingSet& set) {
  if (options.attributes.empty()) return SparseRows();
  const Interactions cells =
      attribute_cells(set.catalogue, set.interactions.items, options.attributes);
  return attribute_mixes(run, set.interactions, cells, set.catalogue, options.attribute_lambda,
                         options.candidates, options.memory_limit_mb);
}

struct Sizes {
  std::uint64_t seen = 0, fresh = 0;
};

Sizes sizes_of(const Interactions& interactions, const SparseRows& mixes) {
  Bitmap fresh(interactions.items);
  for (const std::uint32_t i : mixes.columns) fresh.set(i);
  Sizes sizes;
  for (std::uint32_t i = 0; i < interactions.items; ++i) {
    sizes.seen += interactions.by_item.row(i).empty() ? 0 : 1;
    sizes.fresh += fresh.test(i) ? 1 : 0;
  }
  return sizes;
}

enum class Solver { kDense, kSparse };

// kExhausted when it does not fit.
Result<Solver> solver_for(const Run& run, const EaseOptions& options,
                          const Interactions& interactions, const Sizes& sizes) {
  const auto [seen, fresh] = sizes;
  std::uint64_t bytes = dense_ease_bytes(seen + fresh);
  if (fresh > 0) bytes += dense_ease_bytes(seen);
  const double mb = static_cast<double>(bytes) / (1 << 20);
  const bool fits = mb <= options.memory_limit_mb;
  const bool few = seen + fresh <= static_cast<std::uint64_t>(options.dense_items_max);
  if (options.solver == "sparse" || (options.solver == "auto" && !(few && fits))) {
    VT_TRY(check_regression_memory(EaseOptions::kName, interactions, options.candidates,
                                   run.pool.threads(), options.memory_limit_mb,
                                   2 * fresh * kMixedMost));
    return Solver::kSparse;
  }
  if (fits) return Solver::kDense;
  return Error{Code::kExhausted,
               fmt::format("ease: {} needed for {} items, limit {}: raise memory_limit_mb or set "
                           "solver = \"sparse\"",
                           readable_memory(mb), readable_count(seen + fresh),
                           readable_memory(options.memory_limit_mb))};
}

Result<std::unique_ptr<const Model>> fit_sparse(const Run& run, const EaseOptions& options,
                                                const Interactions& interactions,
                                                const SparseRows& mixes) {
  RegressionOptions regression;
  regression.candidates = options.candidates;
  regression.lambda = options.lambda;
  regression.frequency_exponent = options.frequency_exponent;
  regression.person_exponent = options.person_exponent;
  VT_TRY(SparseRows rows, solve_item_regressions(run, EaseOptions::kName, interactions, regression,
                                                 solve_by_cholesky));
  if (!mixes.columns.empty()) {
    VT_TRY(rows, grown_rows(run, rows, mixes, kMixedMost * options.candidates));
  }
  return std::make_unique<const SparseEase>(options,
                                            LinearRows(std::move(rows), is_binary(interactions)));
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_ease(const Run& run, const EaseOptions& options,
                                              const TrainingSet& set) {
  // What does not fit without new items is said before they cost anything.
  VT_TRY(solver_for(run, options, set.interactions, sizes_of(set.interactions, {})));
  VT_TRY(const SparseRows mixes, mixes_of(run, options, set));
  const Sizes sizes = sizes_of(set.interactions, mixes);
  VT_TRY(const Solver solver, solver_for(run, options, set.interactions, sizes));
  if (solver == Solver::kSparse) return fit_sparse(run, options, set.interactions, mixes);
  return fit_dense_ease(run, options, set.interactions, mixes);
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

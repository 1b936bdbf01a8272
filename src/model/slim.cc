#include "model/slim.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/blas.h"
#include "base/kernels.h"
#include "model/item_regressions.h"
#include "model/linear_rows.h"
#include "model/options_archive.h"

namespace vitrine {
namespace {

constexpr double kTolerance = 1e-5;  // of the target's norm
constexpr int kPassesMax = 1000;

class Slim final : public Model {
 public:
  Slim(SlimOptions options, LinearRows rows) : options_(options), rows_(std::move(rows)) {}

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
    rows_.save(writer);
  }

 private:
  SlimOptions options_;
  LinearRows rows_;
};

// Coordinate descent on one regression. `gradient` is that of the squares and the L2 term,
// G_Sj - (G_SS + l2) b.
class ElasticNet {
 public:
  ElasticNet(const SlimOptions& options, const Regression& r)
      : l1_(static_cast<float>(options.l1)),
        non_negative_(options.non_negative),
        r_(r),
        gradient_(r.target.begin(), r.target.end()) {}

  void solve() {
    const double enough = kTolerance * kTolerance * r_.norm;
    std::vector<std::uint32_t> all(gradient_.size()), active;
    std::iota(all.begin(), all.end(), 0u);
    for (int pass = 0; pass < kPassesMax; ++pass) {
      if (descend(all) <= enough) return;
      active.clear();
      for (const std::uint32_t p : all) {
        if (r_.weights[p] != 0) active.push_back(p);
      }
      while (++pass < kPassesMax && descend(active) > enough) {
      }
    }
  }

 private:
  // Each of the weights to its optimum in turn. Returns the largest square of what one moved the
  // prediction by.
  double descend(std::span<const std::uint32_t> places) {
    double most = 0;
    for (const std::uint32_t p : places) {
      const std::span<const float> row = r_.gram.row(p);
      const float old = r_.weights[p], wanted = shrunk(gradient_[p] + row[p] * old) / row[p];
      if (wanted == old) continue;
      const float step = wanted - old;
      r_.weights[p] = wanted;
      kernels().axpy(-step, row.data(), gradient_.data(), r_.gram.cols);
      most = std::max(most, double{step} * step * row[p]);
    }
    return most;
  }
  float shrunk(float value) const {
    if (value > l1_) return value - l1_;
    return value < -l1_ && !non_negative_ ? value + l1_ : 0;
  }

  float l1_;
  bool non_negative_;
  const Regression& r_;
  std::vector<float> gradient_;
};

}  // namespace

Result<std::unique_ptr<const Model>> fit_slim(const Run& run, const SlimOptions& options,
                                              const TrainingSet& set) {
  RegressionOptions regression;
  regression.candidates = options.candidates;
  regression.lambda = options.l2;
  regression.frequency_exponent = options.frequency_exponent;
  regression.person_exponent = options.person_exponent;
  VT_TRY(check_regression_memory(SlimOptions::kName, set.interactions, options.candidates,
                                 run.pool.threads(), options.memory_limit_mb));
  VT_TRY(SparseRows rows, solve_item_regressions(run, SlimOptions::kName, set.interactions,
                                                 regression, [&](const Regression& r) -> Status {
                                                   ThreadPool here(1);
                                                   fill_upper(here, r.gram);
                                                   ElasticNet(options, r).solve();
                                                   return {};
                                                 }));
  return std::make_unique<const Slim>(options,
                                      LinearRows(std::move(rows), is_binary(set.interactions)));
}

Result<std::unique_ptr<const Model>> load_slim(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(auto saved, load_options<SlimOptions>(reader));
  VT_TRY(LinearRows rows, LinearRows::load(reader, saved.second));
  return std::make_unique<const Slim>(saved.first, std::move(rows));
}

}  // namespace vitrine

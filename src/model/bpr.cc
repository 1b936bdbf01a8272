#include "model/bpr.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "model/bpr_sgd.h"
#include "model/epochs.h"
#include "model/memory.h"

namespace vitrine {
namespace {

// Scores that say 1 for what was taken and 0 for everything, on average: the targets of the
// fold-in. No list changes.
struct Scaled {
  Matrix users;
  std::vector<float> biases;
};

Scaled scaled(const BprTrainer& trainer, const SparseRows& cells,
              std::span<const std::uint32_t> item_counts) {
  const auto users = trainer.users(), items = trainer.items();
  const std::span<const float> biases = trainer.biases();
  double taken = 0, bias = 0, persons = 0, seen = 0;
  Matrix mean(2, users.cols);  // of the persons' vectors, of the items'
  for (std::int64_t u = 0; u < users.rows; ++u) {
    const auto row = cells.row(static_cast<std::size_t>(u));
    if (row.empty()) continue;
    ++persons;
    kernels().axpy(1, users.row(u).data(), mean.row(0).data(), users.cols);
    for (const std::uint32_t i : row) {
      taken += double{kernels().dot(users.row(u).data(), items.row(i).data(), users.cols)};
      taken += double{biases[i]};
    }
  }
  for (std::size_t i = 0; i < item_counts.size(); ++i) {
    if (item_counts[i] == 0) continue;
    ++seen;
    bias += double{biases[i]};
    kernels().axpy(1, items.row(static_cast<std::int64_t>(i)).data(), mean.row(1).data(),
                   items.cols);
  }
  double zero = 0, unit = 1;
  if (seen > 0) {
    const double pair = kernels().dot(mean.row(0).data(), mean.row(1).data(), users.cols);
    zero = pair / (persons * seen) + bias / seen;
    unit = taken / static_cast<double>(cells.columns.size()) - zero;
    if (!(unit > 1e-3)) unit = 1;
  }
  Scaled result{Matrix(users.rows, users.cols), {biases.begin(), biases.end()}};
  const auto factor = static_cast<float>(1 / unit);
  for (std::int64_t u = 0; u < users.rows; ++u) {
    kernels().axpy(factor, users.row(u).data(), result.users.row(u).data(), users.cols);
  }
  for (float& b : result.biases) b = static_cast<float>((double{b} - zero) / unit);
  return result;
}

double bytes_needed(const TrainingSet& set, int factors) {
  const SparseRows& cells = set.interactions.by_row;
  const auto persons = static_cast<double>(cells.rows());
  const auto items = static_cast<double>(set.interactions.items);
  // Training, with the persons' vectors scaled for a finished model, and the cells of an epoch.
  return (2 * persons + items) * row_bytes(factors) +
         8.0 * static_cast<double>(cells.columns.size()) +
         factors_bytes(set, static_cast<std::int64_t>(cells.rows()), factors, true);
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_bpr(const Run& run, const BprOptions& options,
                                             const TrainingSet& set) {
  const SparseRows& cells = set.interactions.by_row;
  const std::vector<std::uint32_t> counts = item_counts(set.histories);
  VT_TRY(check_factor_memory(BprOptions::kName, options.factors, options.memory_limit_mb,
                             [&](int factors) { return bytes_needed(set, factors); }));
  BprTrainer trainer(run, options, cells, counts);
  Epochs epochs(run, set.validator, BprOptions::kName, options.epochs,
                [&]() -> Result<std::unique_ptr<const Model>> {
                  const Scaled state = scaled(trainer, cells, counts);
                  FactorState finished{trainer.items(), state.users.view(), state.biases};
                  finished.remedy = "use a smaller learning_rate";
                  return finish_factors(run, options, set, finished);
                });
  // A part of an epoch has about a million steps.
  constexpr int kRounds = kBprStrips;
  const double steps = static_cast<double>(cells.columns.size()) * options.negatives;
  const int rounds = static_cast<int>(std::clamp(kRounds * 0x1p20 / steps, 1.0, 1.0 * kRounds));
  while (epochs.next()) {
    trainer.begin_epoch(epochs.done());
    for (int round = 0; round < kRounds; ++round) {
      trainer.round(round);
      const int done = round + 1;
      if (done % rounds == 0 && done < kRounds) VT_TRY(epochs.part(done, kRounds));
    }
  }
  return epochs.model();
}

Result<std::unique_ptr<const Model>> load_bpr(ArchiveReader& reader, const Catalogue&) {
  return load_factors<BprOptions>(reader);
}

}  // namespace vitrine

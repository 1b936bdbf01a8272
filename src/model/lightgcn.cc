#include "model/lightgcn.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/kernels.h"
#include "model/epochs.h"
#include "model/lightgcn_trainer.h"

namespace vitrine {
namespace {

Status check_memory(const LightGcnOptions& options, const Interactions& interactions) {
  const double bytes = LightGcnTrainer::bytes(options, interactions);
  const double mb = bytes / (1 << 20);
  if (mb <= options.memory_limit_mb) return {};
  return Error{
      Code::kExhausted,
      fmt::format(
          "lightgcn: {:.0f} MB needed for {} persons and items with {} factors, "
          "limit {} MB: raise memory_limit_mb, or use about {} factors",
          mb, interactions.by_row.rows() + interactions.items, options.factors,
          options.memory_limit_mb,
          std::max(1, static_cast<int>(options.factors * options.memory_limit_mb / mb) / 16 * 16))};
}

// Final vectors as the score wants them: persons, then items, and a bias for each item or none.
struct Scored {
  Matrix vectors;
  std::vector<float> biases;
};

Scored scored(const LightGcnOptions& options, const Interactions& interactions, Matrix vectors) {
  Scored s{std::move(vectors), {}};
  if (options.loss == "bpr") return s;
  for (std::int64_t n = 0; n < s.vectors.rows(); ++n) {
    const std::span<float> row = s.vectors.row(n);
    const float length = std::sqrt(kernels().dot(row.data(), row.data(), s.vectors.cols()));
    if (!(length > 0)) continue;
    for (float& v : row) v /= length;
  }
  std::size_t most = 1;
  for (std::uint32_t i = 0; i < interactions.items; ++i) {
    most = std::max(most, interactions.by_item.row(i).size());
  }
  for (std::uint32_t i = 0; i < interactions.items; ++i) {
    const auto persons = static_cast<double>(interactions.by_item.row(i).size());
    const double share = std::max(persons, 1.0) / static_cast<double>(most);
    s.biases.push_back(static_cast<float>(options.temperature * std::log(share)));
  }
  return s;
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_lightgcn(const Run& run, const LightGcnOptions& options,
                                                  const TrainingSet& set) {
  VT_TRY(check_memory(options, set.interactions));
  LightGcnTrainer trainer(run, options, set.interactions);
  const auto persons = static_cast<std::int64_t>(set.interactions.by_row.rows());
  const auto finished = [&] {
    const Scored now = scored(options, set.interactions, trainer.vectors());
    const MatrixView<const float> all = now.vectors.view();
    FactorState state{{all.data + persons * all.stride, all.rows - persons, all.cols, all.stride},
                      {all.data, persons, all.cols, all.stride},
                      now.biases};
    state.remedy = "use a smaller learning_rate";
    return finish_factors(run, options, set, state);
  };
  Epochs epochs(run, set.validator, LightGcnOptions::kName, options.epochs, finished,
                options.measure_every);
  const auto batches = static_cast<int>(trainer.batches());
  while (epochs.next()) {
    trainer.begin_epoch(epochs.done());
    for (int batch = 0; batch < batches; ++batch) {
      trainer.step(batch);
      VT_TRY(epochs.part(batch + 1, batches));
    }
  }
  return epochs.model();
}

Result<std::unique_ptr<const Model>> load_lightgcn(ArchiveReader& reader, const Catalogue&) {
  return load_factors<LightGcnOptions>(reader);
}

}  // namespace vitrine

#include "model/lightgcn.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/kernels.h"
#include "model/epochs.h"
#include "model/lightgcn_trainer.h"
#include "model/memory.h"

namespace vitrine {
namespace {

double bytes_needed(const LightGcnOptions& options, const TrainingSet& set, int factors) {
  LightGcnOptions changed = options;
  changed.factors = factors;
  const std::size_t persons = set.interactions.by_row.rows();
  const double finals = static_cast<double>(persons + set.interactions.items) * row_bytes(factors);
  return LightGcnTrainer::bytes(changed, set.interactions) + finals +
         factors_bytes(set, static_cast<std::int64_t>(persons), factors, options.loss != "bpr");
}

// Final vectors as the score wants them: persons, then items, and a bias for each item or none.
struct Scored {
  Matrix vectors;
  std::vector<float> biases;
  float target = 1;  // of the fold-in
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
    const std::size_t persons = std::max<std::size_t>(interactions.by_item.row(i).size(), 1);
    most = std::max(most, persons);
    s.biases.push_back(
        static_cast<float>(options.temperature * std::log(static_cast<double>(persons))));
  }
  // Folding in wants a cosine of 1 from the most popular item, and more from others.
  s.target += static_cast<float>(options.temperature * std::log(static_cast<double>(most)));
  return s;
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_lightgcn(const Run& run, const LightGcnOptions& options,
                                                  const TrainingSet& set) {
  VT_TRY(check_factor_memory(LightGcnOptions::kName, options.factors, options.memory_limit_mb,
                             [&](int factors) { return bytes_needed(options, set, factors); }));
  LightGcnTrainer trainer(run, options, set.interactions);
  const auto persons = static_cast<std::int64_t>(set.interactions.by_row.rows());
  const auto finished = [&] {
    const Scored now = scored(options, set.interactions, trainer.vectors());
    const MatrixView<const float> all = now.vectors.view();
    FactorState state{{all.data + persons * all.stride, all.rows - persons, all.cols, all.stride},
                      {all.data, persons, all.cols, all.stride},
                      now.biases};
    state.target = now.target;
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

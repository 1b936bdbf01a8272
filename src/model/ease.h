// Embarrassingly shallow autoencoder: the linear item-to-item model that reconstructs each person's
// items from the others, in closed form. With X the interactions (persons x items) and
//
//   G = X^T X,   P = (G + lambda I)^-1,   B_ij = -P_ij / P_jj,  B_jj = 0
//
// a history scores item j by the sum of B_ij over its distinct items i (weighted by the best event
// weight if the interactions are not binary). Steck, "Embarrassingly shallow autoencoders for
// sparse data", WWW 2019, equation 8.
//
// Only items with interactions enter G; others score 0 and are never listed, and a history without
// a known item gives an empty list. Cost: items^3 multiplications in float32 and 4 items^2 bytes,
// once. The same bytes for any number of threads (per kernel level of the linear algebra library).
#pragma once

#include <memory>

#include "model/model.h"

namespace vitrine {

struct EaseOptions {
  double lambda = 300;
  int memory_limit_mb = 8192;

  static constexpr std::string_view kName = "ease";
  static constexpr auto fields() {
    using O = EaseOptions;
    return std::tuple{
        Field{"lambda", &O::lambda, 1e-3, 1e9, "L2 regularisation; more for sparser data"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 1, 1 << 24,
              "fitting refuses to start when its matrix would be larger"}};
  }
};

// kExhausted, with the number, when the matrix would not fit; kInvalid when G + lambda I is
// numerically not positive definite.
Result<std::unique_ptr<const Model>> fit_ease(const Run& run, const EaseOptions& options,
                                              const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_ease(ArchiveReader& reader, const Catalogue& catalogue);

}  // namespace vitrine

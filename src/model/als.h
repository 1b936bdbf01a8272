// Implicit matrix factorisation by alternating least squares. With S the interactions, w their
// weights, x_u and y_i vectors of persons and items, fitting minimises
//
//   L = sum_{(u,i) in S} w_ui (1 - x_u.y_i)^2 + a0 sum_{u,i} (x_u.y_i)^2
//       + sum_u l_u |x_u|^2 + sum_i l_i |y_i|^2
//   l_u = regularization * (sum_i w_ui + a0 |items|)^exponent, and the same for l_i
//
// where w is the weight of the interaction times n^-item_exponent for an item that n persons took
// (scaled: on average 1), so that what everybody takes says less of a person.
//
// Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008, with
// the loss and the frequency-scaled regularisation of Rendle, Krichene, Zhang, Koren, "Revisiting
// the performance of iALS on item recommendation benchmarks", RecSys 2022, equations 3 and 5.
//
// Both sides are kept in the eigenbasis of the other side's Gram, where the sum over all pairs is
// diagonal. So a person or item with n interactions is an independent ridge regression on n rows
// (model/ridge.h), and a step touches nothing but those. Solvers of a row of width k:
//
//   exact  n^2 k + n^3/3 or n k^2 + k^3/3 multiplications, whichever is less
//   block  exact on `block` columns at a time: n k block + k block^2/3, less for long histories
//   cg     three steps of conjugate gradients from the last epoch's vector: 8 n k
//
// and each epoch (persons + items) k^2 + 20 k^3 for the eigenbases.
//
// The model keeps item vectors; a query is folded in (model/factors.h), so persons have no rows. On
// binary interactions that is exactly a step of fitting; weighted ones are merged and halved with
// time in fitting, while a query's item weighs what its best event does. Deterministic for any
// number of threads (per version of the linear algebra library).
#pragma once

#include "model/factors.h"

namespace vitrine {

struct AlsOptions {
  int factors = 64;
  int epochs = 12;
  double unobserved_weight = 0.1;
  double regularization = 0.003;
  double exponent = 1;
  double item_exponent = 0;
  std::string solver = "exact";
  int block = 128;
  int memory_limit_mb = 8192;

  FoldIn fold_in() const { return {unobserved_weight, regularization, exponent}; }

  static constexpr std::string_view kName = "als";
  static constexpr auto fields() {
    using O = AlsOptions;
    return std::tuple{
        Field{"factors", &O::factors, 1, 2048, "width of the vectors"},
        Field{"epochs", &O::epochs, 1, 1000, "passes over persons, then items"},
        Field{"unobserved_weight", &O::unobserved_weight, 0.0, 1e3,
              "weight of a pair without interaction, where one interaction weighs 1"},
        Field{"regularization", &O::regularization, 1e-9, 1e6,
              "L2 regularisation, scaled by frequency"},
        Field{"exponent", &O::exponent, 0.0, 2.0,
              "how regularisation grows with the frequency; 0: the same for all"},
        Field{"item_exponent", &O::item_exponent, 0.0, 1.0,
              "an interaction with an item of n persons weighs n^-exponent, on average 1"},
        Field{"solver", &O::solver, "exact|block|cg",
              "how a row is solved: exactly, by blocks of columns, or by conjugate gradients"},
        Field{"block", &O::block, 16, 2048, "columns of a block, a multiple of 16"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 1, 1 << 24,
              "fitting refuses to start when it would need more"}};
  }
};

// Starts from the item vectors of `previous` where that is such a model (null: from the seed);
// items are matched by index. kExhausted, with the number, when memory would not suffice; kInvalid
// when the vectors are not finite.
Result<std::unique_ptr<const Model>> fit_als(const Run& run, const AlsOptions& options,
                                             const TrainingSet& set, const Model* previous);
Result<std::unique_ptr<const Model>> load_als(ArchiveReader& reader, const Catalogue& catalogue);

}  // namespace vitrine

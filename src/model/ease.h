// Embarrassingly shallow autoencoder: the linear item-to-item model that reconstructs each person's
// items from the others, in closed form. With X the interactions (persons x items),
// D = diag(n_u^-person_exponent) for n_u the distinct items of person u,
//
//   G = X^T D X,   P = (G + diag(lambda_i))^-1,   B_ij = -P_ij / P_jj,   B_jj = 0
//   lambda_i = lambda (G_ii / mean G)^frequency_exponent
//
// a history scores item j by the sum of B_ij over its distinct items i (weighted by the best event
// weight if the interactions are not binary). Steck, "Embarrassingly shallow autoencoders for
// sparse data", WWW 2019, equation 8, which both exponents at 0 give. Column j of B is the ridge
// regression of item j on all others.
//
// Two solvers, chosen by `solver` or, if that is "auto", by size: dense where at most
// `dense_items_max` items have interactions and the matrix is within memory_limit_mb, else sparse.
//
//   dense   one inverse over the items with interactions. items^3 / 2 multiplications in float32
//           and 4 items^2 bytes, once. Lists every such item.
//   sparse  the regression of each item on its best `candidates` alone
//           (model/item_regressions.h), each solved by its own Cholesky factor: a sparse B as in
//           Steck, "Markov random fields for collaborative filtering", NeurIPS 2019, with a
//           neighbourhood of its own for each item. About items (candidates^3 / 6 + pairs of
//           candidates that persons have) multiplications and 16 items candidates bytes. Lists the
//           items that an item of the history has a weight to.
//
// A history without a known item gives an empty list; items without interactions score 0 and are
// never listed, unless `attributes` names what describes them: then each stands for a mix of items
// with the same attributes (model/item_attributes.h). Lists are otherwise the same. The same bytes
// for any number of threads (per kernel level of the linear algebra library).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/model.h"

namespace vitrine {

struct EaseOptions {
  double lambda = 300;
  double person_exponent = 0;
  double frequency_exponent = 0;
  std::string solver = "auto";
  int dense_items_max = 10'000;
  int candidates = 100;
  std::vector<std::string> attributes;
  double attribute_lambda = 10;
  int memory_limit_mb = 8192;

  static constexpr std::string_view kName = "ease";
  static constexpr auto fields() {
    using O = EaseOptions;
    return std::tuple{
        Field{"lambda", &O::lambda, 1e-3, 1e9, "L2 regularisation; more for sparser data"},
        Field{"person_exponent", &O::person_exponent, 0.0, 2.0,
              "a person weighs their number of items to minus this; more mutes heavy users"},
        Field{"frequency_exponent", &O::frequency_exponent, 0.0, 2.0,
              "lambda of an item grows with its frequency to this; more mutes popular items"},
        Field{"solver", &O::solver, "auto|dense|sparse",
              "one inverse over all items, or a small regression per item; auto: by size"},
        Field{"dense_items_max", &O::dense_items_max, 0, 1'000'000,
              "with more items solver auto is sparse"},
        Field{"candidates", &O::candidates, 1, 8192,
              "items that may explain another one (sparse): those most often taken with it"},
        Field{"attributes", &O::attributes,
              "what describes items that nobody took yet, so that they can be listed: category, "
              "brand, tags, title, free attributes; none: they are not listed"},
        Field{"attribute_lambda", &O::attribute_lambda, 1e-3, 1e6,
              "L2 regularisation of such a description; less lists new items more"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 1, 1 << 24,
              "fitting refuses to start when it would need more"}};
  }
};

// kExhausted, with the number, when the weights would not fit; kInvalid when a matrix is
// numerically not positive definite.
Result<std::unique_ptr<const Model>> fit_ease(const Run& run, const EaseOptions& options,
                                              const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_ease(ArchiveReader& reader, const Catalogue& catalogue);

}  // namespace vitrine

// LightGCN: vectors of persons and items that are smoothed over the user-item graph before they
// meet. He et al., "LightGCN: simplifying and powering graph convolution network for
// recommendation", SIGIR 2020. One embedding e per person and item is learned; final vectors are
// the mean of the layers of convolution (graph_propagation.h, equations 7 and 8 of the paper) and a
// score is a product of the person's and the item's.
//
// Losses (pair_losses.h): `softmax`, of cosines over a temperature against negatives that a batch
// shares, which needs few and large batches, and `bpr`, the paper's. Negatives of the softmax are
// drawn as often as people took them, so the cosine learns ln p(i | u) - ln p(i), and the score
// puts ln p(i) back (f_i: how many took item i):
//
//   score(u, i) = cos(v_u, v_i) + temperature * ln f_i     (softmax)
//   score(u, i) = v_u . v_i                                (bpr)
//
// Where there are no more items than negatives, each is there once, with the weight that as many
// draws would give it. Both losses add l2 / 2 |e|^2 of the embeddings that a batch names, per pair.
// Adam, its rate falling in a line to zero over `epochs`.
//
// Every step convolves the whole graph forward and back: about 4.7 products of 2 |A| rows of
// 2 * factors bytes at two layers and more. The same bytes for any number of threads.
//
// Someone who was fitted on is answered by their final vector; everyone else by ridge regression on
// the item vectors (factors.h).
#pragma once

#include <memory>

#include "model/factors.h"
#include "model/model.h"

namespace vitrine {

struct LightGcnOptions {
  int factors = 64;
  int layers = 2;
  bool own_layer = false;
  std::string loss = "softmax";
  double temperature = 0.1;
  int negatives = 1024;
  int batch = 2048;
  int epochs = 20;
  double learning_rate = 0.01;
  double l2 = 1e-4;
  double fold_in_regularization = 1;
  int measure_every = 1;
  int memory_limit_mb = 8192;

  FoldIn fold_in() const { return {0, fold_in_regularization, 0}; }

  static constexpr std::string_view kName = "lightgcn";
  static constexpr auto fields() {
    using O = LightGcnOptions;
    return std::tuple{
        Field{"factors", &O::factors, 1, 1024, "width of the vectors"},
        Field{"layers", &O::layers, 0, 8,
              "of convolution; 0: plain factors; more help persons and items with few events"},
        Field{"own_layer", &O::own_layer,
              "average the embeddings in as a layer of their own, as the paper does; without "
              "generalises better"},
        Field{"loss", &O::loss, "softmax|bpr",
              "softmax: against all negatives of a batch; bpr: against one per pair"},
        Field{"temperature", &O::temperature, 0.01, 10.0,
              "of the softmax; less looks harder at the most similar negatives"},
        Field{"negatives", &O::negatives, 1, 65'536,
              "of the softmax, shared by a batch; all items where there are fewer"},
        Field{"batch", &O::batch, 1, 1 << 20,
              "pairs of one step; each step convolves the whole graph, so fewer steps are faster"},
        Field{"epochs", &O::epochs, 1, 10'000, "passes over all pairs"},
        Field{"learning_rate", &O::learning_rate, 1e-6, 1.0,
              "of Adam, at the beginning; more for larger batches"},
        Field{"l2", &O::l2, 0.0, 10.0, "regularisation of the embeddings that a batch names"},
        Field{"fold_in_regularization", &O::fold_in_regularization, 1e-6, 1e6,
              "of the regression that answers for people without a vector"},
        Field{"measure_every", &O::measure_every, 1, 10'000,
              "epochs between two measurements, where fitting may stop early"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 1, 1 << 24,
              "fitting refuses to start when it would need more"}};
  }
};

// kExhausted, with the number, when it would not fit; kInvalid when it diverged.
Result<std::unique_ptr<const Model>> fit_lightgcn(const Run& run, const LightGcnOptions& options,
                                                  const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_lightgcn(ArchiveReader& reader,
                                                   const Catalogue& catalogue);

}  // namespace vitrine

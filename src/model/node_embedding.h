// Item embeddings from the user-item graph: what random walks from item to person to item meet
// together more often than chance, factorised. No walk is drawn: the matrix that skip-gram with
// negative sampling on such walks approaches is known in closed form (Levy and Goldberg, NIPS 2014;
// Qiu et al., "Network embedding as matrix factorization", NetMF, WSDM 2018), here for walks of one
// round trip, which are sparse. With p the person_exponent (1: the walk leaves a person for each of
// their items alike), a the context_exponent and k the negatives,
//
//   C_ij = sum over u of n_u^-p x_ui x_uj  (i and j differ)         c_i = sum_j C_ij
//   M_ij = max(0, ln( C_ij sum_l c_l^a / (c_i c_j^a k) ))           M near U S V^T
//   source_i = U_i S^spectrum    item_j = V_j S^spectrum    person = mean of source_i
//
// A row of M keeps its `neighbours` largest C_ij. A person who was fitted is answered by their row
// while their history is what it was, everyone else by the ridge fold-in on the item vectors
// (factors.h). Similar items, retrieval and the index use the item vectors.
//
// Cost: the sum of squared history lengths for M and a truncated SVD (base/svd.h) of up to items *
// neighbours entries. Memory: three copies of those while they are built, two while they are
// factorised, and ten vectors per item and two per person; kExhausted before either starts when it
// would not fit. The same bytes for any number of threads.
#pragma once

#include <memory>

#include "model/factors.h"
#include "model/model.h"

namespace vitrine {

struct NodeEmbeddingOptions {
  int factors = 64;
  int neighbours = 500;
  double person_exponent = 1;
  double context_exponent = 0.75;
  double negatives = 1;
  double spectrum = 0.5;
  int iterations = 3;
  double background = 0.01;
  double regularization = 1;
  int memory_limit_mb = 8192;

  static constexpr std::string_view kName = "node_embedding";
  static constexpr auto fields() {
    using O = NodeEmbeddingOptions;
    return std::tuple{
        Field{"factors", &O::factors, 1, 4096, "width of the vectors"},
        Field{"neighbours", &O::neighbours, 1, 1'000'000,
              "co-occurring items that each item keeps before factorising"},
        Field{"person_exponent", &O::person_exponent, 0.0, 2.0,
              "a person's pairs weigh their weight of events to minus this; 1 is a random walk"},
        Field{"context_exponent", &O::context_exponent, 0.0, 1.0,
              "smooths how often an item is met by chance; less lists popular items more"},
        Field{"negatives", &O::negatives, 0.01, 1000.0,
              "negative samples: more keep only surer pairs"},
        Field{"spectrum", &O::spectrum, 0.0, 2.0,
              "power of the singular values in the vectors; 0.5 approximates the matrix itself"},
        Field{"iterations", &O::iterations, 0, 20, "of the truncated SVD"},
        Field{"background", &O::background, 0.0, 1e6,
              "fold-in: weight of all items that a newcomer did not take"},
        Field{"regularization", &O::regularization, 1e-6, 1e6, "fold-in: L2"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 1, 1 << 24,
              "fitting refuses to start when its rows or its vectors would be larger"}};
  }
  FoldIn fold_in() const { return {background, regularization, 0}; }
};

Result<std::unique_ptr<const Model>> fit_node_embedding(const Run& run,
                                                        const NodeEmbeddingOptions& options,
                                                        const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_node_embedding(ArchiveReader& reader, const Catalogue&);

}  // namespace vitrine

// Neural matrix factorisation: He et al., "Neural collaborative filtering", WWW 2017, for persons
// that are known by their history. Two halves, each with vectors of its own, meet in one logit:
//
//   gmf   h_1 . (p o q_i)                                       o: elementwise
//   mlp   h_2 . relu(W_L ... relu(W_1 p' + V_1 q'_i + b_1) ... + b_L)
//   logit x(u, i) = gmf + mlp + b         layers of width factors, factors / 2, factors / 4, ...
//
// The paper has a row for each person. Here a vector is made from the history, so that anyone can
// be answered (the sum of FISM and SVD++; Kabbur et al., KDD 2013; Koren, KDD 2008), and a person's
// row is added where there is one:
//
//   p_u = |H|^-1/2 sum_{j in H} y_j  (+ r_u)                    and the same, p', of the perceptron
//
// over the distinct items H of the history that training saw. While learning, the item that is
// asked for is left out of H, for its negatives too, and rows take part in `own_row` of the
// examples, so that the history alone learns to answer too; on MovieLens 1M rows add next to
// nothing to the history (docs/algorithms/neumf.md). A row answers who was fitted on and whose
// history is what it was then, by a fingerprint of H.
//
// Loss: cross-entropy of each pair and of `negatives` even draws from what the person has not
// taken (equation 7 of the paper). An example is up to kNeumfPairs items of one person. Adam.
//
// A score is -ln(1 - p) with the paper's p = sigma(x): it orders like p, without running into 1,
// and is above 0. Items that nobody took score 0 and are never listed; the list of a history
// without a known item is empty. Retrieval runs the network over all items, one query at a time, in
// blocks of a fixed size, so that a query's bits do not depend on its batch; the item's part of the
// first layer is computed once. score() runs the blocks that its items lie in. The same bytes for
// any number of threads.
#pragma once

#include <memory>
#include <string>
#include <tuple>

#include "model/model.h"
#include "model/neural_training.h"

namespace vitrine {

inline constexpr std::size_t kNeumfPairs = 64;

struct NeumfOptions : NeuralOptions {
  std::string network = "neumf";
  int factors = 32;
  int layers = 3;
  int negatives = 4;
  double own_row = 0.5;
  double dropout = 0;

  NeumfOptions() {
    epochs = 20;
    batch = 32;
    learning_rate = 0.003;
  }

  static constexpr std::string_view kName = "neumf";
  static constexpr auto fields() {
    using O = NeumfOptions;
    return std::tuple_cat(
        std::tuple{
            Field{"network", &O::network, "neumf|gmf|mlp", "both halves, or one of them"},
            Field{"factors", &O::factors, 1, 1024, "width of every vector, and of the first layer"},
            Field{"layers", &O::layers, 1, 8, "of the perceptron, each half as wide as the last"},
            Field{"negatives", &O::negatives, 1, 100, "per item taken"},
            Field{
                "own_row", &O::own_row, 0.0, 1.0,
                "share of the training in which the rows of persons take part; 0: there are none"},
            Field{"dropout", &O::dropout, 0.0, 0.9, "of the product and of each layer's input"}},
        neural_fields("examples per step, each up to 64 items of one person"));
  }
};

// kExhausted, with the number, when it would not fit; kInvalid when it diverged.
Result<std::unique_ptr<const Model>> fit_neumf(const Run& run, const NeumfOptions& options,
                                               const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_neumf(ArchiveReader& reader, const Catalogue& catalogue);

}  // namespace vitrine

// Bayesian personalised ranking: matrix factorisation fitted so that what a person took scores
// above what they did not. With x_ui = p_u . q_i + b_i it minimises, by stochastic gradient
// descent,
//
//   pairwise   sum over (u, i), each drawn j:          -ln sigma(x_ui - x_uj)
//   hardest    sum over (u, i), the best of the drawn: -ln sigma(x_ui - max_j x_uj)
//   pointwise  sum over (u, i), each drawn j:          -ln sigma(x_ui + o) - ln sigma(-x_uj - o)
//
// plus L2, where j are those of `negatives` drawn items that u did not take and o = -ln negatives.
// Pairwise: Rendle, Freudenthaler, Gantner, Schmidt-Thieme, "BPR: Bayesian personalized ranking
// from implicit feedback", UAI 2009. Hardest: Zhang, Chen, Wang, Yu, "Optimizing top-N
// collaborative filtering via dynamic negative item sampling", SIGIR 2013. Pointwise: the logistic
// loss of Rendle, Krichene, Zhang, Anderson, "Neural collaborative filtering vs. matrix
// factorization revisited", RecSys 2020; o stands for their global bias.
//
// Interactions count as taken or not, whatever their weights. Only items with interactions are
// drawn and listed. Persons who were fitted on are answered by their row, everyone else by ridge on
// the item vectors (factors.h).
//
// Cost: cells * negatives * factors per epoch. Deterministic for any number of threads, because the
// schedule is: an epoch deals users and items into strips and works through conflict-free rounds of
// (user strip, item strip) blocks, as DSGD does (Gemulla et al., KDD 2011); negatives come from the
// block's own item strip, and items are dealt anew each epoch. A block fits into the second-level
// cache.
#pragma once

#include <memory>
#include <string>

#include "model/factors.h"
#include "model/model.h"

namespace vitrine {

struct BprOptions {
  int factors = 64;
  int epochs = 40;
  float learning_rate = 0.1f;
  float regularization = 0.01f;
  int negatives = 8;
  float negative_exponent = 0;
  std::string loss = "hardest";
  float fold_in_background = 0.003f;
  float fold_in_regularization = 0.3f;
  int memory_limit_mb = 8192;

  static constexpr std::string_view kName = "bpr";
  static constexpr auto fields() {
    using O = BprOptions;
    return std::tuple{
        Field{"factors", &O::factors, 1, 4096,
              "width of the vectors; multiples of 16 waste nothing"},
        Field{"epochs", &O::epochs, 1, 10'000,
              "passes over what was taken; the learning rate falls to zero over them"},
        Field{"learning_rate", &O::learning_rate, 1e-6f, 10.0f, "of the first epoch"},
        Field{"regularization", &O::regularization, 0.0f, 100.0f,
              "L2 on the vectors and biases, at each step"},
        Field{"negatives", &O::negatives, 1, 1000,
              "items not taken that each taken one is set against"},
        Field{"negative_exponent", &O::negative_exponent, 0.0f, 1.0f,
              "an item that n persons took is drawn in proportion to n^this; 0: uniformly"},
        Field{
            "loss", &O::loss, "pairwise|hardest|pointwise",
            "taken above each one not taken (BPR), above the highest of them, or apart (logistic)"},
        Field{"fold_in_background", &O::fold_in_background, 0.0f, 100.0f,
              "weight of the items not taken when a person without a row is folded in"},
        Field{"fold_in_regularization", &O::fold_in_regularization, 1e-6f, 1e6f, "L2 of the same"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 1, 1 << 24,
              "fitting refuses to start when its vectors would be larger"}};
  }
  FoldIn fold_in() const { return {fold_in_background, fold_in_regularization, 0}; }
};

// kExhausted, with the number, when the vectors would not fit; kInvalid when they do not stay
// finite: use a smaller learning rate.
Result<std::unique_ptr<const Model>> fit_bpr(const Run& run, const BprOptions& options,
                                             const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_bpr(ArchiveReader& reader, const Catalogue& catalogue);

}  // namespace vitrine

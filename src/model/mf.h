// Matrix factorisation of explicit ratings. The score is the predicted rating, in its own unit:
//
//   r_ui = mu + b_u + b_i + p_u . q_i,    where before any rating   p_u = |N(u)|^-1/2 sum_{j in
//   N(u)} w_j
//
// with N(u) all items of the history, rated or not: SVD++ (Koren, "Factorization meets the
// neighborhood", KDD 2008, equation 15), and the same for items, whose vectors start from who took
// them. Instead of gradient descent it is fitted by variational Bayes (Lim and Teh, "Variational
// Bayesian approach to movie rating prediction", KDD Cup 2007, here with diagonal covariances
// between the sides): each row is a small linear system whose regularisation, noise and all, is
// learned. So there is no learning rate, and hardly anything to tune.
//
// A rating is the value of an event of type rating; without such events, of any event. Of several
// for one cell the last counts. A person needs no row of their own: the system that a row solves in
// fitting is solved again for the history that asks, so a new rating counts at once.
//
// A list by predicted rating is a poor list: it likes what few people rated highly, and a rating
// says nothing about whether somebody would take the item at all. Rank with another model; use this
// one for "you would give this 4.2".
//
// Items with interactions are listed, others score 0. Predictions are not cut to the scale. Cost
// per epoch: ratings * factors^2 + rows * factors^3. Memory: some 30 bytes per row
// or item and column, factors + 1 of them rounded up to 16. The same bytes for any number of
// threads.
#pragma once

#include <memory>

#include "model/model.h"

namespace vitrine {

struct MfOptions {
  int factors = 16;
  int epochs = 20;
  float implicit_regularization = 2.0f;
  int memory_limit_mb = 8192;

  static constexpr std::string_view kName = "mf";
  static constexpr auto fields() {
    using O = MfOptions;
    return std::tuple{
        Field{"factors", &O::factors, 1, 512, "width of the vectors"},
        Field{"epochs", &O::epochs, 1, 10'000, "passes over users, then items"},
        Field{"implicit_regularization", &O::implicit_regularization, 1e-3f, 1e9f,
              "L2 on what the mere choice of items says; more for fewer events, 1e9 for nothing"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 1, 1 << 24,
              "fitting refuses to start when its vectors would be larger"}};
  }
};

// kExhausted, with the number, when the vectors would not fit; kInvalid when ratings are too large
// to compute with.
Result<std::unique_ptr<const Model>> fit_mf(const Run& run, const MfOptions& options,
                                            const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_mf(ArchiveReader& reader, const Catalogue& catalogue);

}  // namespace vitrine

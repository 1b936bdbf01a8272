// Random walks of three steps on the graph of persons and items: from the history's items to the
// persons who took them and on to what those took. The graph's similarity of two items, with P_iu =
// x_iu / sum of x_iv over v and P_uj = x_uj / sum of x_uk over k,
//
//   S_ij = d_j^-beta  sum over u of P_iu^alpha P_uj^alpha,      d_j = sum of x_uj over u
//
// and a history scores j by the sum over its items of w_i^alpha S_ij: the walk's first step, but
// for a factor that is the same for every j. x is the best event weight of a person's item.
//
// alpha 1 and beta 0: the walk itself. P3alpha: Cooper et al., "Random walks in recommender
// systems", WWW 2014. RP3beta (popular items are muted): Paudel et al., "Updatable, accurate,
// diverse, and scalable recommendations for interactive applications", TiiS 2017.
//
// Fitting costs the sum of squared history lengths, in parallel over items; the same bytes for any
// number of threads. Each row keeps its best `neighbours`; kExhausted before it starts when those
// would not fit.
#pragma once

#include <memory>

#include "model/model.h"

namespace vitrine {

struct Rp3betaOptions {
  double alpha = 0.7;
  double beta = 0.4;
  int neighbours = 300;
  int memory_limit_mb = 8192;

  static constexpr std::string_view kName = "rp3beta";
  static constexpr auto fields() {
    using O = Rp3betaOptions;
    return std::tuple{
        Field{"alpha", &O::alpha, 0.0, 5.0,
              "of transition probabilities; less lets active persons and popular items say more"},
        Field{"beta", &O::beta, 0.0, 5.0,
              "scores are divided by the item's frequency to this power; more lists rare items"},
        Field{"neighbours", &O::neighbours, 1, 100'000, "entries kept per item"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 1, 1 << 24,
              "fitting refuses to start when its rows would be larger"}};
  }
};

Result<std::unique_ptr<const Model>> fit_rp3beta(const Run& run, const Rp3betaOptions& options,
                                                 const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_rp3beta(ArchiveReader& reader,
                                                  const Catalogue& catalogue);

}  // namespace vitrine

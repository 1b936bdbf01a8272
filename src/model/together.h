// What is bought together: pairs of items of one basket (a group of neighbouring events of one
// history). With N baskets, n_i of them holding i and n_ij both, a pair is kept when n_ij reaches
// `support_min` and exceeds chance, n_ij N > n_i n_j, and weighs
//
//   support  n_ij                                   Agrawal, Imielinski and Swami, SIGMOD 1993
//   lift     n_ij N / (n_i n_j)                     Brin, Motwani, Ullman and Tsur, SIGMOD 1997
//   ("interest") llr      2 sum over the four cells k of the 2 x 2 table of k ln(k / expected k)
//            Dunning, "Accurate methods for the statistics of surprise and coincidence",
//            Computational Linguistics 19(1), 1993
//
// Complements are told from substitutes by what is viewed together (McAuley, Pandey and Leskovec,
// "Inferring networks of substitutable and complementary products", KDD 2015, whose labels come
// from also bought and also viewed). With the same counts v over the M groups of views,
//
//   bought = (n_ij + 1) N / (n_i n_j + N),   viewed = (v_ij + 1) M / (v_i v_j + M)
//
// are the two lifts, drawn towards 1 where little is known; baskets are made of `events`, whatever
// the relation. `relation` complements leaves out pairs with viewed > bought: somebody who compares
// them takes one. `relation` substitutes lists those
// pairs instead, weighed like the others but by their counts among the views. Where the histories
// hold no views, every pair is a complement. Of the other kind, the 1,000 most frequent pairs of an
// item count.
//
// The rows of the items asked about add up: the cart and the item being looked at if the context
// names any, else the last basket (substitutes: the last views) of the history. Those items
// themselves are never listed. kExhausted before rows are counted that would not fit.
#pragma once

#include <memory>

#include "model/model.h"

namespace vitrine {

struct TogetherOptions {
  std::string score = "llr";
  std::string events = "auto";
  std::string relation = "all";
  int support_min = 3;
  int neighbours = 100;
  int basket_max = 100;
  int memory_limit_mb = 8192;

  static constexpr std::string_view kName = "together";
  static constexpr auto fields() {
    using O = TogetherOptions;
    return std::tuple{
        Field{"score", &O::score, "llr|lift|support", "what a pair weighs"},
        Field{"events", &O::events, "auto|purchases|all",
              "events that make a basket, also of complements; auto: purchases where the histories "
              "hold any"},
        Field{"relation", &O::relation, "all|complements|substitutes",
              "complements: bought rather than viewed together; substitutes: viewed rather than "
              "bought together"},
        Field{"support_min", &O::support_min, 1, 1'000'000,
              "baskets (substitutes: groups of views) that a pair must share"},
        Field{"neighbours", &O::neighbours, 1, 100'000, "entries kept per item"},
        Field{"basket_max", &O::basket_max, 2, 100'000,
              "baskets with more items are left out: wholesale"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 1, 1 << 24,
              "fitting refuses to start when its rows would be larger"}};
  }
};

Result<std::unique_ptr<const Model>> fit_together(const Run& run, const TogetherOptions& options,
                                                  const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_together(ArchiveReader& reader,
                                                   const Catalogue& catalogue);

}  // namespace vitrine

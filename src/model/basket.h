// The next basket: what a person buys again, what people like them buy, what everyone buys. Made
// for placements that list what the person already has (repeat = "always").
//
// With the last `window` baskets of a history numbered t = 0 (the latest), 1, ..., n - 1, what a
// person takes is
//
//   v(i) = 1/n  sum over the baskets t that hold i   basket_decay^(t mod group_size)
//                                                    group_decay^(t div group_size)
//
// and what they take next, with the nearest persons u and their similarities s,
//
//   score(j) = own v_q(j)  +  (1 - own) sum of s(u)^locality v_u(j) / sum of s(u)^locality
//              +  popular p(j)                                          p: share of all baskets
//
// sets     s = |A n B| / (|A|^asymmetry |B|^(1 - asymmetry)), A and B all items of the two
// vectors  the nearest by Euclidean distance of v among those who share an item; all count alike
//
//                                        own  window  decays  similarity  locality  popular
//   GP-TopFreq (Hu et al. 2020)           1     0       1        -           -      small
//   UP-CF (Faggioli et al., UMAP 2020)    0    5-100    1       sets       5-50        0
//   TIFU-KNN (Hu et al., SIGIR 2020)     .7     0      < 1     vectors       -         0
//
// A person of the training part is among their own neighbours: with own = 0 that is their own part.
//
// Fitting is one pass. A request visits at most `sample` persons of each item of the history, those
// active last, the items of the neighbours and, unless `popular` is 0, every item. Deterministic.
#pragma once

#include <memory>

#include "model/model.h"

namespace vitrine {

inline constexpr std::size_t kBasketEventsMax = 10'000;  // the last of a person

struct BasketOptions {
  std::string events = "auto";
  int window = 0;
  double basket_decay = 0.95;
  int group_size = 1000;
  double group_decay = 1;
  double own = 0.7;
  std::string similarity = "sets";
  int neighbours = 300;
  int sample = 10'000;
  double asymmetry = 0.25;
  double locality = 2;
  double popular = 0.01;

  static constexpr std::string_view kName = "basket";
  static constexpr auto fields() {
    using O = BasketOptions;
    return std::tuple{
        Field{"events", &O::events, "auto|purchases|all",
              "events that make a basket; auto: purchases where the histories hold any"},
        Field{"window", &O::window, 0, 100'000, "latest baskets that count; 0: all"},
        Field{"basket_decay", &O::basket_decay, 0.0, 1.0, "weight per basket back inside a group"},
        Field{"group_size", &O::group_size, 1, 100'000, "baskets that make a group"},
        Field{"group_decay", &O::group_decay, 0.0, 1.0, "weight per group of baskets back"},
        Field{"own", &O::own, 0.0, 1.0,
              "share of what the person takes themselves; the rest is of the neighbours"},
        Field{"similarity", &O::similarity, "sets|vectors",
              "neighbours by common items, or by distance of what they take"},
        Field{"neighbours", &O::neighbours, 1, 100'000, "persons who vote"},
        Field{"sample", &O::sample, 1, 10'000'000,
              "persons of an item that are compared, those active last: bounds the cost of a "
              "request"},
        Field{"asymmetry", &O::asymmetry, 0.0, 1.0,
              "share of the person's own number of items in the denominator (sets)"},
        Field{"locality", &O::locality, 0.0, 100.0,
              "similarities are raised to this power; more trusts the nearest more (sets)"},
        Field{"popular", &O::popular, 0.0, 10.0,
              "weight of what everyone buys; a little fills lists up, 0 lists nothing of it"}};
  }
};

Result<std::unique_ptr<const Model>> fit_basket(const Run& run, const BasketOptions& options,
                                                const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_basket(ArchiveReader& reader, const Catalogue& catalogue);

}  // namespace vitrine

// User-based nearest neighbours: what the people took who resemble this one. Neighbours are found
// from the history that a query brings, so a visitor who came after training is served like anyone
// else; a person of the training part is among their own neighbours, which lists nothing new.
//
// With x_ui the best event weight of item i in the history of u (ratings are weights too), x of the
// query for q, and persons compared where they share an item,
//
//   c(q, u) = sum over i of n_i^-item_exponent x_qi x_ui
//   cosine      s = c / (|x_q| |x_u|^(2 person_exponent) + shrinkage)
//   jaccard     s = c / (|x_q|^2 + |x_u|^2 - c + shrinkage)
//   cooccurrence  s = c
//
// with |x|^2 = sum of n_i^-item_exponent x_i^2, n_i the number of persons who have i. The
// `neighbours` best (of equal ones those active last) vote:
//
//   score(j) = n_j^-target_exponent  sum over the neighbours u   s (s / S)^(amplification - 1) x_uj
//
// with s = s(q, u) and S the largest of them: powers of s in the scale of s, whatever that is.
//
// Resnick et al., "GroupLens", CSCW 1994; Herlocker et al., SIGIR 1999; the exponents: Aiolli,
// "Efficient top-n recommendation for very large scale binary rated datasets", RecSys 2013;
// item_exponent is the inverse user frequency of Breese et al., UAI 1998, as a power.
//
// Fitting is one pass. A request visits at most `sample` persons of each item of the history, those
// active last, then the items of the neighbours. Deterministic. A person counts with the last
// kPersonEventsMax events.
#pragma once

#include <memory>

#include "model/model.h"

namespace vitrine {

inline constexpr std::size_t kPersonEventsMax = 10'000;

struct UserKnnOptions {
  std::string similarity = "cosine";
  int neighbours = 200;
  int sample = 10'000;
  double person_exponent = 0.5;
  double item_exponent = 0.5;
  double target_exponent = 0.2;
  double shrinkage = 0;
  double amplification = 1;

  static constexpr std::string_view kName = "user_knn";
  static constexpr auto fields() {
    using O = UserKnnOptions;
    return std::tuple{
        Field{"similarity", &O::similarity, "cosine|jaccard|cooccurrence",
              "how what two persons share becomes their similarity"},
        Field{"neighbours", &O::neighbours, 1, 100'000, "persons who vote"},
        Field{"sample", &O::sample, 1, 10'000'000,
              "persons of an item that are compared, those active last: bounds the cost of a "
              "request"},
        Field{"person_exponent", &O::person_exponent, 0.0, 2.0,
              "of the other person's squared length (cosine); less prefers long histories"},
        Field{"item_exponent", &O::item_exponent, 0.0, 2.0,
              "a shared item weighs its number of persons to minus this; more trusts rare items"},
        Field{"target_exponent", &O::target_exponent, 0.0, 2.0,
              "scores are divided by the item's number of persons to this power; more lists rare "
              "items"},
        Field{"shrinkage", &O::shrinkage, 0.0, 1e6,
              "added to the denominator of cosine and jaccard; more mutes small overlaps"},
        Field{"amplification", &O::amplification, 0.1, 10.0,
              "similarities, relative to the largest, are raised to this power; above 1 trusts the "
              "nearest more"}};
  }
};

Result<std::unique_ptr<const Model>> fit_user_knn(const Run& run, const UserKnnOptions& options,
                                                  const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_user_knn(ArchiveReader& reader,
                                                   const Catalogue& catalogue);

}  // namespace vitrine

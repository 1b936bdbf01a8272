// Item-to-item nearest neighbours: who took this item also took, or next took, that one. One
// closed-form pass over the histories; the strongest simple model, and for short ordered histories
// hard to beat.
//
// A person u gives the ordered pair (i, j) the weight of their best pair of events (e of i, f of
// j):
//
//   c_u(i, j) = max  w_e w_f  distance_decay^|s_e - s_f|  (backward if f came before e)  2^(-age /
//   half-life)
//
// over the pairs whose steps s lie at most `window` apart, and the pair's sum is
// C_ij = sum over u of n_u^-person_exponent c_u(i, j), with n_u the distinct items of u. With
// window 0, no decay and backward 1 order does not matter, and C is the weighted co-occurrence X^T
// X. A row of the fitted matrix holds, for the best `neighbours` items j,
//
//   cosine        C_ij / (f_i^source_exponent f_j^target_exponent + shrinkage)
//   jaccard       C_ij / (f_i + f_j - C_ij + shrinkage)
//   bm25          C_ij idf_u^2 L_i L_j, L_i = (k1 + 1) / (k1 (1 - b + b f_i / mean f) + 1),
//                 idf_u = ln(items) - ln(1 + n_u): items as documents, persons as terms
//   cooccurrence  C_ij
//
// with f_i = sum over u of the square of the best weight of i (the number of persons for weights of
// 1), raised to `amplification`. A history scores j by the sum over its items of w
// history_decay^(steps since) row_i[j], an item that occurs twice at its best.
//
// Sarwar et al., "Item-based collaborative filtering recommendation algorithms", WWW 2001 (cosine);
// Deshpande and Karypis, "Item-based top-N recommendation algorithms", TOIS 2004 (asymmetric
// popularity, k best of a row, normalised rows); Aiolli, RecSys 2013 (exponents); Christoffel et
// al., "Blockbusters and wallflowers", RecSys 2015 (RP3beta: person_exponent 1, target_exponent);
// Robertson et al. 1994 (BM25).
//
// Fitting costs the sum of squared history lengths (times window / length), in parallel over items;
// the same bytes for any number of threads. A person counts with the last kFitEventsMax events.
#pragma once

#include <memory>

#include "model/model.h"

namespace vitrine {

inline constexpr std::size_t kFitEventsMax = 10'000;

// The defaults are a compromise found on the validation parts of five ordered data sets (shops,
// sessions, films; docs/algorithms.md). Histories whose order means nothing want window 0, both
// decays 1, backward 1.
struct ItemKnnOptions {
  std::string similarity = "cosine";
  int neighbours = 200;
  double source_exponent = 0.5;
  double target_exponent = 0.2;
  double person_exponent = 0.3;
  double shrinkage = 3;
  double amplification = 1;
  std::string normalize = "none";
  std::string steps = "events";
  int window = 20;
  double distance_decay = 0.8;
  double backward = 0.7;
  double half_life_days = 0;
  double history_decay = 0.9;
  int history_length = 0;
  double bm25_k1 = 1.2;
  double bm25_b = 0.75;
  int memory_limit_mb = 8192;

  static constexpr std::string_view kName = "item_knn";
  static constexpr auto fields() {
    using O = ItemKnnOptions;
    return std::tuple{
        Field{"similarity", &O::similarity, "cosine|jaccard|bm25|cooccurrence",
              "how a pair's co-occurrence becomes its weight"},
        Field{"neighbours", &O::neighbours, 1, 100'000, "entries kept per item"},
        Field{"source_exponent", &O::source_exponent, 0.0, 2.0,
              "of the frequency of the item in the history (cosine)"},
        Field{"target_exponent", &O::target_exponent, 0.0, 2.0,
              "of the frequency of the listed item (cosine); less lists popular items more"},
        Field{"person_exponent", &O::person_exponent, 0.0, 2.0,
              "a person's pairs weigh their number of items to minus this; more mutes heavy users"},
        Field{"shrinkage", &O::shrinkage, 0.0, 1e6,
              "added to the denominator of cosine and jaccard; more mutes rare pairs"},
        Field{"amplification", &O::amplification, 0.1, 10.0,
              "weights are raised to this power; above 1 trusts strong pairs more"},
        Field{"normalize", &O::normalize, "none|sum|max",
              "scales each row to this sum or maximum of 1"},
        Field{
            "steps", &O::steps, "events|groups",
            "what distances count: events, or baskets and sessions (one step inside a group is 0)"},
        Field{"window", &O::window, 0, 100'000, "pairs further apart are ignored; 0: none is"},
        Field{"distance_decay", &O::distance_decay, 0.0, 1.0,
              "weight of a pair per step between its events"},
        Field{"backward", &O::backward, 0.0, 1.0, "weight of a pair whose listed item came first"},
        Field{"half_life_days", &O::half_life_days, 0.0, 1e5,
              "a pair weighs half after so many days, counted from its later event; 0: for ever"},
        Field{"history_decay", &O::history_decay, 0.0, 1.0,
              "weight of a history event per step back from the latest"},
        Field{"history_length", &O::history_length, 0, 100'000,
              "latest events that are used; 0: all"},
        Field{"bm25_k1", &O::bm25_k1, 0.0, 100.0, "saturation (bm25)"},
        Field{"bm25_b", &O::bm25_b, 0.0, 1.0, "how much frequent items are muted (bm25)"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 1, 1 << 24,
              "fitting refuses to start when its rows would be larger"}};
  }
};

Result<std::unique_ptr<const Model>> fit_item_knn(const Run& run, const ItemKnnOptions& options,
                                                  const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_item_knn(ArchiveReader& reader,
                                                   const Catalogue& catalogue);

}  // namespace vitrine

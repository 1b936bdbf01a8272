// The metrics of offline evaluation, with their formulas. docs/evaluation.md has the same with
// examples.
//
// Notation: k the cutoff, L the first k items of a list (best first, distinct), T the truth (what
// came next, distinct), H = |L n T| the hits, r(1) < r(2) < ... their ranks in L, counted from 1.
// Relevance is binary. A list shorter than k simply has no hits behind its end. All items are
// ranked, unless a name starts with "sampled_".
//
// Metrics differ between papers under one name. What is ambiguous is named apart here: recall and
// map divide by |T| (LightGCN, BARS, trec_eval, ranx), recall_min and map_min by min(k, |T|)
// (Mult-VAE, Kaggle). ndcg divides by the ideal list of min(k, |T|) hits.
//
// Adding a metric = one function and one row of the table in metrics.cc. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/ids.h"

namespace vitrine {

// A ranked list against its truth: all that the metrics of a list need.
struct Hits {
  std::span<const std::uint32_t> ranks;  // of the hits, counted from 1, ascending, at any depth
  std::size_t truth = 0;                 // |T|, at least 1
};

// Ranks of the items of `list` that are in `truth` (ascending). An item that a list repeats is a
// hit once.
void find_hits(std::span<const ItemIndex> list, std::span<const ItemIndex> truth,
               std::vector<std::uint32_t>& ranks);

// All lists of one recommender together, cut at k.
struct Exposure {
  std::span<const std::uint32_t> lists;    // by item: how many lists hold it
  std::span<const std::uint32_t> persons;  // by item: how many persons of the training part have it
  std::uint64_t training_persons = 0;      // persons with a history in the training part
  double list_popularity = 0;  // mean over the cases of the mean of persons[] over the listed items
  double history_popularity = 0;  // the same over the distinct items of the case's own history
};

// One row of the table. Exactly one of the functions is set.
struct Metric {
  std::string_view name;     // "recall"; the report says "recall@20"
  std::string_view formula;  // for the docs
  std::string_view help;     // one line for people
  // Of one list, cut at k.
  double (*of_list)(const Hits& hits, std::size_t k) = nullptr;
  // Of one case, from the scores of all items; has no cutoff. `truth` and `excluded` are ascending
  // and disjoint. Overwrites `scores`.
  double (*of_scores)(std::span<float> scores, std::span<const ItemIndex> truth,
                      std::span<const ItemIndex> excluded) = nullptr;
  // Of all lists together, cut at k.
  double (*of_whole)(const Exposure& exposure) = nullptr;
};

// In the order of reports.
std::span<const Metric> all_metrics();
// Null when there is none. `name` without the cutoff and without "sampled_".
const Metric* find_metric(std::string_view name);

// "recall" and 20 give "recall@20"; a metric without cutoff keeps its name.
std::string metric_name(const Metric& metric, std::size_t k);

double precision(const Hits& hits, std::size_t k);   // H / k
double recall(const Hits& hits, std::size_t k);      // H / |T|
double recall_min(const Hits& hits, std::size_t k);  // H / min(k, |T|)
double f1(const Hits& hits, std::size_t k);  // 2 H / (k + |T|): harmonic mean of the first two
double hit_rate(const Hits& hits, std::size_t k);  // 1 if H > 0
// sum over hits of 1 / log2(r + 1), divided by sum of 1 / log2(i + 1), i = 1 .. min(k, |T|)
// (Jarvelin and Kekalainen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002)
double ndcg(const Hits& hits, std::size_t k);
double map(const Hits& hits, std::size_t k);      // sum over hits of j / r(j), divided by |T|
double map_min(const Hits& hits, std::size_t k);  // the same divided by min(k, |T|)
double mrr(const Hits& hits, std::size_t k);      // 1 / r(1), 0 without a hit

// Share of the pairs (truth item, other item) that the scores order rightly, ties counted half,
// over all items but the excluded ones. An item at or beyond scores.size() and a NaN count as
// scored below everything. 0.5 when there is no pair. O(|scores| |T|).
double auc(std::span<float> scores, std::span<const ItemIndex> truth,
           std::span<const ItemIndex> excluded);

double coverage(const Exposure& exposure);  // share of the items that at least one list holds
// mean over all listed items of -log2(p), p = max(1, persons who have it) / all persons of training
// (Vargas and Castells, "Rank and relevance in novelty and diversity metrics", RecSys 2011)
double novelty(const Exposure& exposure);
// list_popularity / history_popularity: 1 = lists are as popular as what the persons chose
// themselves, 2 = twice. One less is the "popularity lift" of Abdollahpouri et al., RecSys 2020.
double popularity_bias(const Exposure& exposure);
// Gini index of the exposure over all n items, x ascending: sum of (2 i - n - 1) x(i) / (n sum of
// x). 0 = each item is listed equally often, near 1 = a few items take all places.
double gini(const Exposure& exposure);

}  // namespace vitrine

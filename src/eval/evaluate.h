// Offline evaluation: full ranking, per-user values, confidence intervals, paired comparisons.
// Takes any function from queries to ranked items, so models, pipelines and logged policies share
// one yardstick.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/options.h"
#include "base/run.h"
#include "base/value.h"
#include "data/query.h"
#include "data/split.h"

namespace vitrine {

inline constexpr int kCutoffMax = 10'000;  // longest list that is evaluated

struct Recommender {
  std::string name;
  // The best n items for each query, distinct, `excluded[q]` (ascending) left out. Thread-safe.
  std::function<void(std::span<const Query>, std::span<const std::span<const ItemIndex>> excluded,
                     int n, CandidateBlock& out)>
      recommend;
  // Scores of all items [0, scores.size()), for AUC and sampled metrics. May be empty: then no AUC.
  std::function<void(const Query&, std::span<float> scores)> score_all;
};

struct EvaluateOptions {
  std::vector<std::string> cutoffs = {"10", "20"};
  std::string repeat =
      "never";           // never: seen items leave list and truth; always: they stay in both
  int bootstrap = 1000;  // resamples of the persons for the intervals; 0: none
  double confidence = 0.95;
  bool auc = true;
  int sampled_negatives =
      0;  // > 0: rank the truth among so many random items; named "sampled", warned about
  std::vector<std::string> seen = {};  // event types that make an item one that a person has
  bool ratings = false;                // rmse and mae as well (ratings.h)
  std::string correction = "holm";     // of p for all comparisons of a table (corrections.h)
  static constexpr auto fields() {
    using O = EvaluateOptions;
    return std::tuple{
        Field{"cutoffs", &O::cutoffs, "list lengths that metrics are taken at"},
        Field{"repeat", &O::repeat, "never|always",
              "whether items that a person already has leave list and truth"},
        Field{"bootstrap", &O::bootstrap, 0, 100'000,
              "resamples for confidence intervals; 0: none"},
        Field{"confidence", &O::confidence, 0.5, 0.999, "of the intervals"},
        Field{"auc", &O::auc, "area under the ROC curve over all items"},
        Field{"sampled_negatives", &O::sampled_negatives, 0, 1'000'000,
              "0: full ranking. Sampled metrics are not comparable with anything else"},
        Field{"seen", &O::seen,
              "of repeat = never: event types that make an item one that a person already has; "
              "empty: all. With purchase alone, what somebody looked at or put into the cart can "
              "still be listed and found"},
        Field{"ratings", &O::ratings,
              "rmse and mae of predicted ratings, for models whose score is a rating"},
        Field{"correction", &O::correction, "holm|benjamini_hochberg|none",
              "how p is adjusted for all comparisons of a table: so that even one false difference "
              "is unlikely, so that few of those found are false, or not at all"}};
  }
};

// One metric of one recommender. per_case is empty for metrics of the whole (coverage, novelty,
// popularity bias, Gini).
struct MetricValue {
  std::string name;                    // "recall@20", "recall_min@20", "ndcg@10", ..., metrics.h
  double mean = 0, low = 0, high = 0;  // low == high == mean where there is no interval
  std::vector<float> per_case;
};

struct Evaluation {
  std::string recommender;
  std::size_t cases = 0;    // persons with at least one truth item left
  std::size_t skipped = 0;  // persons without
  std::vector<MetricValue> metrics;
  Usage usage;  // elapsed and CPU seconds of scoring; peak memory of the process
  const MetricValue* find(std::string_view metric) const;
};

// The lists that were ranked, for dumps: one per case that counted.
struct EvaluatedLists {
  std::vector<std::size_t> cases;             // indexes into the split
  CandidateBlock lists;                       // of the largest cutoff
  std::vector<std::vector<ItemIndex>> truth;  // what counted, ascending
};

// Deterministic for any number of threads. `item_counts`: by item, how many persons of the training
// part have it; its size is the number of items that can be listed, and of the scores that are
// asked for. Where the split names the items that the truth is ranked among, metrics are sampled
// ones. kInvalid for an option that cannot be; kUnsupported for sampled metrics or ratings without
// score_all; kCancelled. A split that leaves nobody to ask gives cases = 0, values of 0, and a
// note.
Result<Evaluation> evaluate(const Run& run, const Recommender& recommender, const Split& split,
                            std::span<const std::uint32_t> item_counts,
                            const EvaluateOptions& options, EvaluatedLists* lists = nullptr);

// Paired over the same cases: mean difference with its bootstrap interval, and the share of
// resamples on the other side of zero, doubled (a two-sided p-value; bootstrap.h). Without
// resamples p is 1. kInvalid for a metric that one of them lacks, that has no values per case, or
// over different cases.
struct Comparison {
  std::string metric, recommender, baseline;
  double difference = 0, low = 0, high = 0, p = 1;
  double p_adjusted = 1;  // for everything that was compared beside it (corrections.h); compare()
                          // leaves it at p
};
Result<Comparison> compare(const Run& run, const Evaluation& evaluation, const Evaluation& baseline,
                           std::string_view metric, const EvaluateOptions& options);

}  // namespace vitrine

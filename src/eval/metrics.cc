#include "eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vitrine {
namespace {

constexpr Metric kMetrics[] = {
    {"precision", "H / k", "share of the listed places that hit", precision},
    {"recall", "H / |T|", "share of the truth that is listed", recall},
    {"recall_min", "H / min(k, |T|)", "share of the truth that k places could list", recall_min},
    {"f1", "2 H / (k + |T|)", "harmonic mean of precision and recall", f1},
    {"hit_rate", "1 if H > 0, else 0", "share of the persons with at least one hit", hit_rate},
    {"ndcg", "sum_j 1/log2(r(j)+1) / sum_{i <= min(k,|T|)} 1/log2(i+1)",
     "hits discounted by rank, against the ideal list", ndcg},
    {"map", "sum_j j/r(j) / |T|", "mean over the truth of the precision at each hit", map},
    {"map_min", "sum_j j/r(j) / min(k, |T|)", "the same over the truth that k places could list",
     map_min},
    {"mrr", "1 / r(1)", "one over the rank of the first hit", mrr},
    {"auc", "P(score of a truth item > score of another item), ties half",
     "how well truth is told from all other items", nullptr, auc},
    {"coverage", "|{i : x(i) > 0}| / n", "share of the items that are listed for anybody", nullptr,
     nullptr, coverage},
    {"novelty", "mean over listed items of -log2(persons with it / persons)",
     "bits of surprise of a listed item", nullptr, nullptr, novelty},
    {"popularity_bias", "mean popularity of lists / mean popularity of own histories",
     "1 = as popular as what persons chose themselves", nullptr, nullptr, popularity_bias},
    {"gini", "sum_i (2 i - n - 1) x(i) / (n sum_i x(i)), x ascending",
     "0 = all items listed equally often, 1 = one takes all", nullptr, nullptr, gini},
};

std::size_t hits_within(const Hits& hits, std::size_t k) {
  return static_cast<std::size_t>(std::upper_bound(hits.ranks.begin(), hits.ranks.end(), k) -
                                  hits.ranks.begin());
}

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

double count(std::size_t n) { return static_cast<double>(n); }

double discount(std::size_t rank) { return 1.0 / std::log2(count(rank) + 1); }

double precision_sum(const Hits& hits, std::size_t k) {
  double sum = 0;
  const std::size_t n = hits_within(hits, k);
  for (std::size_t j = 0; j < n; ++j) sum += count(j + 1) / hits.ranks[j];
  return sum;
}

}  // namespace

std::span<const Metric> all_metrics() { return kMetrics; }

const Metric* find_metric(std::string_view name) {
  for (const Metric& metric : kMetrics) {
    if (metric.name == name) return &metric;
  }
  return nullptr;
}

std::string metric_name(const Metric& metric, std::size_t k) {
  std::string name(metric.name);
  if (metric.of_scores == nullptr) name += "@" + std::to_string(k);
  return name;
}

void find_hits(std::span<const ItemIndex> list, std::span<const ItemIndex> truth,
               std::vector<std::uint32_t>& ranks) {
  ranks.clear();
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!std::binary_search(truth.begin(), truth.end(), list[i])) continue;
    const bool repeated = std::any_of(ranks.begin(), ranks.end(),
                                      [&](std::uint32_t r) { return list[r - 1] == list[i]; });
    if (!repeated) ranks.push_back(static_cast<std::uint32_t>(i + 1));
  }
}

double precision(const Hits& hits, std::size_t k) {
  return ratio(count(hits_within(hits, k)), count(k));
}

double recall(const Hits& hits, std::size_t k) {
  return ratio(count(hits_within(hits, k)), count(hits.truth));
}

double recall_min(const Hits& hits, std::size_t k) {
  return ratio(count(hits_within(hits, k)), count(std::min(k, hits.truth)));
}

double f1(const Hits& hits, std::size_t k) {
  return ratio(2 * count(hits_within(hits, k)), count(k + hits.truth));
}

double hit_rate(const Hits& hits, std::size_t k) { return hits_within(hits, k) > 0 ? 1 : 0; }

double ndcg(const Hits& hits, std::size_t k) {
  double gain = 0, ideal = 0;
  const std::size_t n = hits_within(hits, k);
  for (std::size_t j = 0; j < n; ++j) gain += discount(hits.ranks[j]);
  for (std::size_t i = 1; i <= std::min(k, hits.truth); ++i) ideal += discount(i);
  return ratio(gain, ideal);
}

double map(const Hits& hits, std::size_t k) {
  return ratio(precision_sum(hits, k), count(hits.truth));
}

double map_min(const Hits& hits, std::size_t k) {
  return ratio(precision_sum(hits, k), count(std::min(k, hits.truth)));
}

double mrr(const Hits& hits, std::size_t k) {
  return hits_within(hits, k) > 0 ? 1.0 / hits.ranks[0] : 0;
}

double auc(std::span<float> scores, std::span<const ItemIndex> truth,
           std::span<const ItemIndex> excluded) {
  // What does not take part becomes NaN, which is neither below nor equal to anything; what takes
  // part and was NaN becomes the lowest score before.
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  constexpr float kOut = std::numeric_limits<float>::quiet_NaN();
  for (float& s : scores) s = std::isnan(s) ? kLowest : s;
  std::size_t others = scores.size();
  for (const ItemIndex i : excluded) {
    if (raw(i) < scores.size()) scores[raw(i)] = kOut, --others;
  }
  std::vector<float> truth_scores;
  truth_scores.reserve(truth.size());
  for (const ItemIndex i : truth) {
    const bool scored = raw(i) < scores.size();
    truth_scores.push_back(scored ? scores[raw(i)] : kLowest);
    if (scored) scores[raw(i)] = kOut, --others;
  }
  if (others == 0 || truth.empty()) return 0.5;
  std::uint64_t below_twice = 0;
  for (const float t : truth_scores) {
    std::uint32_t below = 0, equal = 0;
    for (const float s : scores) {
      below += s < t ? 1u : 0u;
      equal += s == t ? 1u : 0u;
    }
    below_twice += 2 * std::uint64_t{below} + equal;
  }
  return static_cast<double>(below_twice) / (2 * count(others) * count(truth.size()));
}

double coverage(const Exposure& exposure) {
  const auto listed = std::count_if(exposure.lists.begin(), exposure.lists.end(),
                                    [](std::uint32_t x) { return x > 0; });
  return ratio(static_cast<double>(listed), count(exposure.lists.size()));
}

double novelty(const Exposure& exposure) {
  const double persons = static_cast<double>(std::max<std::uint64_t>(1, exposure.training_persons));
  double bits = 0, slots = 0;
  for (std::size_t i = 0; i < exposure.lists.size(); ++i) {
    if (exposure.lists[i] == 0) continue;
    const double with_it = i < exposure.persons.size() ? exposure.persons[i] : 0;
    const double share = std::min(1.0, std::max(1.0, with_it) / persons);
    bits -= exposure.lists[i] * std::log2(share);
    slots += exposure.lists[i];
  }
  return ratio(bits, slots);
}

double popularity_bias(const Exposure& exposure) {
  return ratio(exposure.list_popularity, exposure.history_popularity);
}

double gini(const Exposure& exposure) {
  std::vector<std::uint32_t> x(exposure.lists.begin(), exposure.lists.end());
  std::sort(x.begin(), x.end());
  const double n = count(x.size());
  double weighted = 0, sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    weighted += (2 * count(i + 1) - n - 1) * x[i];
    sum += x[i];
  }
  return ratio(weighted, n * sum);
}

}  // namespace vitrine

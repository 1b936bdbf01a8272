#include "model/item_knn.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "index/rows.h"
#include "model/item_rows.h"
#include "model/options_archive.h"

namespace vitrine {
namespace {

class ItemKnn final : public Model {
 public:
  ItemKnn(ItemKnnOptions options, std::uint32_t items, SparseRows rows)
      : options_(std::move(options)), items_(items), rows_(std::move(rows)) {}

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const auto rows = rows_of(queries[q]);
      out.set_count(q, top_of_sparse_rows(rows, rows_, items_, mask_of(masks, q), n, out.room(q)));
    }
  }

  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    score_sparse_rows(rows_of(query), rows_, items, scores);
  }

  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, items_);
    save_rows(writer, rows_);
  }

 private:
  // The rows of a history, each item once at its best weight, ascending: the order of summation.
  // Events of unknown items are as if they were not there: they take no step either.
  std::vector<WeightedRow> rows_of(const Query& query) const {
    const auto length = options_.history_length > 0
                            ? static_cast<std::size_t>(options_.history_length)
                            : query.history.size();
    std::vector<WeightedRow> rows;
    rows.reserve(std::min(length, query.history.size()));
    const HistoryEvent* later = nullptr;
    double decay = 1;
    for (std::size_t e = query.history.size(); e-- > 0 && rows.size() < length;) {
      const HistoryEvent& event = query.history[e];
      if (raw(event.item) >= items_ || !(event.weight > 0)) continue;
      const bool step =
          later != nullptr && (options_.steps == "events" || later->group != event.group);
      if (step) decay *= options_.history_decay;
      later = &event;
      const auto weight = static_cast<float>(decay * event.weight);
      if (weight > 0) rows.push_back({raw(event.item), weight});
    }
    std::sort(rows.begin(), rows.end(), [](const WeightedRow& a, const WeightedRow& b) {
      return a.row != b.row ? a.row < b.row : a.weight > b.weight;
    });
    const auto same = [](const WeightedRow& a, const WeightedRow& b) { return a.row == b.row; };
    rows.erase(std::unique(rows.begin(), rows.end(), same), rows.end());
    return rows;
  }

  ItemKnnOptions options_;
  std::uint32_t items_;
  SparseRows rows_;
};

// The events that pairs are made of, flat: row r holds [offsets[r], offsets[r + 1]).
struct Steps {
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> item, row, step;
  std::vector<float> weight;   // w_e
  std::vector<float> recency;  // 2^(-age / half-life)
  std::vector<std::uint64_t> item_offsets;
  std::vector<std::uint64_t> by_item;  // places of an item's events, ascending
};

void sort_by_item(Steps& steps, std::uint32_t items) {
  steps.item_offsets.assign(std::size_t{items} + 1, 0);
  for (const std::uint32_t i : steps.item) ++steps.item_offsets[i + 1];
  for (std::size_t i = 0; i < items; ++i) steps.item_offsets[i + 1] += steps.item_offsets[i];
  std::vector<std::uint64_t> next(steps.item_offsets.begin(), steps.item_offsets.end() - 1);
  steps.by_item.resize(steps.item.size());
  for (std::uint64_t e = 0; e < steps.item.size(); ++e) steps.by_item[next[steps.item[e]]++] = e;
}

Steps steps_of(const Histories& histories, const ItemKnnOptions& options) {
  Steps steps;
  const double rate = options.half_life_days > 0 ? 1 / (options.half_life_days * kDay) : 0;
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    const auto row = histories.row(r);
    std::uint32_t step = 0;
    for (std::size_t e = 0; e < row.size(); ++e) {
      if (e > 0 && (options.steps == "events" || row[e].group != row[e - 1].group)) ++step;
      if (!(row[e].weight > 0)) continue;
      const double age = row[e].time == kNoTime ? 0
                                                : static_cast<double>(histories.last_time()) -
                                                      static_cast<double>(row[e].time);
      steps.item.push_back(raw(row[e].item));
      steps.row.push_back(static_cast<std::uint32_t>(r));
      steps.step.push_back(step);
      steps.weight.push_back(row[e].weight);
      steps.recency.push_back(static_cast<float>(std::exp2(-age * rate)));
    }
    steps.offsets.push_back(steps.item.size());
  }
  sort_by_item(steps, histories.items());
  return steps;
}

// C_i for histories in which order matters.
class OrderedPairs {
 public:
  OrderedPairs(const Histories& histories, const ItemKnnOptions& options,
               std::span<const float> person_weights)
      : steps_(steps_of(histories, options)),
        person_weights_(person_weights),
        window_(options.window > 0 ? static_cast<std::uint32_t>(options.window) : ~0u),
        backward_(static_cast<float>(options.backward)) {
    const std::uint32_t longest =
        steps_.step.empty() ? 0 : *std::max_element(steps_.step.begin(), steps_.step.end());
    double decay = 1;
    for (std::uint32_t gap = 0; gap <= std::min(longest, window_); ++gap) {
      decay_.push_back(static_cast<float>(decay));
      decay *= options.distance_decay;
    }
  }

  void add(std::uint32_t item, RowWorkspace& workspace) const {
    std::uint32_t row = ~0u;
    for (std::uint64_t i = steps_.item_offsets[item]; i < steps_.item_offsets[item + 1]; ++i) {
      const std::uint64_t e = steps_.by_item[i];
      if (steps_.row[e] != row) workspace.begin_person();
      row = steps_.row[e];
      add_around(e, workspace);
    }
  }

 private:
  // The pairs of the event at place e with the events around it.
  void add_around(std::uint64_t e, RowWorkspace& workspace) const {
    const std::uint32_t item = steps_.item[e], row = steps_.row[e], step = steps_.step[e];
    const float weight = person_weights_[row] * steps_.weight[e];
    const auto add = [&](std::uint64_t f, float pair) {
      const float product = weight * steps_.weight[f] * pair;
      if (steps_.item[f] != item && product > 0) workspace.raise(steps_.item[f], product);
    };
    for (std::uint64_t f = e; f-- > steps_.offsets[row] && step - steps_.step[f] <= window_;) {
      const std::uint32_t gap = step - steps_.step[f];
      add(f, decay_[gap] * (gap > 0 ? backward_ : 1) * steps_.recency[e]);
    }
    const std::uint64_t last = steps_.offsets[row + 1];
    for (std::uint64_t f = e + 1; f < last && steps_.step[f] - step <= window_; ++f) {
      add(f, decay_[steps_.step[f] - step] * steps_.recency[f]);
    }
  }

  Steps steps_;
  std::span<const float> person_weights_;
  std::uint32_t window_;
  float backward_;
  std::vector<float> decay_;  // by gap
};

bool order_matters(const ItemKnnOptions& options) {
  return options.window > 0 || options.distance_decay < 1 || options.backward < 1 ||
         options.half_life_days > 0;
}

// Scores the pairs of one item: frequencies and the factors that depend on one item alone.
class Similarity {
 public:
  Similarity(const ItemKnnOptions& options, const Interactions& cells)
      : options_(options), frequency_(cells.items), source_(cells.items), target_(cells.items) {
    double sum = 0, listed = 0;
    for (std::uint32_t i = 0; i < cells.items; ++i) {
      for (const float w : cells.by_item.row_weights(i)) frequency_[i] += double{w} * w;
      sum += frequency_[i];
      listed += frequency_[i] > 0;
    }
    for (std::uint32_t i = 0; i < cells.items; ++i) {
      const double f = frequency_[i] > 0 ? frequency_[i] : 1;
      source_[i] = options.similarity == "bm25" ? saturation(f * listed / sum)
                                                : std::pow(f, options.source_exponent);
      target_[i] = options.similarity == "bm25" ? source_[i] : std::pow(f, options.target_exponent);
    }
  }

  void score(std::uint32_t item, RowWorkspace& workspace, int neighbours) const {
    for (const std::uint32_t j : workspace.touched()) {
      workspace.row.push_back({ItemIndex{j}, static_cast<float>(pair(item, j, workspace.sum(j)))});
    }
    if (options_.normalize == "none") return;
    keep_best(workspace.row, neighbours);
    double scale = 0;
    for (const Candidate& c : workspace.row) {
      scale = options_.normalize == "sum" ? scale + c.score : std::max<double>(scale, c.score);
    }
    for (Candidate& c : workspace.row) c.score = static_cast<float>(c.score / scale);
  }

 private:
  double saturation(double relative_frequency) const {
    const double k1 = options_.bm25_k1, b = options_.bm25_b;
    return (k1 + 1) / (k1 * (1 - b + b * relative_frequency) + 1);
  }
  double pair(std::uint32_t i, std::uint32_t j, double sum) const {
    double weight = sum;
    if (options_.similarity == "cosine") weight /= source_[i] * target_[j] + options_.shrinkage;
    if (options_.similarity == "bm25") weight *= source_[i] * target_[j];
    if (options_.similarity == "jaccard") {
      const double united = frequency_[i] + frequency_[j] - sum + options_.shrinkage;
      weight = united > 0 ? sum / united : 0;
    }
    return options_.amplification == 1 ? weight : std::pow(weight, options_.amplification);
  }

  const ItemKnnOptions& options_;
  std::vector<double> frequency_, source_, target_;
};

// What each person's pairs weigh.
std::vector<float> person_weights(const ItemKnnOptions& options, const Interactions& cells) {
  std::vector<float> weights(cells.by_row.rows());
  for (std::size_t r = 0; r < weights.size(); ++r) {
    const auto n = static_cast<double>(cells.by_row.row(r).size());
    if (n == 0) continue;
    double weight = std::pow(n, -options.person_exponent);
    if (options.similarity == "bm25") {
      const double idf = std::log(static_cast<double>(cells.items)) - std::log1p(n);
      weight *= idf > 0 ? idf * idf : 0;
    }
    weights[r] = static_cast<float>(weight);
  }
  return weights;
}

bool within_bounds(const Histories& histories) {
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    if (histories.row(r).size() > kFitEventsMax) return false;
  }
  return true;
}

Histories last_events(const Histories& histories) {
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    const auto row = histories.row(r);
    const auto last = row.last(std::min(row.size(), kFitEventsMax));
    events.insert(events.end(), last.begin(), last.end());
    offsets.push_back(events.size());
  }
  return {std::move(offsets), std::move(events), histories.users(), histories.items()};
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_item_knn(const Run& run, const ItemKnnOptions& options,
                                                  const TrainingSet& set) {
  const Histories bounded =
      within_bounds(set.histories) ? set.histories : last_events(set.histories);  // copies share
  InteractionOptions merge_best;
  merge_best.merge = "max";
  merge_best.binary = false;
  const Interactions cells = build_interactions(bounded, merge_best);
  VT_TRY(check_row_memory(ItemKnnOptions::kName, cells, {"neighbours", options.neighbours}, 0,
                          options.memory_limit_mb));
  const std::vector<float> persons = person_weights(options, cells);
  const Similarity similarity(options, cells);
  std::optional<OrderedPairs> ordered;
  if (order_matters(options)) ordered.emplace(bounded, options, persons);
  VT_TRY(SparseRows rows, build_item_rows(run, "item_knn", cells.items, options.neighbours,
                                          [&](std::uint32_t item, RowWorkspace& workspace) {
                                            if (ordered)
                                              ordered->add(item, workspace);
                                            else
                                              add_cooccurrences(cells, persons, item, workspace);
                                            similarity.score(item, workspace, options.neighbours);
                                          }));
  return std::make_unique<const ItemKnn>(options, cells.items, std::move(rows));
}

Result<std::unique_ptr<const Model>> load_item_knn(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(auto saved, load_options<ItemKnnOptions>(reader));
  VT_TRY(SparseRows rows, load_rows(reader, saved.second));
  return std::make_unique<const ItemKnn>(std::move(saved.first), saved.second, std::move(rows));
}

}  // namespace vitrine

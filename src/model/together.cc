#include "model/together.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "index/rows.h"
#include "model/baskets.h"
#include "model/item_rows.h"
#include "model/options_archive.h"

namespace vitrine {
namespace {

void sort_unique(std::vector<ItemIndex>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

// What the groups are made of. `options.events` is what `auto` has become.
BasketEvents events_of(const TogetherOptions& options) {
  if (options.relation == "substitutes") return BasketEvents::kViews;
  return options.events == "purchases" ? BasketEvents::kPurchases : BasketEvents::kAll;
}

class Together final : public Model {
 public:
  // `options.events` is what `auto` has become: purchases or all.
  Together(TogetherOptions options, std::uint32_t items, SparseRows rows)
      : options_(std::move(options)), items_(items), rows_(std::move(rows)) {}

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const std::vector<ItemIndex> asked = asked_about(queries[q]);
      const ItemMask& given = mask_of(masks, q);
      std::vector<ItemIndex> excluded;
      std::set_union(given.excluded.begin(), given.excluded.end(), asked.begin(), asked.end(),
                     std::back_inserter(excluded));
      const ItemMask mask{given.allowed, excluded};
      out.set_count(q, top_of_sparse_rows(rows_of(asked), rows_, items_, mask, n, out.room(q)));
    }
  }

  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    const std::vector<ItemIndex> asked = asked_about(query);
    score_sparse_rows(rows_of(asked), rows_, items, scores);
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (std::binary_search(asked.begin(), asked.end(), items[i])) scores[i] = 0;
    }
  }

  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, items_);
    save_rows(writer, rows_);
  }

 private:
  // Ascending, distinct; unknown items included.
  std::vector<ItemIndex> asked_about(const Query& query) const {
    std::vector<ItemIndex> items;
    if (query.context != nullptr) {
      items = query.context->cart;
      if (query.context->item) items.push_back(*query.context->item);
    }
    if (items.empty()) items = last_basket(query.history);
    sort_unique(items);
    return items;
  }

  std::vector<ItemIndex> last_basket(std::span<const HistoryEvent> history) const {
    std::vector<ItemIndex> items;
    std::uint32_t group = 0;
    for (std::size_t e = history.size(); e-- > 0;) {
      if (!items.empty() && history[e].group != group) break;
      if (!makes_a_basket(history[e], events_of(options_))) continue;
      group = history[e].group;
      items.push_back(history[e].item);
    }
    return items;
  }

  std::vector<WeightedRow> rows_of(std::span<const ItemIndex> asked) const {
    std::vector<WeightedRow> rows;
    for (const ItemIndex item : asked) {
      if (raw(item) < items_) rows.push_back({raw(item), 1});
    }
    return rows;
  }

  TogetherOptions options_;
  std::uint32_t items_;
  SparseRows rows_;
};

// Every basket as a history of its own.
Histories baskets_of(const Histories& histories, BasketEvents kind, int basket_max) {
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    for_each_basket(histories.row(r), kind, histories.items(),
                    [&](std::span<const ItemIndex> items) {
                      if (items.size() > static_cast<std::size_t>(basket_max)) return;
                      for (const ItemIndex item : items) events.push_back({.item = item});
                      offsets.push_back(events.size());
                    });
  }
  return {std::move(offsets), std::move(events), 0, histories.items()};
}

double k_log_k(double k, double expected) { return k > 0 ? k * std::log(k / expected) : 0; }

// Twice the log-likelihood ratio of the 2 x 2 table (both, i alone, j alone, neither).
double log_likelihood_ratio(double both, double i, double j, double all) {
  return 2 * (k_log_k(both, i * j / all) + k_log_k(i - both, i * (all - j) / all) +
              k_log_k(j - both, (all - i) * j / all) +
              k_log_k(all - i - j + both, (all - i) * (all - j) / all));
}

double weigh(const std::string& score, double both, double i, double j, double all) {
  if (both * all <= i * j) return 0;
  if (score == "support") return both;
  return score == "lift" ? both * all / (i * j) : log_likelihood_ratio(both, i, j, all);
}

// Groups that hold items, and how often pairs share one.
class Groups {
 public:
  Groups(const Histories& histories, BasketEvents events, int basket_max)
      : baskets_(baskets_of(histories, events, basket_max)),
        cells_(build_interactions(baskets_, {})),
        ones_(baskets_.rows(), 1) {}

  const Interactions& cells() const { return cells_; }
  double all() const { return static_cast<double>(baskets_.rows()); }
  double with(std::uint32_t item) const {
    return static_cast<double>(cells_.by_item.row(item).size());
  }
  void count_pairs(std::uint32_t item, RowWorkspace& workspace) const {
    add_cooccurrences(cells_, ones_, item, workspace);
  }
  // Of a pair that share `both` groups; 1 is chance, and what is said of rare items.
  double lift(std::uint32_t i, std::uint32_t j, double both) const {
    return (both + 1) * all() / (with(i) * with(j) + all());
  }

 private:
  Histories baskets_;
  Interactions cells_;
  std::vector<float> ones_;
};

// The groups of the other kind, and how often their pairs occur: the kRivalPairs most frequent of
// each item.
struct Rival {
  Groups groups;
  SparseRows counts;

  double lift(std::uint32_t i, std::uint32_t j) const {
    const auto row = counts.row(i);
    const auto at = std::lower_bound(row.begin(), row.end(), j);
    const bool found = at != row.end() && *at == j;
    const auto place = static_cast<std::size_t>(at - row.begin());
    return groups.lift(i, j, found ? counts.row_weights(i)[place] : 0);
  }
};

constexpr int kRivalPairs = 1000;

Result<Rival> rival_of(const Run& run, Groups groups, std::uint32_t items) {
  const auto fill = [&](std::uint32_t item, RowWorkspace& workspace) {
    groups.count_pairs(item, workspace);
    for (const std::uint32_t j : workspace.touched()) {
      workspace.row.push_back({ItemIndex{j}, workspace.sum(j)});
    }
  };
  VT_TRY(SparseRows counts, build_item_rows(run, "pairs", items, kRivalPairs, fill));
  return Rival{std::move(groups), std::move(counts)};
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_together(const Run& run, const TogetherOptions& given,
                                                  const TrainingSet& set) {
  TogetherOptions options = given;
  options.events = basket_events(given.events, set.histories);
  const Groups groups(set.histories, events_of(options), options.basket_max);
  const std::uint32_t items = set.histories.items();
  const CostlySetting kept{"neighbours", options.neighbours};
  std::optional<Rival> rival;
  double rival_entries = 0;
  if (options.relation != "all") {
    const bool complements = options.relation == "complements";
    Groups others(set.histories, complements ? BasketEvents::kViews : BasketEvents::kPurchases,
                  options.basket_max);
    rival_entries = entries_at_most(others.cells(), kRivalPairs);
    VT_TRY(check_row_memory(TogetherOptions::kName, groups.cells(), kept, rival_entries,
                            options.memory_limit_mb));
    VT_TRY(rival, rival_of(run, std::move(others), items));
  } else {
    VT_TRY(
        check_row_memory(TogetherOptions::kName, groups.cells(), kept, 0, options.memory_limit_mb));
  }
  const auto fill = [&](std::uint32_t item, RowWorkspace& workspace) {
    groups.count_pairs(item, workspace);
    for (const std::uint32_t j : workspace.touched()) {
      const float both = workspace.sum(j);
      if (both < static_cast<float>(options.support_min)) continue;
      if (rival && rival->lift(item, j) > groups.lift(item, j, both)) continue;
      const double weight =
          weigh(options.score, both, groups.with(item), groups.with(j), groups.all());
      workspace.row.push_back({ItemIndex{j}, static_cast<float>(weight)});
    }
  };
  VT_TRY(SparseRows rows,
         build_item_rows(run, TogetherOptions::kName, items, options.neighbours, fill));
  return std::make_unique<const Together>(options, items, std::move(rows));
}

Result<std::unique_ptr<const Model>> load_together(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(auto saved, load_options<TogetherOptions>(reader));
  VT_TRY(SparseRows rows, load_rows(reader, saved.second));
  return std::make_unique<const Together>(std::move(saved.first), saved.second, std::move(rows));
}

}  // namespace vitrine

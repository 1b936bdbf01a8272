#include "model/together.h"

#include <algorithm>
#include <cmath>

#include "index/rows.h"
#include "model/item_rows.h"
#include "model/options_archive.h"

namespace vitrine {
namespace {

void sort_unique(std::vector<ItemIndex>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
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
    const bool all = options_.events == "all";
    std::uint32_t group = 0;
    for (std::size_t e = history.size(); e-- > 0;) {
      if (!items.empty() && history[e].group != group) break;
      if (!all && history[e].type != EventType::kPurchase) continue;
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

bool holds_purchases(const Histories& histories) {
  const auto events = histories.events();
  return std::any_of(events.begin(), events.end(),
                     [](const HistoryEvent& e) { return e.type == EventType::kPurchase; });
}

// Every basket as a history of its own.
Histories baskets_of(const Histories& histories, const TogetherOptions& options) {
  const bool all = options.events == "all";
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  std::vector<ItemIndex> items;
  const auto close = [&] {
    sort_unique(items);
    if (!items.empty() && items.size() <= static_cast<std::size_t>(options.basket_max)) {
      for (const ItemIndex item : items) events.push_back({.item = item});
      offsets.push_back(events.size());
    }
    items.clear();
  };
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    const auto row = histories.row(r);
    for (std::size_t e = 0; e < row.size(); ++e) {
      if (e > 0 && row[e].group != row[e - 1].group) close();
      if (all || row[e].type == EventType::kPurchase) items.push_back(row[e].item);
    }
    close();
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

}  // namespace

Result<std::unique_ptr<const Model>> fit_together(const Run& run, const TogetherOptions& given,
                                                  const TrainingSet& set) {
  TogetherOptions options = given;
  if (options.events == "auto")
    options.events = holds_purchases(set.histories) ? "purchases" : "all";
  const Histories baskets = baskets_of(set.histories, options);
  const Interactions cells = build_interactions(baskets, {});
  const std::vector<float> ones(baskets.rows(), 1);
  const auto all = static_cast<double>(baskets.rows());
  const auto fill = [&](std::uint32_t item, RowWorkspace& workspace) {
    add_cooccurrences(cells, ones, item, workspace);
    const auto n = static_cast<double>(cells.by_item.row(item).size());
    for (const std::uint32_t j : workspace.touched()) {
      const float both = workspace.sum(j);
      if (both < static_cast<float>(options.support_min)) continue;
      const double weight =
          weigh(options.score, both, n, static_cast<double>(cells.by_item.row(j).size()), all);
      workspace.row.push_back({ItemIndex{j}, static_cast<float>(weight)});
    }
  };
  VT_TRY(SparseRows rows,
         build_item_rows(run, TogetherOptions::kName, cells.items, options.neighbours, fill));
  return std::make_unique<const Together>(options, cells.items, std::move(rows));
}

Result<std::unique_ptr<const Model>> load_together(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(auto saved, load_options<TogetherOptions>(reader));
  VT_TRY(SparseRows rows, load_rows(reader, saved.second));
  return std::make_unique<const Together>(std::move(saved.first), saved.second, std::move(rows));
}

}  // namespace vitrine

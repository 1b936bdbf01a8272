#include "model/basket.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "index/scratch.h"
#include "model/baskets.h"
#include "model/options_archive.h"
#include "model/person_index.h"

namespace vitrine {
namespace {

// v of a history: all its items, ascending; what no counted basket holds, or what decayed to
// nothing, at the least positive weight.
std::vector<WeightedRow> taken_by(std::span<const HistoryEvent> history,
                                  const BasketOptions& options, std::uint32_t items) {
  const auto events = options.events == "purchases" ? BasketEvents::kPurchases : BasketEvents::kAll;
  const auto last = history.last(std::min(history.size(), kBasketEventsMax));
  std::vector<std::pair<std::uint32_t, std::uint32_t>> held;  // item, basket
  std::uint32_t baskets = 0;
  for_each_basket(last, events, items, [&](std::span<const ItemIndex> basket) {
    for (const ItemIndex item : basket) held.emplace_back(raw(item), baskets);
    ++baskets;
  });
  const auto group = static_cast<std::uint32_t>(options.group_size);
  const std::uint32_t counted =
      options.window > 0 ? std::min(baskets, static_cast<std::uint32_t>(options.window)) : baskets;
  std::sort(held.begin(), held.end());
  std::vector<WeightedRow> taken;
  for (std::size_t h = 0; h < held.size();) {
    const std::uint32_t item = held[h].first;
    double sum = 0;
    for (; h < held.size() && held[h].first == item; ++h) {
      const std::uint32_t back = baskets - 1 - held[h].second;
      if (back < counted) {
        sum += std::pow(options.basket_decay, back % group) *
               std::pow(options.group_decay, back / group);
      }
    }
    taken.push_back(
        {item, std::max(static_cast<float>(sum / counted), std::numeric_limits<float>::min())});
  }
  return taken;
}

// Of one request; kept for the next.
struct Scratch {
  StampedSums products, scores;  // by person; by item
  std::vector<Neighbour> neighbours, order;
};

class Basket final : public Model {
 public:
  // `options.events` is what `auto` has become: purchases or all.
  Basket(BasketOptions options, PersonIndex persons, Array<float> popularity)
      : options_(std::move(options)),
        persons_(std::move(persons)),
        popularity_(std::move(popularity)) {
    for (std::size_t u = 0; u < persons_.rows().rows(); ++u) {
      double squared = 0;
      for (const float v : persons_.rows().row_weights(u)) squared += double{v} * v;
      squared_.push_back(static_cast<float>(squared));
    }
  }

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
    const auto scratch = scratch_.lend();
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const StampedSums& scores = answer(queries[q], *scratch);
      out.set_count(q, top_of_sums(scores, mask_of(masks, q), n, out.room(q)));
    }
  }

  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    const auto scratch = scratch_.lend();
    const StampedSums& sums = answer(query, *scratch);
    for (std::size_t i = 0; i < items.size(); ++i) scores[i] = sums.sum(raw(items[i]));
  }

  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, persons_.items());
    save_persons(writer, persons_);
    writer.tensor("popularity", popularity_);
  }

 private:
  const StampedSums& answer(const Query& query, Scratch& s) const {
    s.scores.begin(persons_.items());
    const auto taken = taken_by(query.history, options_, persons_.items());
    const auto own = static_cast<float>(options_.own);
    if (own > 0) {
      for (const WeightedRow& t : taken) s.scores.add(t.row, own * t.weight);
    }
    if (own < 1) {
      find_neighbours(taken, s);
      add_votes(s);
    }
    const auto popular = static_cast<float>(options_.popular);
    for (std::uint32_t i = 0; popular > 0 && i < persons_.items(); ++i) {
      if (popularity_[i] > 0) s.scores.add(i, popular * popularity_[i]);
    }
    return s.scores;
  }

  // Leaves the nearest and what each of them weighs.
  void find_neighbours(std::span<const WeightedRow> taken, Scratch& s) const {
    const auto sample = static_cast<std::size_t>(options_.sample);
    const bool sets = options_.similarity == "sets";
    s.products.begin(persons_.rows().rows());
    if (sets)
      persons_.add_common(taken, sample, s.products);
    else
      persons_.add_products(taken, sample, s.products);
    const double mine = std::pow(static_cast<double>(taken.size()), -options_.asymmetry);
    s.neighbours.clear();
    for (const std::uint32_t u : s.products.touched()) {
      const float product = s.products.sum(u);
      const auto size = static_cast<double>(persons_.rows().row(u).size());
      const double similarity = sets ? product * mine * std::pow(size, options_.asymmetry - 1)
                                     : 2 * double{product} - squared_[u];
      s.neighbours.push_back({u, static_cast<float>(similarity)});
    }
    keep_nearest(s.neighbours, static_cast<std::size_t>(options_.neighbours), s.order);
    double largest = 0;  // the others are raised relative to it: only shares matter, none vanishes
    for (const Neighbour& n : s.neighbours) largest = std::max(largest, double{n.similarity});
    for (Neighbour& n : s.neighbours) {
      const double weight = sets ? std::pow(n.similarity / largest, options_.locality) : 1;
      n.similarity = static_cast<float>(weight);
    }
  }

  void add_votes(Scratch& s) const {
    double all = 0;
    for (const Neighbour& n : s.neighbours) all += n.similarity;
    if (!(all > 0)) return;
    for (const Neighbour& n : s.neighbours) {
      const auto weight = static_cast<float>((1 - options_.own) * n.similarity / all);
      const auto items = persons_.rows().row(n.id);
      const auto taken = persons_.rows().row_weights(n.id);
      for (std::size_t i = 0; i < items.size(); ++i) s.scores.add(items[i], weight * taken[i]);
    }
  }

  BasketOptions options_;
  PersonIndex persons_;
  Array<float> popularity_;     // by item: share of all baskets
  std::vector<float> squared_;  // by person: |v|^2
  mutable ScratchPool<Scratch> scratch_;
};

}  // namespace

Result<std::unique_ptr<const Model>> fit_basket(const Run& run, const BasketOptions& given,
                                                const TrainingSet& set) {
  BasketOptions options = given;
  options.events = basket_events(given.events, set.histories);
  const auto events = options.events == "purchases" ? BasketEvents::kPurchases : BasketEvents::kAll;
  const std::uint32_t items = set.histories.items();
  const std::vector<std::uint32_t> order = rows_by_last_event(set.histories);
  Stage stage(run.monitor, BasketOptions::kName, order.size(), "persons");
  constexpr std::size_t kBetweenAdvances = 16'384;
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> columns;
  std::vector<float> weights;
  std::vector<double> holding(items);  // baskets
  double baskets = 0;
  for (std::size_t p = 0; p < order.size(); ++p) {
    if (p % kBetweenAdvances == 0) VT_TRY(stage.proceed(p));
    const auto row = set.histories.row(order[p]);
    for_each_basket(row, events, items, [&](std::span<const ItemIndex> basket) {
      for (const ItemIndex item : basket) ++holding[raw(item)];
      ++baskets;
    });
    for (const WeightedRow& taken : taken_by(row, options, items)) {
      columns.push_back(taken.row);
      weights.push_back(taken.weight);
    }
    if (columns.size() > offsets.back()) offsets.push_back(columns.size());
  }
  VT_TRY(stage.proceed(order.size()));
  std::vector<float> popularity;
  for (const double n : holding) {
    popularity.push_back(baskets > 0 ? static_cast<float>(n / baskets) : 0);
  }
  SparseRows rows{std::move(offsets), std::move(columns), std::move(weights)};
  return std::make_unique<const Basket>(options, PersonIndex(std::move(rows), items),
                                        std::move(popularity));
}

Result<std::unique_ptr<const Model>> load_basket(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(auto saved, load_options<BasketOptions>(reader));
  VT_TRY(PersonIndex persons, load_persons(reader, saved.second));
  VT_TRY(auto popularity, reader.tensor<float>("popularity"));
  const bool shares =
      std::all_of(popularity.begin(), popularity.end(), [](float p) { return p >= 0 && p <= 1; });
  if (popularity.size() != saved.second || !shares) {
    return Error{Code::kCorrupt, "basket needs a share of the baskets for each item"};
  }
  return std::make_unique<const Basket>(std::move(saved.first), std::move(persons),
                                        std::move(popularity));
}

}  // namespace vitrine

#include "model/popularity.h"

#include <algorithm>
#include <cmath>

#include "index/rows.h"
#include "model/options_archive.h"

namespace vitrine {
namespace {

// The category tree as training saw it: of each item its node, of each node its parent, which comes
// before it.
struct Categories {
  Array<std::uint32_t> of_item;
  Array<std::uint32_t> parent;

  CategoryIndex of(std::uint32_t item) const {
    return item < of_item.size() ? of_item[item] : kNoCategory;
  }
  bool covers(CategoryIndex category, std::uint32_t item) const {
    CategoryIndex node = of(item);
    while (node != kNoCategory && node > category) node = parent[node];
    return node == category;
  }
};

Categories categories_of(const Catalogue& catalogue, std::uint32_t items) {
  std::vector<std::uint32_t> of_item(items), parent(catalogue.categories());
  for (std::uint32_t i = 0; i < items; ++i) of_item[i] = catalogue.category(ItemIndex{i});
  for (CategoryIndex c = 0; c < parent.size(); ++c) parent[c] = catalogue.parent(c);
  return {std::move(of_item), std::move(parent)};
}

// One ordered list over all items with a positive score, and one for each node of the category
// tree.
class Popularity final : public Model {
 public:
  Popularity(PopularityOptions options, Array<float> scores, Categories categories)
      : options_(std::move(options)),
        scores_(std::move(scores)),
        categories_(std::move(categories)) {
    for (std::uint32_t i = 0; i < scores_.size(); ++i) {
      if (scores_[i] > 0) ranked_.push_back({ItemIndex{i}, scores_[i]});
    }
    std::sort(ranked_.begin(), ranked_.end(), better);
    by_category_.resize(categories_.parent.size());
    for (const Candidate& c : ranked_) {
      CategoryIndex node = categories_.of(raw(c.item));
      for (; node != kNoCategory; node = categories_.parent[node]) by_category_[node].push_back(c);
    }
  }

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const CategoryIndex category = category_of(queries[q]);
      const auto& list = category == kNoCategory ? ranked_ : by_category_[category];
      out.set_count(q, top_of_ranked(list, mask_of(masks, q), n, out.room(q)));
    }
  }

  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    const CategoryIndex category = category_of(query);
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::uint32_t item = raw(items[i]);
      const bool listed =
          item < scores_.size() && (category == kNoCategory || categories_.covers(category, item));
      scores[i] = listed ? scores_[item] : 0;
    }
  }

  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, static_cast<std::uint32_t>(scores_.size()));
    writer.tensor("scores", scores_);
    writer.tensor("categories/of_item", categories_.of_item);
    writer.tensor("categories/parent", categories_.parent);
  }

 private:
  CategoryIndex category_of(const Query& query) const {
    if (options_.by != "category") return kNoCategory;
    CategoryIndex category = kNoCategory;
    if (query.context != nullptr && query.context->item) {
      category = categories_.of(raw(*query.context->item));
    }
    for (std::size_t i = query.history.size(); i-- > 0 && category == kNoCategory;) {
      category = categories_.of(raw(query.history[i].item));
    }
    return category;
  }

  PopularityOptions options_;
  Array<float> scores_;  // by item; 0: never listed
  Categories categories_;
  std::vector<Candidate> ranked_;
  std::vector<std::vector<Candidate>> by_category_;
};

// Sums of event weights, or of each person's best.
std::vector<float> count(const Histories& histories, const PopularityOptions& options) {
  const double rate = options.half_life_days > 0 ? 1 / (options.half_life_days * kDay) : 0;
  const bool once = options.count == "persons";
  std::vector<double> sums(histories.items()), best(histories.items());
  std::vector<std::uint32_t> person(histories.items(), ~0u);
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    for (const HistoryEvent& event : histories.row(r)) {
      const double age = event.time == kNoTime ? 0
                                               : static_cast<double>(histories.last_time()) -
                                                     static_cast<double>(event.time);
      if (options.window_days > 0 && age > options.window_days * kDay) continue;
      const double weight = rate > 0 ? event.weight * std::exp2(-age * rate) : event.weight;
      const std::uint32_t i = raw(event.item);
      if (!once || person[i] != r) best[i] = 0;
      person[i] = static_cast<std::uint32_t>(r);
      if (!(weight > best[i])) continue;
      sums[i] += weight - best[i];
      best[i] = weight;
    }
  }
  return {sums.begin(), sums.end()};
}

Status check(const Array<float>& scores, const Categories& categories, std::uint32_t items) {
  const auto corrupt = [](const char* what) {
    return Error{Code::kCorrupt, std::string("popularity: ") + what};
  };
  if (scores.size() != items || categories.of_item.size() != items) {
    return corrupt("one score and one category per item");
  }
  for (const float score : scores) {
    if (!std::isfinite(score)) return corrupt("scores must be finite");
  }
  for (const std::uint32_t c : categories.of_item) {
    if (c != kNoCategory && c >= categories.parent.size()) return corrupt("unknown category");
  }
  for (std::size_t c = 0; c < categories.parent.size(); ++c) {
    const std::uint32_t parent = categories.parent[c];
    if (parent != kNoCategory && parent >= c) return corrupt("a category must follow its parent");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_popularity(const Run& run,
                                                    const PopularityOptions& options,
                                                    const TrainingSet& set) {
  Stage stage(run.monitor, PopularityOptions::kName, set.histories.size(), "events");
  VT_TRY(stage.proceed(0));
  const std::uint32_t items = set.histories.items();
  Categories categories;
  if (options.by == "category") {
    categories = categories_of(set.catalogue, items);
  } else {
    categories.of_item = std::vector<std::uint32_t>(items, kNoCategory);
  }
  auto model = std::make_unique<const Popularity>(options, count(set.histories, options),
                                                  std::move(categories));
  VT_TRY(stage.proceed(set.histories.size()));
  return model;
}

Result<std::unique_ptr<const Model>> load_popularity(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(auto saved, load_options<PopularityOptions>(reader));
  Categories categories;
  VT_TRY(Array<float> scores, reader.tensor<float>("scores"));
  VT_TRY(categories.of_item, reader.tensor<std::uint32_t>("categories/of_item"));
  VT_TRY(categories.parent, reader.tensor<std::uint32_t>("categories/parent"));
  VT_TRY(check(scores, categories, saved.second));
  return std::make_unique<const Popularity>(std::move(saved.first), std::move(scores),
                                            std::move(categories));
}

}  // namespace vitrine

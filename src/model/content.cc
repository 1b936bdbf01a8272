#include "model/content.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.h"
#include "data/words.h"
#include "model/item_rows.h"
#include "model/linear_rows.h"
#include "model/options_archive.h"

namespace vitrine {
namespace {

// Terms that so few items have are never too common, however small the shop.
constexpr double kCommonMin = 50;

class Content final : public Model {
 public:
  Content(ContentOptions options, LinearRows rows) : options_(options), rows_(std::move(rows)) {}

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    rows_.retrieve(queries, masks, n, out);
  }
  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    rows_.score(query, items, scores);
  }
  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, rows_.items());
    rows_.save(writer);
  }

 private:
  ContentOptions options_;
  LinearRows rows_;
};

// The terms of one item with their weights, before inverse document frequency.
class Terms {
 public:
  explicit Terms(const ContentOptions& options) : options_(options) {}

  const std::map<std::string, double>& of(const Item& item) {
    terms_.clear();
    add(words_of(item.title), options_.title_weight);
    add(words_of(item.description), options_.description_weight);
    add(labels_of(item), options_.label_weight);
    return terms_;
  }

 private:
  void add(std::vector<std::string> words, double weight) {
    if (!(weight > 0)) return;
    std::sort(words.begin(), words.end());
    for (std::size_t begin = 0; begin < words.size();) {
      std::size_t end = begin;
      while (end < words.size() && words[end] == words[begin]) ++end;
      terms_[words[begin]] += weight * (1 + std::log(static_cast<double>(end - begin)));
      begin = end;
    }
  }

  // A word holds no '=': labels are told from words, and from labels of other kinds, by it.
  static std::vector<std::string> labels_of(const Item& item) {
    std::vector<std::string> labels;
    if (!item.brand.empty()) labels.push_back("brand=" + lower_case(item.brand));
    for (const std::string& tag : item.tags) labels.push_back("tag=" + lower_case(tag));
    std::string path = "category=";
    for (const std::string& level : item.category) {
      labels.push_back(path += ">" + lower_case(level));
    }
    for (const auto& [key, value] : item.attributes) {
      const List* list = value.as_list();
      for (const Value& one : list != nullptr ? *list : List{value}) {
        const std::string* text = one.as_string();
        labels.push_back(":" + key + "=" + (text != nullptr ? lower_case(*text) : to_json(one)));
      }
    }
    return labels;
  }

  const ContentOptions& options_;
  std::map<std::string, double> terms_;
};

// Rows of a sparse matrix as they grow.
struct Growing {
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> columns;
  std::vector<float> weights;
  void end_row() { offsets.push_back(columns.size()); }
  SparseRows finish() && { return {std::move(offsets), std::move(columns), std::move(weights)}; }
};

SparseRows transposed(const SparseRows& rows, std::size_t columns) {
  std::vector<std::uint64_t> offsets(columns + 1);
  for (const std::uint32_t c : rows.columns) ++offsets[c + 1];
  for (std::size_t c = 0; c < columns; ++c) offsets[c + 1] += offsets[c];
  std::vector<std::uint64_t> next(offsets.begin(), offsets.end() - 1);
  std::vector<std::uint32_t> items(rows.columns.size());
  std::vector<float> weights(rows.columns.size());
  for (std::uint32_t r = 0; r < rows.rows(); ++r) {
    for (std::uint64_t e = rows.offsets[r]; e < rows.offsets[r + 1]; ++e) {
      const std::uint64_t place = next[rows.columns[e]]++;
      items[place] = r;
      weights[place] = rows.weights[e];
    }
  }
  return {std::move(offsets), std::move(items), std::move(weights)};
}

struct TermRows {
  SparseRows by_item;                    // terms in the order of their first appearance
  std::vector<std::uint32_t> frequency;  // items that have the term
  std::uint32_t described = 0;           // items with any term
};

Result<TermRows> count_terms(const Run& run, const ContentOptions& options,
                             const Catalogue& catalogue, std::uint32_t items) {
  constexpr std::uint32_t kStep = 1024;
  Stage stage(run.monitor, "content: terms", items, "items");
  VT_TRY(stage.proceed(0));
  std::unordered_map<std::string, std::uint32_t> numbers;  // looked up only
  TermRows counted;
  Terms terms(options);
  Growing rows;
  std::vector<std::pair<std::uint32_t, float>> row;
  for (std::uint32_t i = 0; i < items; ++i) {
    if (i % kStep == kStep - 1) VT_TRY(stage.proceed(i));
    row.clear();
    for (const auto& [term, weight] : terms.of(catalogue.item(ItemIndex{i}))) {
      const auto number = static_cast<std::uint32_t>(numbers.size());
      const std::uint32_t known = numbers.try_emplace(term, number).first->second;
      if (known == counted.frequency.size()) counted.frequency.push_back(0);
      ++counted.frequency[known];
      row.emplace_back(known, static_cast<float>(weight));
    }
    std::sort(row.begin(), row.end());
    counted.described += row.empty() ? 0 : 1;
    for (const auto& [term, weight] : row) {
      rows.columns.push_back(term);
      rows.weights.push_back(weight);
    }
    rows.end_row();
  }
  counted.by_item = std::move(rows).finish();
  return counted;
}

// Rows of length 1, inverse document frequency included; terms that make no pair, or are too
// common, are gone.
SparseRows unit_rows(const TermRows& terms, double common_share) {
  const double common = std::max(kCommonMin, common_share * terms.described);
  Growing kept;
  for (std::size_t i = 0; i < terms.by_item.rows(); ++i) {
    const auto row = terms.by_item.row(i);
    const auto weights = terms.by_item.row_weights(i);
    const std::size_t begin = kept.columns.size();
    double squares = 0;
    for (std::size_t t = 0; t < row.size(); ++t) {
      const double n = terms.frequency[row[t]];
      const double weight = weights[t] * std::log(terms.described / n);
      if (n > common || !(weight > 0)) continue;
      squares += weight * weight;
      if (n < 2) continue;  // only makes the row longer
      kept.columns.push_back(row[t]);
      kept.weights.push_back(static_cast<float>(weight));
    }
    for (std::size_t e = begin; e < kept.columns.size(); ++e) {
      kept.weights[e] = static_cast<float>(kept.weights[e] / std::sqrt(squares));
    }
    kept.end_row();
  }
  return std::move(kept).finish();
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_content(const Run& run, const ContentOptions& options,
                                                 const TrainingSet& set) {
  const std::uint32_t items = set.histories.items();
  VT_TRY(const TermRows terms, count_terms(run, options, set.catalogue, items));
  const SparseRows by_item = unit_rows(terms, options.common_share);
  const SparseRows by_term = transposed(by_item, terms.frequency.size());
  const auto fill = [&](std::uint32_t item, RowWorkspace& workspace) {
    const auto own = by_item.row(item);
    const auto own_weights = by_item.row_weights(item);
    for (std::size_t t = 0; t < own.size(); ++t) {
      const auto others = by_term.row(own[t]);
      const auto weights = by_term.row_weights(own[t]);
      for (std::size_t e = 0; e < others.size(); ++e) {
        if (others[e] != item) workspace.add(others[e], own_weights[t] * weights[e]);
      }
    }
    for (const std::uint32_t j : workspace.touched()) {
      workspace.row.push_back({ItemIndex{j}, workspace.sum(j)});
    }
  };
  VT_TRY(SparseRows rows,
         build_item_rows(run, ContentOptions::kName, items, options.neighbours, fill));
  return std::make_unique<const Content>(options,
                                         LinearRows(std::move(rows), is_binary(set.interactions)));
}

Result<std::unique_ptr<const Model>> load_content(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(auto saved, load_options<ContentOptions>(reader));
  VT_TRY(LinearRows rows, LinearRows::load(reader, saved.second));
  return std::make_unique<const Content>(saved.first, std::move(rows));
}

}  // namespace vitrine

#include "model/item_attributes.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "index/mask.h"
#include "model/item_regressions.h"
#include "model/item_rows.h"

namespace vitrine {
namespace {

using Attribute = std::pair<std::string_view, std::string>;  // a name and one of its values

void add_value(std::string_view name, const Value& value, std::set<Attribute>& out) {
  if (const std::string* text = value.as_string(); text != nullptr && !text->empty()) {
    out.emplace(name, *text);
  } else if (const std::int64_t* number = value.as_int(); number != nullptr) {
    out.emplace(name, std::to_string(*number));
  } else if (const bool* flag = value.as_bool(); flag != nullptr) {
    out.emplace(name, *flag ? "true" : "false");
  } else if (const List* list = value.as_list(); list != nullptr) {
    for (const Value& v : *list) {
      if (v.as_list() == nullptr) add_value(name, v, out);
    }
  }
}

// Runs of ASCII letters and digits and of whatever is beyond ASCII, letters in lower case.
void add_words(std::string_view name, std::string_view text, std::set<Attribute>& out) {
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ' ';
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c & '\x80') != 0) {
      word += upper ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!word.empty()) {
      out.emplace(name, std::exchange(word, {}));
    }
  }
}

std::set<Attribute> attributes_of(const Catalogue& catalogue, ItemIndex index,
                                  std::span<const std::string> names) {
  const Item& item = catalogue.item(index);
  std::set<Attribute> found;
  for (const std::string& name : names) {
    if (name == "category") {
      for (CategoryIndex c = catalogue.category(index); c != kNoCategory; c = catalogue.parent(c)) {
        found.emplace(name, std::to_string(c));
      }
    } else if (name == "brand") {
      add_value(name, Value(item.brand), found);
    } else if (name == "tags") {
      for (const std::string& tag : item.tags) add_value(name, Value(tag), found);
    } else if (name == "title") {
      add_words(name, item.title, found);
    } else if (const Value* value = item.attributes.find(name); value != nullptr) {
      add_value(name, *value, found);
    }
  }
  return found;
}

// Row j: sum over the mix of j of a_kj (e_k + row k of `weights`), the best `most` of it.
Result<SparseRows> mixed_rows(const Run& run, const SparseRows& mix_of, const SparseRows& weights,
                              int most) {
  const auto items = static_cast<std::uint32_t>(mix_of.rows());
  return build_item_rows(
      run, "new items", items, most, [&](std::uint32_t item, RowWorkspace& workspace) {
        std::vector<Candidate>& row = workspace.row;
        const auto mix = mix_of.row(item);
        for (std::size_t m = 0; m < mix.size(); ++m) {
          const float share = mix_of.row_weights(item)[m];
          row.push_back({ItemIndex{mix[m]}, share});
          const auto columns = weights.row(mix[m]);
          const auto values = weights.row_weights(mix[m]);
          for (std::size_t c = 0; c < columns.size(); ++c) {
            row.push_back({ItemIndex{columns[c]}, share * values[c]});
          }
        }
        std::stable_sort(row.begin(), row.end(),
                         [](const Candidate& a, const Candidate& b) { return a.item < b.item; });
        std::size_t kept = 0;
        for (const Candidate& c : row) {
          if (raw(c.item) == item) continue;
          if (kept > 0 && row[kept - 1].item == c.item) {
            row[kept - 1].score += c.score;
          } else {
            row[kept++] = c;
          }
        }
        row.resize(kept);
      });
}

// Two matrices with no entry in common.
SparseRows united(const SparseRows& a, const SparseRows& b) {
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> columns;
  std::vector<float> weights;
  std::vector<std::pair<std::uint32_t, float>> row;
  for (std::size_t r = 0; r < a.rows(); ++r) {
    row.clear();
    for (const SparseRows* m : {&a, &b}) {
      const auto found = m->row(r);
      for (std::size_t c = 0; c < found.size(); ++c) {
        row.emplace_back(found[c], m->row_weights(r)[c]);
      }
    }
    std::sort(row.begin(), row.end());
    for (const auto& [column, weight] : row) {
      columns.push_back(column);
      weights.push_back(weight);
    }
    offsets.push_back(columns.size());
  }
  return {std::move(offsets), std::move(columns), std::move(weights)};
}

}  // namespace

Interactions attribute_cells(const Catalogue& catalogue, std::uint32_t items,
                             std::span<const std::string> names) {
  std::map<Attribute, std::vector<std::uint32_t>> holders;
  for (std::uint32_t i = 0; i < items; ++i) {
    for (const Attribute& a : attributes_of(catalogue, ItemIndex{i}, names)) {
      holders[a].push_back(i);
    }
  }
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> columns;
  for (const auto& [attribute, list] : holders) {
    if (list.size() < 2 || list.size() > kAttributeItemsMax) continue;
    columns.insert(columns.end(), list.begin(), list.end());
    offsets.push_back(columns.size());
  }
  std::vector<float> ones(columns.size(), 1.0f);
  Interactions cells;
  cells.by_row = {std::move(offsets), std::move(columns), std::move(ones)};
  cells.by_item = transposed(cells.by_row, items);
  cells.items = items;
  return cells;
}

Result<SparseRows> attribute_mixes(const Run& run, const Interactions& interactions,
                                   const Interactions& attributes, const Catalogue& catalogue,
                                   double lambda, int candidates, int memory_limit_mb) {
  Bitmap taken(interactions.items), fresh(interactions.items);
  double described = 0;
  for (std::uint32_t i = 0; i < interactions.items; ++i) {
    const bool is_taken = !interactions.by_item.row(i).empty();
    taken.set(i, is_taken);
    fresh.set(i, !is_taken && catalogue.available(ItemIndex{i}));
    described += attributes.by_item.row(i).empty() ? 0 : 1;
  }
  RegressionOptions options;
  options.candidates = candidates;
  options.lambda = described == 0
                       ? lambda
                       : lambda * static_cast<double>(attributes.by_row.columns.size()) / described;
  options.targets = &fresh;
  options.sources = &taken;
  VT_TRY(check_regression_memory("ease: attributes", attributes, candidates, run.pool.threads(),
                                 memory_limit_mb, 0, &fresh));
  return solve_item_regressions(run, "attributes", attributes, options, solve_by_cholesky);
}

Result<SparseRows> grown_rows(const Run& run, const SparseRows& weights, const SparseRows& mixes,
                              int most) {
  const auto items = static_cast<std::uint32_t>(weights.rows());
  const SparseRows mix_of = transposed(mixes, items);
  VT_TRY(const SparseRows into, mixed_rows(run, mix_of, transposed(weights, items), most));
  const SparseRows wide = united(weights, transposed(into, items));
  VT_TRY(const SparseRows out_of, mixed_rows(run, mix_of, wide, most));
  return united(wide, out_of);
}

}  // namespace vitrine

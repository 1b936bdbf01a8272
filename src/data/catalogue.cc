#include "data/catalogue.h"

#include <algorithm>

namespace vitrine {

void Catalogue::resize(std::size_t items) {
  if (items > rows_.size()) rows_.resize(items);
}

void Catalogue::put(ItemIndex index, const Item& item) {
  resize(std::size_t{raw(index)} + 1);
  Row& row = rows_[raw(index)];
  row.item = item;
  std::sort(row.item.vectors.begin(), row.item.vectors.end());
  row.category = add_category(item.category);
  row.known = true;
  row.available = item.available;
}

void Catalogue::erase(ItemIndex index) {
  if (raw(index) >= rows_.size()) return;
  rows_[raw(index)] = Row();
  rows_[raw(index)].available = rows_[raw(index)].item.available = false;
}

void Catalogue::set_available(ItemIndex index, bool available) {
  resize(std::size_t{raw(index)} + 1);
  rows_[raw(index)].available = rows_[raw(index)].item.available = available;
}

const Item& Catalogue::item(ItemIndex i) const {
  static const Item kEmpty;
  return raw(i) < rows_.size() ? rows_[raw(i)].item : kEmpty;
}

CategoryIndex Catalogue::category(ItemIndex i) const {
  return raw(i) < rows_.size() ? rows_[raw(i)].category : kNoCategory;
}

CategoryIndex Catalogue::find_category(std::span<const std::string> path) const {
  CategoryIndex node = kNoCategory;
  for (const std::string& name : path) {
    const auto child = children_.find({node, name});
    if (child == children_.end()) return kNoCategory;
    node = child->second;
  }
  return node;
}

CategoryIndex Catalogue::add_category(std::span<const std::string> path) {
  CategoryIndex node = kNoCategory;
  for (std::size_t level = 0; level < path.size(); ++level) {
    const auto next = static_cast<CategoryIndex>(category_paths_.size());
    const auto [child, is_new] = children_.try_emplace({node, path[level]}, next);
    if (is_new) {
      category_paths_.emplace_back(path.begin(),
                                   path.begin() + static_cast<std::ptrdiff_t>(level) + 1);
      parents_.push_back(node);
    }
    node = child->second;
  }
  return node;
}

}  // namespace vitrine

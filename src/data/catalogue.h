// The items of a shop in columns, by ItemIndex. A value: built, then shared as const. An item that
// only events mention has an empty row and is available.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/archive.h"
#include "data/item.h"
#include "data/vocabulary.h"

namespace vitrine {

using CategoryIndex = std::uint32_t;  // a node of the category tree
inline constexpr CategoryIndex kNoCategory = ~0u;

class Catalogue {
 public:
  Catalogue() = default;

  // Sets the row of an item, growing as needed.
  void put(ItemIndex index, const Item& item);
  void erase(ItemIndex index);  // the row becomes empty and unavailable
  void set_available(ItemIndex index, bool available);
  void resize(std::size_t items);  // at least so many rows

  std::size_t size() const { return rows_.size(); }
  bool known(ItemIndex i) const { return raw(i) < rows_.size() && rows_[raw(i)].known; }
  bool available(ItemIndex i) const { return raw(i) >= rows_.size() || rows_[raw(i)].available; }
  // The item as it was put, its vectors in the order of their names; an empty Item for an unknown
  // index.
  const Item& item(ItemIndex i) const;
  std::string_view title(ItemIndex i) const { return item(i).title; }

  // The category tree: each distinct path prefix is a node; an item sits on its deepest one. Nodes
  // are numbered in the order of their first appearance, a parent before its children, and never
  // vanish.
  CategoryIndex category(ItemIndex i) const;
  std::size_t categories() const { return category_paths_.size(); }
  const std::vector<std::string>& category_path(CategoryIndex c) const {
    return category_paths_[c];
  }
  CategoryIndex parent(CategoryIndex c) const { return parents_[c]; }
  CategoryIndex find_category(std::span<const std::string> path) const;  // kNoCategory if absent

  // In the scope "catalogue" of the archive: "items" (JSON, without vectors), "flags" (bit 0 known,
  // bit 1 available), "categories" (JSON lists), and per name of "vectors/names" the tensors
  // "vectors/<k>/items",
  // ".../offsets" and ".../values".
  void save(ArchiveWriter& writer) const;
  static Result<Catalogue> load(const ArchiveReader& reader);

 private:
  struct Row {
    Item item;
    CategoryIndex category = kNoCategory;
    bool known = false;
    bool available = true;
  };
  CategoryIndex add_category(std::span<const std::string> path);
  std::vector<Row> rows_;
  std::vector<std::vector<std::string>> category_paths_;
  std::vector<CategoryIndex> parents_;
  std::map<std::pair<CategoryIndex, std::string>, CategoryIndex> children_;  // (parent, name)
};

}  // namespace vitrine

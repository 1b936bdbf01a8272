// Outside string ids <-> dense indexes, append-only: the index of an id is its place in the order
// of first appearance and never changes. Erased ids leave holes: their index stays taken and finds
// nothing.
//
// Thread safety: find() and id() may run beside one add(); the engine serialises add() and erase().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "data/ids.h"

namespace vitrine {

class StringIndex {
 public:
  StringIndex();
  ~StringIndex();
  StringIndex(StringIndex&&) noexcept;
  StringIndex& operator=(StringIndex&&) noexcept;

  std::uint32_t add(std::string_view id);  // the index, old or new
  std::uint32_t add_hole();                // a new index that no id has
  std::optional<std::uint32_t> find(std::string_view id) const;
  std::string_view id(std::uint32_t index) const;  // empty for a hole; stays valid for ever
  bool erase(std::string_view id);
  std::uint32_t size() const;  // holes included
  std::size_t memory_bytes() const;
  // What so many ids with so many bytes in all will take.
  static std::size_t memory_bytes_for(std::uint32_t ids, std::size_t text_bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct Vocabulary {
  StringIndex users;
  StringIndex items;

  UserIndex add_user(std::string_view id) { return UserIndex{users.add(id)}; }
  ItemIndex add_item(std::string_view id) { return ItemIndex{items.add(id)}; }
  std::optional<UserIndex> user(std::string_view id) const {
    const auto i = users.find(id);
    return i ? std::optional(UserIndex{*i}) : std::nullopt;
  }
  std::optional<ItemIndex> item(std::string_view id) const {
    const auto i = items.find(id);
    return i ? std::optional(ItemIndex{*i}) : std::nullopt;
  }
  std::string_view id(UserIndex i) const { return users.id(raw(i)); }
  std::string_view id(ItemIndex i) const { return items.id(raw(i)); }
};

}  // namespace vitrine

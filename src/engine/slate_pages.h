// Lists that were frozen to be paged through: a page shows what came behind the one before it,
// never an item twice, although the person, the models or the stock have changed meanwhile. The
// latest kFrozenSlatesMax are kept. Thread-safe.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "rank/slate.h"

namespace vitrine {

struct FrozenSlate {
  std::string user, session, placement, item;  // as asked
  std::string snapshot;                        // that answered, or empty
  std::vector<SlateItem> items;                // without reasons
};

class SlatePages {
 public:
  void put(std::string id, FrozenSlate slate);  // the id of the list; not there yet
  std::shared_ptr<const FrozenSlate> find(std::string_view id) const;  // null when unknown
  void forget(std::string_view user);                                  // all lists of theirs

 private:
  mutable std::mutex mutex_;
  std::deque<std::string> order_;  // oldest first
  std::unordered_map<std::string, std::shared_ptr<const FrozenSlate>> slates_;
};

// "id.offset": the page of list `id` that begins with its item `offset`.
struct PageToken {
  std::string id;
  std::size_t offset = 0;
  std::string text() const;
  static std::optional<PageToken> parse(std::string_view text);
};

}  // namespace vitrine

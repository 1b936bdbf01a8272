// Items that came after the snapshot, which no model can list: told apart by their attributes, and
// matched with what a visitor took. An item counts from the moment it is described.
//
// An item's words are the levels of its category, its brand and its tags; a visitor's profile adds
// up the words of their latest items, each item its weight, later ones more. A new item scores
//   1 + sum over its words w of idf(w) profile(w) / sqrt(words of the item),
// so that everyone may come to see everything. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "data/query.h"
#include "engine/live_catalogue.h"

namespace vitrine {

struct NewItemStats {
  std::uint64_t items = 0;         // described, unknown to the snapshot
  std::uint64_t shown = 0;         // since the start: items that were in a list
  double seconds_to_exposure = 0;  // mean, from when the item was seen here to its first list
};

class NewItems {
 public:
  // Best first, at most kNewItemsListed of those that the mask allows. `known`: how many items the
  // snapshot knows.
  std::vector<Candidate> candidates(const CatalogueVersion& catalogue, std::uint32_t known,
                                    std::span<const HistoryEvent> history, const ItemMask& mask,
                                    Timestamp now);
  // These were in a list.
  void shown(std::span<const ItemIndex> items, Timestamp now);
  NewItemStats stats() const;

 private:
  using Words = std::vector<std::uint64_t>;  // hashes
  struct Fresh {
    ItemIndex item;
    std::shared_ptr<const Item> described;
    Words words;
  };
  using Index = std::vector<Fresh>;
  struct Exposure {
    Timestamp since;
    bool shown = false;
  };

  std::shared_ptr<const Index> index(const CatalogueVersion& catalogue, std::uint32_t known,
                                     Timestamp now);

  mutable std::mutex mutex_;
  std::shared_ptr<const Index> index_ = std::make_shared<const Index>();
  std::uint64_t version_ = 0;
  std::uint32_t known_ = 0;
  bool made_ = false;
  std::unordered_map<std::uint32_t, Exposure> exposures_;  // of the items of the index
  std::uint64_t shown_ = 0;
  double seconds_ = 0;
};

}  // namespace vitrine

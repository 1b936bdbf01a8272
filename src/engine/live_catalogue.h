// The catalogue as it is now. A version is immutable: a request pins one and sees items,
// availability and categories of one moment. Versions share all rows that did not change between
// them, in blocks, so publishing a change costs a few kilobytes however many items there are.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "data/item.h"
#include "index/mask.h"

namespace vitrine {

inline constexpr std::size_t kCatalogueBlock = 256;  // rows

// An item that only events mention has an empty row and is available.
class CatalogueVersion {
 public:
  std::size_t size() const { return available_.size(); }
  const Item* item(ItemIndex i) const;  // null when it was never described, or erased
  std::shared_ptr<const Item> row(ItemIndex i) const;  // the same, to keep
  std::string_view title(ItemIndex i) const;
  const Bitmap& available() const { return available_; }
  std::size_t incomplete() const { return incomplete_; }  // items that only events mention
  // The available items on or below any of these category paths.
  Bitmap below(std::span<const std::vector<std::string>> paths) const;
  std::uint64_t version() const { return version_; }

 private:
  friend class LiveCatalogue;
  using Block = std::array<std::shared_ptr<const Item>, kCatalogueBlock>;
  std::vector<std::shared_ptr<const Block>> blocks_;
  Bitmap available_;
  std::size_t incomplete_ = 0;
  std::uint64_t version_ = 0;
};

// Thread safety: current() from any thread; one thread at a time changes and publishes.
class LiveCatalogue {
 public:
  LiveCatalogue();
  std::shared_ptr<const CatalogueVersion> current() const;

  void put(ItemIndex index, Item item);
  void erase(ItemIndex index);     // the row becomes empty and unavailable
  void hide(ItemIndex index);      // unavailable, whatever was put; until it is put again
  void resize(std::size_t items);  // at least so many rows, available
  void publish();                  // what was changed becomes current; nothing when nothing was

 private:
  using Block = CatalogueVersion::Block;
  std::shared_ptr<const Item>& slot(ItemIndex index);
  void complete(ItemIndex index);  // no longer one that only events mention
  void set_available(ItemIndex index, bool available);

  mutable std::mutex mutex_;  // of current_
  std::shared_ptr<const CatalogueVersion> current_;
  // The next version. Blocks that no published version holds may be written in place.
  std::vector<std::shared_ptr<Block>> blocks_;
  std::vector<bool> owned_;
  std::vector<std::uint64_t> available_;  // bits
  std::size_t size_ = 0, incomplete_ = 0;
  std::uint64_t version_ = 0;
  bool changed_ = false;
};

}  // namespace vitrine

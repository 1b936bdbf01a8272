// Which items a model knows: those that somebody took in training. By item.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/archive.h"
#include "data/histories.h"
#include "data/ids.h"

namespace vitrine {

class KnownItems {
 public:
  KnownItems() = default;
  KnownItems(std::span<const std::uint32_t> seen, std::uint32_t items);
  static KnownItems of(const Interactions& interactions);

  bool has(ItemIndex item) const { return raw(item) < flags_.size() && flags_[raw(item)] != 0; }
  std::span<const std::uint32_t> seen() const { return seen_; }  // ascending
  std::uint32_t items() const { return items_; }

  // The tensor "seen"; kCorrupt unless it ascends below `items`.
  void save(ArchiveWriter& writer) const { writer.tensor("seen", seen_); }
  static Result<KnownItems> load(const ArchiveReader& reader, std::uint32_t items);

 private:
  std::vector<std::uint32_t> seen_;
  // Up to the last known item: `items` of an archive may be any number.
  std::vector<std::uint8_t> flags_;
  std::uint32_t items_ = 0;
};

}  // namespace vitrine

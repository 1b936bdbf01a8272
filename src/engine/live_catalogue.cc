#include "engine/live_catalogue.h"

#include <algorithm>

namespace vitrine {
namespace {

bool starts_with(const std::vector<std::string>& path, const std::vector<std::string>& prefix) {
  return path.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), path.begin());
}

}  // namespace

const Item* CatalogueVersion::item(ItemIndex i) const {
  const std::size_t block = raw(i) / kCatalogueBlock;
  return block < blocks_.size() ? (*blocks_[block])[raw(i) % kCatalogueBlock].get() : nullptr;
}

std::shared_ptr<const Item> CatalogueVersion::row(ItemIndex i) const {
  const std::size_t block = raw(i) / kCatalogueBlock;
  return block < blocks_.size() ? (*blocks_[block])[raw(i) % kCatalogueBlock] : nullptr;
}

std::string_view CatalogueVersion::title(ItemIndex i) const {
  const Item* found = item(i);
  return found == nullptr ? std::string_view() : std::string_view(found->title);
}

Bitmap CatalogueVersion::below(std::span<const std::vector<std::string>> paths) const {
  Bitmap set(size());
  for (std::uint32_t i = 0; i < size(); ++i) {
    const Item* found = item(ItemIndex{i});
    if (found == nullptr || !available_.test(i)) continue;
    for (const auto& path : paths) {
      if (starts_with(found->category, path)) set.set(i);
    }
  }
  return set;
}

LiveCatalogue::LiveCatalogue() : current_(std::make_shared<CatalogueVersion>()) {}

std::shared_ptr<const CatalogueVersion> LiveCatalogue::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

std::shared_ptr<const Item>& LiveCatalogue::slot(ItemIndex index) {
  resize(raw(index) + std::size_t{1});
  const std::size_t b = raw(index) / kCatalogueBlock;
  if (!owned_[b]) {
    blocks_[b] = std::make_shared<Block>(*blocks_[b]);
    owned_[b] = true;
  }
  changed_ = true;
  return (*blocks_[b])[raw(index) % kCatalogueBlock];
}

void LiveCatalogue::complete(ItemIndex index) {
  resize(raw(index) + std::size_t{1});
  const bool described =
      (*blocks_[raw(index) / kCatalogueBlock])[raw(index) % kCatalogueBlock] != nullptr;
  const bool available = (available_[raw(index) / 64] >> (raw(index) % 64) & 1) != 0;
  if (!described && available) --incomplete_;
}

void LiveCatalogue::put(ItemIndex index, Item item) {
  complete(index);
  const bool available = item.available;
  slot(index) = std::make_shared<const Item>(std::move(item));
  set_available(index, available);
}

void LiveCatalogue::erase(ItemIndex index) {
  complete(index);
  slot(index).reset();
  set_available(index, false);
}

void LiveCatalogue::hide(ItemIndex index) {
  complete(index);
  set_available(index, false);
  changed_ = true;
}

void LiveCatalogue::set_available(ItemIndex index, bool available) {
  const std::uint64_t bit = std::uint64_t{1} << (raw(index) % 64);
  std::uint64_t& word = available_[raw(index) / 64];
  word = available ? word | bit : word & ~bit;
}

void LiveCatalogue::resize(std::size_t items) {
  if (items <= size_) return;
  incomplete_ += items - size_;
  available_.resize((items + 63) / 64);
  for (; size_ < items; ++size_) set_available(ItemIndex{static_cast<std::uint32_t>(size_)}, true);
  const std::size_t blocks = (items + kCatalogueBlock - 1) / kCatalogueBlock;
  while (blocks_.size() < blocks) {
    blocks_.push_back(std::make_shared<Block>());
    owned_.push_back(true);
  }
  changed_ = true;
}

void LiveCatalogue::publish() {
  if (!changed_) return;
  auto next = std::make_shared<CatalogueVersion>();
  next->blocks_.assign(blocks_.begin(), blocks_.end());
  next->available_ = Bitmap(available_, size_);
  next->incomplete_ = incomplete_;
  next->version_ = ++version_;
  owned_.assign(owned_.size(), false);
  changed_ = false;
  std::lock_guard lock(mutex_);
  current_ = std::move(next);
}

}  // namespace vitrine

#include "engine/new_items.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/limits.h"

namespace vitrine {
namespace {

std::uint64_t word(std::string_view kind, std::string_view text) {
  return XXH3_64bits_withSeed(text.data(), text.size(), XXH3_64bits(kind.data(), kind.size()));
}

std::vector<std::uint64_t> words_of(const Item& item) {
  std::vector<std::uint64_t> words;
  std::string path;
  for (const std::string& level : item.category) {
    path += level + '>';
    words.push_back(word("category", path));
  }
  if (!item.brand.empty()) words.push_back(word("brand", item.brand));
  for (const std::string& tag : item.tags) words.push_back(word("tag", tag));
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

using Liked = std::unordered_map<std::uint64_t, float>;

Liked profile_of(const CatalogueVersion& catalogue, std::span<const HistoryEvent> history) {
  Liked profile;
  const auto latest = history.last(std::min(history.size(), kNewItemsHistory));
  for (std::size_t e = 0; e < latest.size(); ++e) {
    const Item* item = catalogue.item(latest[e].item);
    if (item == nullptr || !(latest[e].weight > 0)) continue;
    const float weight = static_cast<float>(e + 1) / static_cast<float>(latest.size());
    for (const std::uint64_t w : words_of(*item)) profile[w] += weight;
  }
  return profile;
}

}  // namespace

// What did not change is taken over; only the newest kNewItemsMax are kept.
std::shared_ptr<const NewItems::Index> NewItems::index(const CatalogueVersion& catalogue,
                                                       std::uint32_t known, Timestamp now) {
  const std::lock_guard lock(mutex_);
  if (made_ && known == known_ && catalogue.version() <= version_) return index_;
  const std::size_t size = catalogue.size();
  const std::size_t first =
      std::max<std::size_t>(known, size > kNewItemsMax ? size - kNewItemsMax : 0);
  auto made = std::make_shared<Index>();
  std::unordered_map<std::uint32_t, Exposure> exposures;
  auto old = index_->begin();
  for (std::size_t i = first; i < size; ++i) {
    const ItemIndex item{static_cast<std::uint32_t>(i)};
    auto described = catalogue.row(item);
    if (described == nullptr) continue;
    old = std::find_if(old, index_->end(), [&](const Fresh& f) { return f.item >= item; });
    const bool same = old != index_->end() && old->item == item && old->described == described;
    Words words = same ? old->words : words_of(*described);
    made->push_back({item, std::move(described), std::move(words)});
    const auto before = exposures_.find(raw(item));
    exposures[raw(item)] = before != exposures_.end() ? before->second : Exposure{now};
  }
  exposures_ = std::move(exposures);
  index_ = std::move(made);
  version_ = catalogue.version();
  known_ = known;
  made_ = true;
  return index_;
}

std::vector<Candidate> NewItems::candidates(const CatalogueVersion& catalogue, std::uint32_t known,
                                            std::span<const HistoryEvent> history,
                                            const ItemMask& mask, Timestamp now) {
  if (catalogue.size() <= known) return {};
  const auto fresh = index(catalogue, known, now);
  std::vector<Candidate> found;
  if (fresh->empty()) return found;
  const Liked profile = profile_of(catalogue, history);
  std::unordered_map<std::uint64_t, std::uint32_t> counts;
  if (!profile.empty()) {
    for (const Fresh& f : *fresh)
      for (const std::uint64_t w : f.words)
        if (profile.contains(w)) ++counts[w];
  }
  const auto items = static_cast<double>(fresh->size());
  for (const Fresh& f : *fresh) {
    if (!mask.allows(f.item)) continue;
    double sum = 0;
    for (const std::uint64_t w : f.words) {
      const auto liked = profile.find(w);
      if (liked != profile.end()) sum += liked->second * std::log2(1 + items / counts[w]);
    }
    const double length = std::sqrt(static_cast<double>(std::max<std::size_t>(1, f.words.size())));
    found.push_back({f.item, static_cast<float>(1 + sum / length)});
  }
  const auto end =
      found.begin() + static_cast<std::ptrdiff_t>(std::min(kNewItemsListed, found.size()));
  std::partial_sort(found.begin(), end, found.end(), better);
  found.erase(end, found.end());
  return found;
}

void NewItems::shown(std::span<const ItemIndex> items, Timestamp now) {
  const std::lock_guard lock(mutex_);
  for (const ItemIndex item : items) {
    const auto known = exposures_.find(raw(item));
    if (known == exposures_.end() || known->second.shown) continue;
    known->second.shown = true;
    ++shown_;
    seconds_ += static_cast<double>(now - known->second.since) / 1000;
  }
}

NewItemStats NewItems::stats() const {
  const std::lock_guard lock(mutex_);
  return {index_->size(), shown_, shown_ == 0 ? 0 : seconds_ / static_cast<double>(shown_)};
}

}  // namespace vitrine

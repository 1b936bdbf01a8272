#include "engine/category_masks.h"

#include <algorithm>

#include "engine/limits.h"

namespace vitrine {

std::vector<std::string> parse_category(std::string_view text) {
  std::vector<std::string> path;
  while (true) {
    const std::size_t end = text.find('>');
    std::string_view level = text.substr(0, end);
    while (!level.empty() && level.front() == ' ') level.remove_prefix(1);
    while (!level.empty() && level.back() == ' ') level.remove_suffix(1);
    path.emplace_back(level);
    if (end == std::string_view::npos) return path;
    text.remove_prefix(end + 1);
  }
}

std::shared_ptr<const Bitmap> CategoryMasks::find(const CatalogueVersion& catalogue,
                                                  std::span<const std::string> categories) {
  std::string key;
  for (const std::string& category : categories)
    key += std::to_string(category.size()) + ' ' + category;
  {
    std::lock_guard lock(mutex_);
    if (version_ == catalogue.version()) {
      const auto known = std::find_if(entries_.begin(), entries_.end(),
                                      [&](const Entry& entry) { return entry.key == key; });
      if (known != entries_.end()) {
        std::rotate(known, known + 1, entries_.end());
        return entries_.back().mask;
      }
    }
  }
  std::vector<std::vector<std::string>> paths;
  for (const std::string& category : categories) paths.push_back(parse_category(category));
  auto mask = std::make_shared<const Bitmap>(catalogue.below(paths));
  std::lock_guard lock(mutex_);
  // A request that pinned an older catalogue leaves what is remembered of the newer one alone.
  if (version_ > catalogue.version()) return mask;
  if (version_ < catalogue.version()) entries_.clear();
  version_ = catalogue.version();
  if (entries_.size() >= kCategoryMasksMax) entries_.erase(entries_.begin());
  entries_.push_back({std::move(key), mask});
  return mask;
}

}  // namespace vitrine

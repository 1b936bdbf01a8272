// Category filters as item sets, remembered as long as the catalogue does not change. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/live_catalogue.h"

namespace vitrine {

// "Home>Kitchen" as a path. White space around the levels is dropped.
std::vector<std::string> parse_category(std::string_view text);

class CategoryMasks {
 public:
  // The available items on or below any of `categories`. At least one category.
  std::shared_ptr<const Bitmap> find(const CatalogueVersion& catalogue,
                                     std::span<const std::string> categories);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const Bitmap> mask;
  };
  std::mutex mutex_;
  std::uint64_t version_ = 0;
  std::vector<Entry> entries_;  // latest last
};

}  // namespace vitrine

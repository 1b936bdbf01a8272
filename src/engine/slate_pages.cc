#include "engine/slate_pages.h"

#include <charconv>

#include "engine/limits.h"

namespace vitrine {

void SlatePages::put(std::string id, FrozenSlate slate) {
  auto frozen = std::make_shared<const FrozenSlate>(std::move(slate));
  const std::lock_guard lock(mutex_);
  if (!slates_.emplace(id, std::move(frozen)).second) return;
  order_.push_back(std::move(id));
  while (order_.size() > kFrozenSlatesMax) {
    slates_.erase(order_.front());
    order_.pop_front();
  }
}

std::shared_ptr<const FrozenSlate> SlatePages::find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = slates_.find(std::string(id));
  return found == slates_.end() ? nullptr : found->second;
}

void SlatePages::forget(std::string_view user) {
  const std::lock_guard lock(mutex_);
  std::erase_if(slates_, [&](const auto& slate) { return slate.second->user == user; });
  std::erase_if(order_, [&](const std::string& id) { return !slates_.contains(id); });
}

std::string PageToken::text() const { return id + "." + std::to_string(offset); }

std::optional<PageToken> PageToken::parse(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == 0 || dot == std::string_view::npos || text.size() > kIdBytesMax) return std::nullopt;
  PageToken token{std::string(text.substr(0, dot)), 0};
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + dot + 1, end, token.offset);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return token;
}

}  // namespace vitrine

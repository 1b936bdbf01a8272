#include <map>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "store/open.h"

namespace vitrine {
namespace {

class MemoryStateStore final : public StateStore {
 public:
  Result<std::optional<std::string>> get(std::string_view key) const override {
    const std::shared_lock lock(mutex_);
    const auto found = values_.find(key);
    if (found == values_.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }
  Status put(std::string_view key, std::string_view value) override {
    const std::unique_lock lock(mutex_);
    values_.insert_or_assign(std::string(key), std::string(value));
    return {};
  }
  Status erase(std::string_view key) override {
    const std::unique_lock lock(mutex_);
    if (const auto found = values_.find(key); found != values_.end()) values_.erase(found);
    return {};
  }
  Status erase_prefix(std::string_view prefix) override {
    const std::unique_lock lock(mutex_);
    auto end = values_.lower_bound(prefix);
    while (end != values_.end() && end->first.starts_with(prefix)) ++end;
    values_.erase(values_.lower_bound(prefix), end);
    return {};
  }
  Status scan(std::string_view prefix,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    std::vector<std::pair<std::string, std::string>> found;
    {
      const std::shared_lock lock(mutex_);
      for (auto at = values_.lower_bound(prefix);
           at != values_.end() && at->first.starts_with(prefix); ++at)
        found.push_back(*at);
    }
    for (const auto& entry : found)
      if (!visit(entry.first, entry.second)) break;
    return {};
  }

 private:
  mutable std::shared_mutex mutex_;
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace

Result<std::unique_ptr<StateStore>> open_memory_store(std::string_view) {
  return std::unique_ptr<StateStore>(std::make_unique<MemoryStateStore>());
}

}  // namespace vitrine

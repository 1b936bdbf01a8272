// Derived state by key: evicted histories, checkpoints. Never the truth: rebuilt from the event log
// when lost, and not synced. Keys and values are bytes; keys are ordered bytewise. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace vitrine {

class StateStore {
 public:
  virtual ~StateStore() = default;
  virtual Result<std::optional<std::string>> get(std::string_view key) const = 0;
  virtual Status put(std::string_view key, std::string_view value) = 0;
  virtual Status erase(std::string_view key) = 0;  // absent is fine
  virtual Status erase_prefix(
      std::string_view prefix) = 0;  // all keys that start with it; "" = all
  // Keys that start with `prefix`, in order, until `visit` returns false. What is written meanwhile
  // is not seen; `visit` may write.
  virtual Status scan(
      std::string_view prefix,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) const = 0;
};

// By URL scheme: "rocksdb:<folder>", "memory:". store/open.cc lists them.
Result<std::unique_ptr<StateStore>> open_state_store(const std::string& url);

}  // namespace vitrine

// How often each item was wanted: sums of weights per item over all time and for each of the latest
// kPopularDays days. Bounded by the items seen on those days. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "data/query.h"

namespace vitrine {

class LiveCounts {
 public:
  // Adds to the day of `time`; kNoTime counts for all time only. Days too old are not kept.
  void add(ItemIndex item, Timestamp time, float weight);
  // As LiveState::popular().
  std::vector<Candidate> popular(int days, std::size_t n,
                                 const std::function<bool(ItemIndex)>& allowed) const;
  std::uint64_t memory_bytes() const;

 private:
  mutable std::shared_mutex mutex_;
  // Sums in millionths: exact, so that what is taken back leaves nothing behind.
  std::vector<std::int64_t> all_time_;  // by item
  std::map<std::int64_t, std::unordered_map<std::uint32_t, std::int64_t>>
      days_;  // day -> item -> sum
};

}  // namespace vitrine

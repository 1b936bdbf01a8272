// How often each item was wanted: sums of weights per item over all time and for each of the latest
// kPopularDays days. Bounded by the items seen on those days. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <shared_mutex>
#include <vector>

#include "data/query.h"

namespace vitrine {

class LiveCounts {
 public:
  // Adds to the day of `time`; kNoTime counts for all time only. Days too old are not kept.
  void add(ItemIndex item, Timestamp time, float weight);
  // As LiveState::popular(). The first call for a number of days adds the days up; from then on
  // that sum is kept current, for the few numbers asked for latest.
  std::vector<Candidate> popular(int days, std::size_t n,
                                 const std::function<bool(ItemIndex)>& allowed) const;
  std::uint64_t memory_bytes() const;

 private:
  // In millionths: exact, so that what is taken back leaves nothing behind.
  using Sums = std::vector<std::int64_t>;  // by item
  // One day: item -> sum, open addressing with linear probing; contiguous, because it is added up.
  class Day {
   public:
    void add(std::uint32_t item, std::int64_t units);
    void add_to(Sums& sums) const;
    std::uint64_t memory_bytes() const { return slots_.capacity() * sizeof(Slot); }

   private:
    struct Slot {
      std::int64_t units = 0;
      std::uint32_t item = 0;
      bool taken = false;
    };
    Slot& find(std::uint32_t item);
    std::vector<Slot> slots_;
    std::size_t used_ = 0;
  };
  struct Window {
    int days = 0;  // 0: free
    bool current = false;
    std::uint64_t asked = 0;  // when it was asked for last, in calls
    Sums sums;
  };

  const Window* window(int days) const;
  const Window& make_window(int days) const;

  mutable std::shared_mutex mutex_;
  Sums all_time_;
  std::map<std::int64_t, Day> days_;
  mutable std::array<Window, 4> windows_;
  mutable std::uint64_t calls_ = 0;
};

}  // namespace vitrine

// How often each item was wanted: sums of weights per item over all time, for each of the latest
// days and hours, and the same by region. Thread-safe.
//
// Bounded: an hour or a day holds the items seen in it, a region's at most kRegionItemsMax of them,
// the first; regions beyond kRegionsMax are not told apart.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/archive.h"
#include "data/query.h"

namespace vitrine {

// What is added up: the latest `hours`, else the latest `days`, else everything; up to the newest
// hour or day that an event has. With a region, of that region alone, which has no more than
// kRegionDays.
struct CountWindow {
  int days = 0, hours = 0;
  std::string_view region = {};
};

// item -> sum, open addressing with linear probing: 12 bytes a slot, growing by half.
class Tally {
 public:
  // What so many items take when they come one by one; each slot is 12 bytes.
  static std::size_t slots_for(std::size_t items);
  void reserve(std::size_t items);  // of an empty one
  void add(std::uint32_t item, std::int64_t units);
  bool has(std::uint32_t item) const { return !items_.empty() && items_[slot(item)] != 0; }
  std::size_t size() const { return used_; }
  std::uint64_t memory_bytes() const;
  template <class Visit>
  void each(const Visit& visit) const {
    for (std::size_t i = 0; i < items_.size(); ++i)
      if (items_[i] != 0) visit(items_[i] - 1, units_[i]);
  }

 private:
  std::size_t slot(std::uint32_t item) const;
  void grow();
  std::vector<std::uint32_t> items_;  // item + 1; 0: free
  std::vector<std::int64_t> units_;
  std::size_t used_ = 0;
};

class LiveCounts {
 public:
  // Adds to the hour and the day of `time`; kNoTime counts for all time only. What is too old is
  // not kept.
  void add(ItemIndex item, Timestamp time, float weight, std::string_view region = {});

  // As LiveState::popular() and trending(). The first call for a window adds it up; from then on
  // that sum is kept current, for the few windows asked for latest.
  std::vector<Candidate> popular(const CountWindow& window, std::size_t n,
                                 const std::function<bool(ItemIndex)>& allowed) const;
  std::vector<Candidate> trending(int hours, std::string_view region, std::size_t n,
                                  const std::function<bool(ItemIndex)>& allowed) const;
  std::uint64_t memory_bytes() const;

  // The counts as they are now, whatever is added later. Costs a pointer for each hour, day and
  // 4,096 items; what is added to next is copied first, once. One thread at a time pins or adds.
  class Pinned;
  std::shared_ptr<const Pinned> pin();
  static void save(const Pinned& pinned, ArchiveWriter& writer);
  Status load(ArchiveReader& reader, std::uint32_t items);  // into empty ones

 private:
  // In millionths: exact, so that what is taken back leaves nothing behind.
  using Sums = std::vector<std::int64_t>;  // by item
  static constexpr std::size_t kBlock = 4096;
  struct Block {
    std::uint64_t generation;
    std::array<std::int64_t, kBlock> units;
  };
  struct Bucket {
    std::uint64_t generation = 0;
    std::shared_ptr<Tally> tally;
  };
  using Buckets = std::map<std::int64_t, Bucket>;  // by hour or day since 1970
  struct Scope {
    Buckets days, hours;
  };
  using Regions = std::map<std::string, Scope, std::less<>>;
  struct Cached {
    int days = 0, hours = 0;  // both 0: free
    bool current = false;
    std::uint64_t asked = 0;  // when it was asked for last, in calls
    Sums sums;
  };

  bool add_to(Buckets& buckets, std::int64_t number, std::int64_t newest, int kept,
              std::uint32_t item, std::int64_t units, std::size_t items_max);
  void add_all_time(std::uint32_t item, std::int64_t units);
  void forget_regions();
  void add_region(std::string_view region, Timestamp time, std::uint32_t item, std::int64_t units);
  Sums all_time() const;
  bool cached(const CountWindow& window, Sums& sums) const;
  Sums add_up(const CountWindow& window) const;
  Sums sums(const CountWindow& window) const;

  mutable std::shared_mutex mutex_;
  std::uint64_t generation_ = 0;  // rises with each pin(): what is older is shared with one
  std::vector<std::shared_ptr<Block>> all_time_;
  std::uint32_t items_ = 0;  // one more than the highest item
  Scope whole_;
  Regions regions_;
  mutable std::array<Cached, 6> cached_;
  mutable std::uint64_t calls_ = 0;
};

class LiveCounts::Pinned {
 private:
  friend class LiveCounts;
  std::vector<std::shared_ptr<Block>> all_time;
  std::uint32_t items = 0;
  Scope whole;
  Regions regions;
};

}  // namespace vitrine

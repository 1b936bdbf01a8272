#include "engine/live_counts.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "engine/limits.h"

namespace vitrine {
namespace {

constexpr double kUnits = 1e6;

std::int64_t day_of(Timestamp time) { return time / kDay - (time % kDay < 0 ? 1 : 0); }

}  // namespace

void LiveCounts::add(ItemIndex item, Timestamp time, float weight) {
  const std::int64_t units = std::llround(static_cast<double>(weight) * kUnits);
  const std::unique_lock lock(mutex_);
  if (raw(item) >= all_time_.size()) all_time_.resize(raw(item) + std::size_t{1});
  all_time_[raw(item)] += units;
  if (time == kNoTime) return;
  const std::int64_t day = day_of(time);
  if (!days_.empty() && day <= days_.rbegin()->first - kPopularDays) return;
  days_[day][raw(item)] += units;
  while (days_.begin()->first <= days_.rbegin()->first - kPopularDays) days_.erase(days_.begin());
}

std::vector<Candidate> LiveCounts::popular(int days, std::size_t n,
                                           const std::function<bool(ItemIndex)>& allowed) const {
  std::vector<std::int64_t> sums;
  {
    const std::shared_lock lock(mutex_);
    if (days <= 0) {
      sums = all_time_;
    } else if (!days_.empty()) {
      sums.resize(all_time_.size());
      const std::int64_t last = days_.rbegin()->first;
      for (auto day = days_.upper_bound(last - days); day != days_.end(); ++day)
        for (const auto& entry : day->second) sums[entry.first] += entry.second;
    }
  }
  std::vector<Candidate> found;
  for (std::uint32_t i = 0; i < sums.size(); ++i)
    if (sums[i] > 0 && allowed(ItemIndex{i}))
      found.push_back({ItemIndex{i}, static_cast<float>(static_cast<double>(sums[i]) / kUnits)});
  n = std::min(n, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(n), found.end(),
                    better);
  found.resize(n);
  return found;
}

std::uint64_t LiveCounts::memory_bytes() const {
  const std::shared_lock lock(mutex_);
  std::uint64_t bytes = all_time_.capacity() * sizeof(std::int64_t);
  for (const auto& day : days_)
    bytes += day.second.bucket_count() * sizeof(void*) + day.second.size() * 32;
  return bytes;
}

}  // namespace vitrine

#include "engine/live_counts.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "engine/limits.h"

namespace vitrine {
namespace {

constexpr double kUnits = 1e6;

std::int64_t day_of(Timestamp time) { return time / kDay - (time % kDay < 0 ? 1 : 0); }

void add_at(std::vector<std::int64_t>& sums, std::uint32_t item, std::int64_t units) {
  if (item >= sums.size()) sums.resize(item + std::size_t{1});
  sums[item] += units;
}

std::vector<Candidate> best(const std::vector<std::int64_t>& sums, std::size_t n,
                            const std::function<bool(ItemIndex)>& allowed) {
  std::vector<Candidate> found;
  for (std::uint32_t i = 0; i < sums.size(); ++i)
    if (sums[i] > 0 && allowed(ItemIndex{i}))
      found.push_back({ItemIndex{i}, static_cast<float>(static_cast<double>(sums[i]) / kUnits)});
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(n, found.size()));
  std::partial_sort(found.begin(), end, found.end(), better);
  found.erase(end, found.end());
  return found;
}

}  // namespace

LiveCounts::Day::Slot& LiveCounts::Day::find(std::uint32_t item) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = (item * std::uint64_t{0x9E3779B97F4A7C15} >> 32) & mask;
  while (slots_[i].taken && slots_[i].item != item) i = (i + 1) & mask;
  return slots_[i];
}

void LiveCounts::Day::add(std::uint32_t item, std::int64_t units) {
  if ((used_ + 1) * 3 > slots_.size() * 2) {
    std::vector<Slot> old(std::max<std::size_t>(16, slots_.size() * 2));
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.taken) find(slot.item) = slot;
  }
  Slot& slot = find(item);
  used_ += slot.taken ? 0 : 1;
  slot = {slot.units + units, item, true};
}

void LiveCounts::Day::add_to(Sums& sums) const {
  for (const Slot& slot : slots_)
    if (slot.taken) sums[slot.item] += slot.units;
}

void LiveCounts::add(ItemIndex item, Timestamp time, float weight) {
  const std::int64_t units = std::llround(static_cast<double>(weight) * kUnits);
  const std::unique_lock lock(mutex_);
  add_at(all_time_, raw(item), units);
  if (time == kNoTime) return;
  const std::int64_t day = day_of(time);
  const bool newest = days_.empty() || day > days_.rbegin()->first;
  if (!newest && day <= days_.rbegin()->first - kPopularDays) return;
  days_[day].add(raw(item), units);
  const std::int64_t last = days_.rbegin()->first;
  while (days_.begin()->first <= last - kPopularDays) days_.erase(days_.begin());
  for (Window& window : windows_) {
    if (newest) window.current = false;
    if (window.current && day > last - window.days) add_at(window.sums, raw(item), units);
  }
}

// The window when it is current, else null.
const LiveCounts::Window* LiveCounts::window(int days) const {
  for (const Window& each : windows_)
    if (each.days == days && each.current) return &each;
  return nullptr;
}

const LiveCounts::Window& LiveCounts::make_window(int days) const {
  Window* chosen = &windows_[0];
  for (Window& each : windows_) {
    if (each.asked < chosen->asked) chosen = &each;
    if (each.days == days) {
      chosen = &each;
      break;
    }
  }
  chosen->days = days;
  chosen->current = true;
  chosen->asked = ++calls_;
  chosen->sums.assign(all_time_.size(), 0);
  const std::int64_t last = days_.empty() ? 0 : days_.rbegin()->first;
  for (auto day = days_.upper_bound(last - days); day != days_.end(); ++day)
    day->second.add_to(chosen->sums);
  return *chosen;
}

std::vector<Candidate> LiveCounts::popular(int days, std::size_t n,
                                           const std::function<bool(ItemIndex)>& allowed) const {
  days = std::min(days, kPopularDays);
  Sums sums;
  bool found = false;
  {
    const std::shared_lock lock(mutex_);
    const Window* known = days > 0 ? window(days) : nullptr;
    found = days <= 0 || known != nullptr;
    if (found) sums = known != nullptr ? known->sums : all_time_;
  }
  if (!found) {
    const std::unique_lock lock(mutex_);
    sums = make_window(days).sums;
  }
  return best(sums, n, allowed);
}

std::uint64_t LiveCounts::memory_bytes() const {
  const std::shared_lock lock(mutex_);
  std::uint64_t bytes = all_time_.capacity() * sizeof(std::int64_t);
  for (const auto& day : days_) bytes += day.second.memory_bytes();
  for (const Window& each : windows_) bytes += each.sums.capacity() * sizeof(std::int64_t);
  return bytes;
}

}  // namespace vitrine

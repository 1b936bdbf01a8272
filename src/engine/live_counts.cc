#include "engine/live_counts.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "engine/limits.h"

namespace vitrine {
namespace {

constexpr double kUnits = 1e6;
constexpr std::size_t kFirstSlots = 16;
constexpr Timestamp kHour = kDay / 24;

std::int64_t number_of(Timestamp time, Timestamp length) {
  return time / length - (time % length < 0 ? 1 : 0);
}

double weight_of(std::int64_t units) { return static_cast<double>(units) / kUnits; }

std::vector<Candidate> best(std::vector<Candidate> found, std::size_t n) {
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(n, found.size()));
  std::partial_sort(found.begin(), end, found.end(), better);
  found.erase(end, found.end());
  return found;
}

void add_at(std::vector<std::int64_t>& sums, std::uint32_t item, std::int64_t units) {
  if (item >= sums.size()) sums.resize(item + std::size_t{1});
  sums[item] += units;
}

}  // namespace

std::size_t Tally::slot(std::uint32_t item) const {
  const std::uint64_t hash = item * std::uint64_t{0x9E3779B97F4A7C15} >> 32;
  std::size_t i = hash * items_.size() >> 32;
  while (items_[i] != 0 && items_[i] != item + 1)
    if (++i == items_.size()) i = 0;
  return i;
}

std::size_t Tally::slots_for(std::size_t items) {
  std::size_t slots = kFirstSlots;
  while (items * 5 > slots * 4) slots += slots / 2;
  return slots;
}

void Tally::reserve(std::size_t items) {
  items_.resize(slots_for(items));
  units_.resize(items_.size());
}

void Tally::grow() {
  Tally larger;
  const std::size_t slots = std::max(kFirstSlots, items_.size() + items_.size() / 2);
  larger.items_.resize(slots);
  larger.units_.resize(slots);
  each([&](std::uint32_t item, std::int64_t units) {
    const std::size_t i = larger.slot(item);
    larger.items_[i] = item + 1;
    larger.units_[i] = units;
  });
  larger.used_ = used_;
  *this = std::move(larger);
}

void Tally::add(std::uint32_t item, std::int64_t units) {
  if ((used_ + 1) * 5 > items_.size() * 4) grow();
  const std::size_t i = slot(item);
  used_ += items_[i] == 0 ? 1 : 0;
  items_[i] = item + 1;
  units_[i] += units;
}

std::uint64_t Tally::memory_bytes() const {
  return items_.capacity() * sizeof(std::uint32_t) + units_.capacity() * sizeof(std::int64_t);
}

void LiveCounts::add_all_time(std::uint32_t item, std::int64_t units) {
  items_ = std::max(items_, item + 1);
  while (all_time_.size() <= item / kBlock)
    all_time_.push_back(std::make_shared<Block>(Block{generation_, {}}));
  std::shared_ptr<Block>& block = all_time_[item / kBlock];
  if (block->generation != generation_) {
    block = std::make_shared<Block>(*block);
    block->generation = generation_;
  }
  block->units[item % kBlock] += units;
}

// False when the number lies before what is kept.
bool LiveCounts::add_to(Buckets& buckets, std::int64_t number, std::int64_t newest, int kept,
                        std::uint32_t item, std::int64_t units, std::size_t items_max) {
  while (!buckets.empty() && buckets.begin()->first <= newest - kept)
    buckets.erase(buckets.begin());
  if (number <= newest - kept) return false;
  Bucket& bucket = buckets[number];
  if (bucket.tally == nullptr || bucket.generation != generation_) {
    bucket.tally =
        bucket.tally ? std::make_shared<Tally>(*bucket.tally) : std::make_shared<Tally>();
    bucket.generation = generation_;
  }
  if (bucket.tally->size() < items_max || bucket.tally->has(item)) bucket.tally->add(item, units);
  return true;
}

// Those of which nothing that counts is left.
void LiveCounts::forget_regions() {
  const std::int64_t newest = whole_.days.rbegin()->first;
  std::erase_if(regions_, [&](const auto& region) {
    const Buckets& days = region.second.days;
    return days.empty() || days.rbegin()->first <= newest - kRegionDays;
  });
}

void LiveCounts::add_region(std::string_view region, Timestamp time, std::uint32_t item,
                            std::int64_t units) {
  auto found = regions_.find(region);
  if (found == regions_.end()) {
    if (regions_.size() >= kRegionsMax) forget_regions();
    if (regions_.size() >= kRegionsMax) return;
    found = regions_.emplace(region, Scope()).first;
  }
  add_to(found->second.days, number_of(time, kDay), whole_.days.rbegin()->first, kRegionDays, item,
         units, kRegionItemsMax);
  add_to(found->second.hours, number_of(time, kHour), whole_.hours.rbegin()->first, kPopularHours,
         item, units, kRegionItemsMax);
}

void LiveCounts::add(ItemIndex item, Timestamp time, float weight, std::string_view region) {
  const std::int64_t units = std::llround(static_cast<double>(weight) * kUnits);
  const std::unique_lock lock(mutex_);
  add_all_time(raw(item), units);
  if (time == kNoTime) return;
  const auto enter = [&](Buckets& buckets, Timestamp length, int kept, int Cached::*counted) {
    const std::int64_t number = number_of(time, length);
    const bool newest = buckets.empty() || number > buckets.rbegin()->first;
    const std::int64_t last = newest ? number : buckets.rbegin()->first;
    if (!add_to(buckets, number, last, kept, raw(item), units, ~std::size_t{0})) return;
    for (Cached& each : cached_) {
      if (each.*counted == 0) continue;
      if (newest) each.current = false;
      if (each.current && number > last - each.*counted) add_at(each.sums, raw(item), units);
    }
  };
  enter(whole_.days, kDay, kPopularDays, &Cached::days);
  enter(whole_.hours, kHour, kPopularHours, &Cached::hours);
  if (!region.empty()) add_region(region, time, raw(item), units);
}

LiveCounts::Sums LiveCounts::all_time() const {
  Sums sums(items_);
  for (std::uint32_t i = 0; i < items_; i += kBlock)
    std::copy_n(all_time_[i / kBlock]->units.begin(), std::min<std::size_t>(kBlock, items_ - i),
                sums.begin() + i);
  return sums;
}

// The sums of a window when they are kept current. The mutex is held, shared at least.
bool LiveCounts::cached(const CountWindow& window, Sums& sums) const {
  for (const Cached& each : cached_) {
    if (!each.current || each.days != window.days || each.hours != window.hours) continue;
    sums = each.sums;
    return true;
  }
  return false;
}

LiveCounts::Sums LiveCounts::add_up(const CountWindow& window) const {
  Sums sums(items_);
  const Scope* scope = &whole_;
  if (!window.region.empty()) {
    const auto found = regions_.find(window.region);
    if (found == regions_.end()) return sums;
    scope = &found->second;
  }
  const bool hourly = window.hours > 0;
  const Buckets& newest = hourly ? whole_.hours : whole_.days;
  const Buckets& buckets = hourly ? scope->hours : scope->days;
  if (newest.empty()) return sums;
  const std::int64_t after = newest.rbegin()->first - (hourly ? window.hours : window.days);
  for (auto bucket = buckets.upper_bound(after); bucket != buckets.end(); ++bucket)
    bucket->second.tally->each(
        [&](std::uint32_t item, std::int64_t units) { sums[item] += units; });
  return sums;
}

LiveCounts::Sums LiveCounts::sums(const CountWindow& asked) const {
  CountWindow window = asked;
  window.hours = std::clamp(window.hours, 0, kPopularHours);
  window.days = window.hours > 0 ? 0 : std::clamp(window.days, 0, kPopularDays);
  if (!window.region.empty()) {
    if (window.hours == 0 && (window.days == 0 || window.days > kRegionDays))
      window.days = kRegionDays;
    const std::shared_lock lock(mutex_);
    return add_up(window);
  }
  Sums sums;
  {
    const std::shared_lock lock(mutex_);
    if (window.days == 0 && window.hours == 0) return all_time();
    if (cached(window, sums)) return sums;
  }
  const std::unique_lock lock(mutex_);
  if (cached(window, sums)) return sums;
  const auto oldest =
      std::min_element(cached_.begin(), cached_.end(), [](const Cached& a, const Cached& b) {
        return std::pair(a.current, a.asked) < std::pair(b.current, b.asked);
      });
  *oldest = {window.days, window.hours, true, ++calls_, add_up(window)};
  return oldest->sums;
}

std::vector<Candidate> LiveCounts::popular(const CountWindow& window, std::size_t n,
                                           const std::function<bool(ItemIndex)>& allowed) const {
  const Sums counted = sums(window);
  std::vector<Candidate> found;
  for (std::uint32_t i = 0; i < counted.size(); ++i)
    if (counted[i] > 0 && allowed(ItemIndex{i}))
      found.push_back({ItemIndex{i}, static_cast<float>(weight_of(counted[i]))});
  return best(std::move(found), n);
}

std::vector<Candidate> LiveCounts::trending(int hours, std::string_view region, std::size_t n,
                                            const std::function<bool(ItemIndex)>& allowed) const {
  const Sums recent = sums({0, std::max(hours, 1), region});
  Sums before = sums({kTrendBaselineDays, 0, region});
  before.resize(std::max(before.size(), recent.size()));
  double total_recent = 0, total_before = 0;
  for (std::size_t i = 0; i < recent.size(); ++i) {
    before[i] = std::max<std::int64_t>(0, before[i] - recent[i]);
    total_recent += weight_of(recent[i]);
  }
  for (const std::int64_t units : before) total_before += weight_of(units);
  const double scale = total_before > 0 ? std::max(total_recent, 0.0) / total_before : 0;
  std::vector<Candidate> found;
  for (std::uint32_t i = 0; i < recent.size(); ++i) {
    const double seen = weight_of(recent[i]), expected = weight_of(before[i]) * scale;
    if (seen < kTrendFloor || seen - expected < kTrendDeviations * std::sqrt(expected + 1))
      continue;
    if (!allowed(ItemIndex{i})) continue;
    const double rise = (seen + kTrendPrior) / (expected + kTrendPrior);
    found.push_back({ItemIndex{i}, static_cast<float>(rise)});
  }
  return best(std::move(found), n);
}

std::uint64_t LiveCounts::memory_bytes() const {
  const std::shared_lock lock(mutex_);
  std::uint64_t bytes = all_time_.size() * sizeof(Block);
  const auto of = [](const Scope& scope) {
    std::uint64_t sum = 0;
    for (const Buckets* buckets : {&scope.days, &scope.hours})
      for (const auto& bucket : *buckets) sum += bucket.second.tally->memory_bytes();
    return sum;
  };
  bytes += of(whole_);
  for (const auto& region : regions_) bytes += of(region.second);
  for (const Cached& each : cached_) bytes += each.sums.capacity() * sizeof(std::int64_t);
  return bytes;
}

std::shared_ptr<const LiveCounts::Pinned> LiveCounts::pin() {
  auto pinned = std::make_shared<Pinned>();
  const std::unique_lock lock(mutex_);
  ++generation_;
  pinned->all_time = all_time_;
  pinned->items = items_;
  pinned->whole = whole_;
  pinned->regions = regions_;
  return pinned;
}

namespace {

// Hours or days of one scope: their numbers, and of each the items and sums.
template <class Buckets>
void save_buckets(ArchiveWriter& writer, std::string_view name, const Buckets& buckets) {
  writer.enter(name);
  std::vector<std::int64_t> numbers, units;
  std::vector<std::uint32_t> items;
  for (const auto& [number, bucket] : buckets) {
    items.clear();
    units.clear();
    bucket.tally->each([&](std::uint32_t item, std::int64_t sum) {
      items.push_back(item);
      units.push_back(sum);
    });
    const std::string place = std::to_string(numbers.size());
    numbers.push_back(number);
    writer.tensor("items/" + place, items);
    writer.tensor("units/" + place, units);
  }
  writer.tensor("numbers", numbers);
  writer.leave();
}

template <class Buckets>
Status load_buckets(ArchiveReader& reader, std::string_view name, std::uint32_t items_end,
                    Buckets& buckets) {
  reader.enter(name);
  VT_TRY(const auto numbers, reader.tensor<std::int64_t>("numbers"));
  for (std::size_t b = 0; b < numbers.size(); ++b) {
    VT_TRY(const auto items, reader.tensor<std::uint32_t>("items/" + std::to_string(b)));
    VT_TRY(const auto units, reader.tensor<std::int64_t>("units/" + std::to_string(b)));
    if (units.size() != items.size()) return Error{Code::kCorrupt, "counts without items"};
    auto tally = std::make_shared<Tally>();
    // At once: items come in the order of their slots and would crowd a table that grows with them.
    tally->reserve(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (items[i] >= items_end) return Error{Code::kCorrupt, "counts of unknown items"};
      tally->add(items[i], units[i]);
    }
    buckets[numbers[b]].tally = std::move(tally);
  }
  reader.leave();
  return {};
}

}  // namespace

void LiveCounts::save(const Pinned& pinned, ArchiveWriter& writer) {
  writer.enter("counts");
  std::vector<std::int64_t> sums;
  for (const auto& block : pinned.all_time)
    sums.insert(sums.end(), block->units.begin(), block->units.end());
  sums.resize(pinned.items);
  writer.tensor("all_time", sums);
  save_buckets(writer, "days", pinned.whole.days);
  save_buckets(writer, "hours", pinned.whole.hours);
  std::vector<std::string> names;
  for (const auto& [name, scope] : pinned.regions) {
    const std::string number = std::to_string(names.size());
    names.push_back(name);
    save_buckets(writer, "region_days/" + number, scope.days);
    save_buckets(writer, "region_hours/" + number, scope.hours);
  }
  writer.strings("regions", names);
  writer.leave();
}

Status LiveCounts::load(ArchiveReader& reader, std::uint32_t items) {
  const std::unique_lock lock(mutex_);
  reader.enter("counts");
  VT_TRY(const auto sums, reader.tensor<std::int64_t>("all_time"));
  if (sums.size() > items) return Error{Code::kCorrupt, "counts of items that there are not"};
  for (std::uint32_t i = 0; i < sums.size(); ++i) add_all_time(i, sums[i]);
  VT_TRY(load_buckets(reader, "days", items, whole_.days));
  VT_TRY(load_buckets(reader, "hours", items, whole_.hours));
  VT_TRY(const auto names, reader.strings("regions"));
  for (std::size_t i = 0; i < names.size(); ++i) {
    Scope& scope = regions_[names[i]];
    VT_TRY(load_buckets(reader, "region_days/" + std::to_string(i), items, scope.days));
    VT_TRY(load_buckets(reader, "region_hours/" + std::to_string(i), items, scope.hours));
  }
  reader.leave();
  return {};
}

}  // namespace vitrine

#include "engine/live_state.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "engine/live_counts.h"

namespace vitrine {
namespace {

constexpr std::size_t kShards = 64;
constexpr std::string_view kPrefix = "live/";
constexpr std::size_t kPersonBytes =
    160;  // of a person without events: entry, node, place in the ring

// An event as it is kept. `group` is not numbered yet: neighbours with the same `join` share one.
struct Kept {
  HistoryEvent event;
  std::uint64_t join = 0;      // hash of the order or session id; 0: the pause decides
  float quantity = 1;          // pieces of a purchase that have not come back
  bool counts_pieces = false;  // the event's value is this quantity
};

struct Key {
  std::uint64_t low = 0, high = 0;
  friend bool operator==(const Key&, const Key&) = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const { return key.low; }
};

std::uint64_t hash_text(std::string_view text) {
  return text.empty() ? 0 : XXH3_64bits(text.data(), text.size()) | 1;
}

Key key_of(const Person& person) {
  if (person.user != kNoUser) {
    const std::uint32_t number = raw(person.user);
    return {XXH3_64bits(&number, sizeof number), number};
  }
  const XXH128_hash_t hash = XXH3_128bits(person.session.data(), person.session.size());
  return {hash.low64, hash.high64 | (std::uint64_t{1} << 63)};
}

bool is_nobody(const Person& person) { return person.user == kNoUser && person.session.empty(); }

std::string store_key(const Key& key) {
  std::string text(kPrefix);
  text.append(reinterpret_cast<const char*>(&key), sizeof key);
  return text;
}

bool is_return(const Event& event) {
  return event.type == EventType::kReturn ||
         (event.type == EventType::kPurchase && event.quantity < 0);
}

// A time from the future (a wrong clock) would stand behind everything that comes, and move the
// window of the popular lists: it becomes the time of receipt. Unsigned, for the distance may
// overflow the signed type.
Timestamp believable_time(const Event& event) {
  const bool known = event.time != kNoTime && event.received != kNoTime;
  const bool ahead =
      known && event.time > event.received &&
      static_cast<std::uint64_t>(event.time) - static_cast<std::uint64_t>(event.received) >
          static_cast<std::uint64_t>(kDay);
  return ahead ? event.received : event.time;
}

struct Entry {
  Key key;
  std::vector<Kept> events;              // in time order, ties in log order
  mutable std::atomic<bool> used{true};  // since the hand of the clock came by
  bool dirty = false;                    // differs from what the store holds
  std::size_t place = 0;                 // in Shard::ring
  std::uint64_t bytes() const { return kPersonBytes + events.capacity() * sizeof(Kept); }
};

struct Shard {
  mutable std::shared_mutex mutex;
  std::unordered_map<Key, std::unique_ptr<Entry>, KeyHash> persons;
  std::vector<Entry*> ring;  // for eviction by the clock algorithm
  std::size_t hand = 0;
  std::uint64_t bytes = 0, events = 0, evictions = 0;
  bool stored = false;  // the store may hold persons of this shard

  Entry* find(const Key& key) const {
    const auto found = persons.find(key);
    return found == persons.end() ? nullptr : found->second.get();
  }
  Entry& add(const Key& key, std::vector<Kept> kept) {
    auto entry = std::make_unique<Entry>();
    entry->key = key;
    entry->events = std::move(kept);
    entry->place = ring.size();
    bytes += entry->bytes();
    events += entry->events.size();
    ring.push_back(entry.get());
    return *(persons[key] = std::move(entry));
  }
  void drop(Entry& entry) {
    bytes -= entry.bytes();
    events -= entry.events.size();
    ring.back()->place = entry.place;
    ring[entry.place] = ring.back();
    ring.pop_back();
    persons.erase(Key(entry.key));
  }
};

}  // namespace

struct LiveState::Impl {
  Impl(StateStore& state_store, LiveLimits bounds) : store(state_store), limits(bounds) {}

  Shard& shard(const Key& key) { return shards[key.low >> 58]; }
  Result<Entry*> bring(Shard& shard, const Key& key);
  void make_room(Shard& shard, const Entry& except);
  Status fold(Shard& shard, const Key& key, const Event& event, ItemIndex item);
  Kept keep(const Event& event, ItemIndex item) const;
  void insert(Entry& entry, const Kept& kept);
  void take_back(Entry& entry, const Event& event, ItemIndex item);
  std::vector<HistoryEvent> copy(const Entry& entry) const;

  StateStore& store;
  const LiveLimits limits;
  EventWeights weights{};
  std::string group_by;
  std::uint64_t gap = 0;  // milliseconds
  std::array<Shard, kShards> shards;
  LiveCounts counts;
};

// The person in memory, or null when nothing is known. The shard is locked to write.
Result<Entry*> LiveState::Impl::bring(Shard& shard, const Key& key) {
  if (Entry* entry = shard.find(key)) return entry;
  if (!shard.stored) return static_cast<Entry*>(nullptr);
  VT_TRY(const auto bytes, store.get(store_key(key)));
  if (!bytes) return static_cast<Entry*>(nullptr);
  if (bytes->size() % sizeof(Kept) != 0)
    return Error{Code::kCorrupt, "state store: a person's history has the wrong size"};
  std::vector<Kept> kept(bytes->size() / sizeof(Kept));
  if (!kept.empty()) std::memcpy(kept.data(), bytes->data(), bytes->size());
  return &shard.add(key, std::move(kept));
}

// Evicts who was not used since the hand came by last (second chance) until the shard fits.
void LiveState::Impl::make_room(Shard& shard, const Entry& except) {
  const std::uint64_t limit = limits.memory_bytes / kShards;
  std::size_t steps = 2 * shard.ring.size();
  while (shard.bytes > limit && steps-- > 0) {
    if (shard.hand >= shard.ring.size()) shard.hand = 0;
    Entry& entry = *shard.ring[shard.hand];
    if (&entry == &except || entry.used.exchange(false, std::memory_order_relaxed)) {
      ++shard.hand;
      continue;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(entry.events.data()),
                                 entry.events.size() * sizeof(Kept));
    // When the store fails, the person stays: too much memory is better than a lost history.
    if (entry.dirty && !store.put(store_key(entry.key), bytes).ok()) return;
    shard.stored = true;
    ++shard.evictions;
    shard.drop(entry);
  }
}

Kept LiveState::Impl::keep(const Event& event, ItemIndex item) const {
  Kept kept;
  kept.counts_pieces = !std::isfinite(event.value);
  kept.quantity = std::isfinite(event.quantity) ? static_cast<float>(event.quantity) : 1;
  const float value = kept.counts_pieces ? kept.quantity : static_cast<float>(event.value);
  const float weight = weights[static_cast<std::size_t>(event.type)];
  kept.event = {item, event.type, value, weight, believable_time(event), 0};
  if (group_by == "order") kept.join = hash_text(event.order);
  if (group_by == "session") kept.join = hash_text(event.session);
  return kept;
}

void LiveState::Impl::insert(Entry& entry, const Kept& kept) {
  auto& events = entry.events;
  const auto later = [](const Kept& a, const Kept& b) { return a.event.time < b.event.time; };
  events.insert(std::upper_bound(events.begin(), events.end(), kept, later), kept);
  // A quarter over the limit at most: dropping the oldest one by one would move all others each
  // time.
  if (events.size() > limits.history + limits.history / 4)
    events.erase(events.begin(), events.end() - static_cast<std::ptrdiff_t>(limits.history));
}

// As cleaning nets returns: out of the latest purchases of the item that are not later, one after
// another.
void LiveState::Impl::take_back(Entry& entry, const Event& event, ItemIndex item) {
  const Timestamp time = believable_time(event);
  float left = std::isnan(event.quantity) ? 1 : static_cast<float>(std::abs(event.quantity));
  for (std::size_t i = entry.events.size(); i-- > 0 && left > 0;) {
    Kept& kept = entry.events[i];
    if (kept.event.type != EventType::kPurchase || kept.event.item != item ||
        kept.event.time > time || !(kept.quantity > 0))
      continue;
    const float taken = std::min(left, kept.quantity);
    left -= taken;
    kept.quantity -= taken;
    if (kept.counts_pieces) kept.event.value = kept.quantity;
    if (kept.quantity > 0) continue;
    counts.add(item, kept.event.time, -kept.event.weight);
    entry.events.erase(entry.events.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

std::vector<HistoryEvent> LiveState::Impl::copy(const Entry& entry) const {
  const std::size_t size = std::min(entry.events.size(), limits.history);
  const Kept* kept = entry.events.data() + (entry.events.size() - size);
  std::vector<HistoryEvent> history(size);
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < size; ++i) {
    history[i] = kept[i].event;
    if (i > 0) {
      // Unsigned: the distance of two extreme times overflows the signed type.
      const std::uint64_t pause = static_cast<std::uint64_t>(kept[i].event.time) -
                                  static_cast<std::uint64_t>(kept[i - 1].event.time);
      const bool near = kept[i - 1].event.time != kNoTime && pause <= gap;
      if (kept[i].join != kept[i - 1].join || (kept[i].join == 0 && !near)) ++group;
    }
    history[i].group = group;
  }
  return history;
}

LiveState::LiveState(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LiveState::~LiveState() = default;

Result<std::unique_ptr<LiveState>> LiveState::open(const HistoryOptions& options,
                                                   const EventTypes& types, StateStore& store,
                                                   LiveLimits limits) {
  VT_TRY(store.erase_prefix(kPrefix));
  auto impl = std::make_unique<Impl>(store, limits);
  VT_TRY(impl->weights, event_weights(options, types));
  impl->group_by = options.group_by;
  impl->gap = static_cast<std::uint64_t>(options.session_gap_minutes * 60'000);
  return std::unique_ptr<LiveState>(new LiveState(std::move(impl)));
}

// Everything of one event but its sequence. The shard is locked to write.
Status LiveState::Impl::fold(Shard& shard, const Key& key, const Event& event, ItemIndex item) {
  const bool back = is_return(event);
  VT_TRY(Entry * entry, bring(shard, key));
  if (entry == nullptr && back) return {};
  if (entry == nullptr) entry = &shard.add(key, {});
  shard.bytes -= entry->bytes();
  shard.events -= entry->events.size();
  if (back) {
    take_back(*entry, event, item);
  } else {
    const Kept kept = keep(event, item);
    insert(*entry, kept);
    counts.add(item, kept.event.time, kept.event.weight);
  }
  shard.bytes += entry->bytes();
  shard.events += entry->events.size();
  entry->dirty = true;
  entry->used.store(true, std::memory_order_relaxed);
  make_room(shard, *entry);
  return {};
}

Status LiveState::apply(std::uint64_t sequence, const Event& event, const Person& person,
                        ItemIndex item) {
  if (sequence <= this->sequence()) return {};
  const bool counts = is_return(event) || impl_->weights[static_cast<std::size_t>(event.type)] > 0;
  if (counts && item != kNoItem && !is_nobody(person)) {
    const Key key = key_of(person);
    Shard& shard = impl_->shard(key);
    const std::unique_lock lock(shard.mutex);
    VT_TRY(impl_->fold(shard, key, event, item));
  }
  sequence_.store(sequence, std::memory_order_release);
  return {};
}

Result<std::vector<HistoryEvent>> LiveState::history(const Person& person) const {
  if (is_nobody(person)) return std::vector<HistoryEvent>();
  const Key key = key_of(person);
  Shard& shard = impl_->shard(key);
  {
    const std::shared_lock lock(shard.mutex);
    const Entry* entry = shard.find(key);
    if (entry == nullptr && !shard.stored) return std::vector<HistoryEvent>();
    if (entry != nullptr) {
      entry->used.store(true, std::memory_order_relaxed);
      return impl_->copy(*entry);
    }
  }
  const std::unique_lock lock(shard.mutex);
  VT_TRY(const Entry* entry, impl_->bring(shard, key));
  if (entry == nullptr) return std::vector<HistoryEvent>();
  impl_->make_room(shard, *entry);
  return impl_->copy(*entry);
}

Status LiveState::erase(const Person& person) {
  if (is_nobody(person)) return {};
  const Key key = key_of(person);
  Shard& shard = impl_->shard(key);
  const std::unique_lock lock(shard.mutex);
  if (shard.stored) VT_TRY(impl_->store.erase(store_key(key)));
  if (Entry* entry = shard.find(key)) shard.drop(*entry);
  return {};
}

std::vector<Candidate> LiveState::popular(int days, std::size_t n,
                                          const std::function<bool(ItemIndex)>& allowed) const {
  return impl_->counts.popular(days, n, allowed);
}

LiveStats LiveState::stats() const {
  LiveStats stats;
  for (const Shard& shard : impl_->shards) {
    const std::shared_lock lock(shard.mutex);
    stats.persons += shard.persons.size();
    stats.events += shard.events;
    stats.evictions += shard.evictions;
    stats.memory_bytes += shard.bytes;
  }
  stats.memory_bytes += impl_->counts.memory_bytes();
  return stats;
}

}  // namespace vitrine

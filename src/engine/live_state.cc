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

#include "base/file.h"
#include "engine/live_state_impl.h"

namespace vitrine {
namespace {

std::uint32_t hash_text(std::string_view text) {
  return text.empty() ? 0 : static_cast<std::uint32_t>(XXH3_64bits(text.data(), text.size())) | 1;
}

PersonKey key_of(const Person& person) {
  if (person.user != kNoUser) {
    const std::uint32_t number = raw(person.user);
    return {XXH3_64bits(&number, sizeof number), number};
  }
  const XXH128_hash_t hash = XXH3_128bits(person.session.data(), person.session.size());
  return {hash.low64, hash.high64 | (std::uint64_t{1} << 63)};
}

std::uint16_t short_hash(std::string_view text) {
  return static_cast<std::uint16_t>(text.empty() ? 0 : hash_text(text) >> 16 | 1);
}

bool is_nobody(const Person& person) { return person.user == kNoUser && person.session.empty(); }

bool is_return(const Event& event) {
  return event.type == EventType::kReturn ||
         (event.type == EventType::kPurchase && event.quantity < 0);
}
// Takes pieces of earlier events back, and enters no history.
bool undoes(const Event& event) {
  return is_return(event) || event.type == EventType::kRemoveFromCart;
}

// A time from the future (a wrong clock) would stand behind everything that comes, and move the
// window of the popular lists: it becomes the time of receipt.
Timestamp believable_time(const Event& event) {
  return event.received == kNoTime ? event.time : std::min(event.time, event.received);
}

}  // namespace

std::string live_store_key(const PersonKey& key) {
  std::string text(kLivePrefix);
  text.append(reinterpret_cast<const char*>(&key), sizeof key);
  return text;
}

void LiveShard::record(const PersonKey& key, std::span<const Kept> events) {
  const auto count = static_cast<std::uint32_t>(events.size());
  records.append(reinterpret_cast<const char*>(&key), sizeof key);
  records.append(reinterpret_cast<const char*>(&count), sizeof count);
  records.append(as_text(std::as_bytes(events)));
}

void LiveShard::preserve(PersonEntry& entry) {
  if (!saving || entry.saved == round) return;
  record(entry.key, entry.events());
  entry.saved = round;
}

void LiveShard::drop(PersonEntry& entry) {
  if (saving) {
    if (entry.saved == round) record(entry.key, {});
    preserve(entry);
    preserve(persons.last());  // it moves, perhaps to where the checkpoint has been already
  }
  persons.drop(entry);
}

// The person in memory, or null when nothing is known. The shard is locked to write.
Result<PersonEntry*> LiveState::Impl::bring(LiveShard& shard, const PersonKey& key) {
  if (PersonEntry* entry = shard.persons.find(key)) return entry;
  if (!shard.stored) return static_cast<PersonEntry*>(nullptr);
  const auto found = store.get(live_store_key(key));
  if (!found.ok()) return found.error();
  const auto& bytes = *found;
  if (!bytes) return static_cast<PersonEntry*>(nullptr);
  if (bytes->size() % sizeof(Kept) != 0)
    return Error{Code::kCorrupt, "a person's history has the wrong size"};
  std::vector<Kept> kept(bytes->size() / sizeof(Kept));
  if (!kept.empty()) std::memcpy(kept.data(), bytes->data(), bytes->size());
  PersonEntry& entry = shard.persons.add(key, kept);
  entry.saved = static_cast<std::uint8_t>(shard.round - 1);  // it may be in no checkpoint
  return &entry;
}

// Evicts who was not used since the hand came by last (second chance) until the shard fits. Moves
// entries.
Status LiveState::Impl::make_room(LiveShard& shard, const PersonKey& except) {
  const std::uint64_t limit = limits.memory_bytes / kLiveShards;
  std::size_t steps = 2 * shard.persons.size();
  while (shard.persons.bytes() > limit && steps-- > 0) {
    if (shard.hand >= shard.persons.size()) shard.hand = 0;
    PersonEntry& entry = shard.persons.at(shard.hand);
    if (entry.key == except || entry.used.exchange(false, std::memory_order_relaxed)) {
      ++shard.hand;
      continue;
    }
    const std::string_view bytes = as_text(std::as_bytes(entry.events()));
    // When the store fails, the person stays: too much memory is better than a lost history.
    if (entry.dirty) VT_TRY(store.put(live_store_key(entry.key), bytes));
    shard.stored = true;
    ++shard.evictions;
    shard.drop(entry);
  }
  return {};
}

Kept LiveState::Impl::keep(std::uint64_t sequence, const Event& event, ItemIndex item) const {
  Kept kept;
  kept.time = believable_time(event);
  kept.item = item;
  kept.order = static_cast<std::uint32_t>(sequence);
  if (group_by == "order") kept.join = hash_text(event.order);
  if (group_by == "session") kept.join = hash_text(event.session);
  kept.counts_pieces = !std::isfinite(event.value);
  kept.quantity = std::isfinite(event.quantity) ? static_cast<float>(event.quantity) : 1;
  kept.value = kept.counts_pieces ? kept.quantity : static_cast<float>(event.value);
  kept.type = event.type;
  kept.purchase = short_hash(event.order);
  return kept;
}

// As cleaning nets returns, and removals from a cart: out of the latest purchases (carts) of the
// item that are not later, one after another.
void LiveState::Impl::take_back(Persons& persons, PersonEntry& entry, const Event& event,
                                ItemIndex item, std::string_view region) {
  const EventType done = is_return(event) ? EventType::kPurchase : EventType::kCart;
  const Timestamp time = believable_time(event);
  float left = std::isnan(event.quantity) ? 1 : static_cast<float>(std::abs(event.quantity));
  for (std::size_t i = entry.size; i-- > 0 && left > 0;) {
    Kept& kept = entry.kept[i];
    if (kept.type != done || kept.item != item || kept.time > time || !(kept.quantity > 0))
      continue;
    const float taken = std::min(left, kept.quantity);
    left -= taken;
    kept.quantity -= taken;
    if (kept.counts_pieces) kept.value = kept.quantity;
    if (!(kept.quantity > 0)) recount(entry, item, region, [&] { persons.remove(entry, i); });
  }
}

// A return without item: all that is left of the order, as far as it is not later.
void LiveState::Impl::take_order_back(Persons& persons, PersonEntry& entry, const Event& event,
                                      std::string_view region) {
  const Timestamp time = believable_time(event);
  for (std::size_t i = entry.size; i-- > 0;) {
    const Kept kept = entry.kept[i];
    const bool of_it = kept.type == EventType::kPurchase &&
                       kept.purchase == short_hash(event.order) &&
                       (group_by != "order" || kept.join == hash_text(event.order));
    if (!of_it || kept.time > time || !(kept.quantity > 0)) continue;
    recount(entry, kept.item, region, [&] { persons.remove(entry, i); });
  }
}

// What negative weights left of the person's events of an item.
std::vector<HistoryEvent> LiveState::Impl::interest(const PersonEntry& entry,
                                                    ItemIndex item) const {
  std::vector<HistoryEvent> events;
  for (const Kept& kept : entry.events())
    if (kept.item == item) events.push_back({item, kept.type, 1, weight(kept.type), kept.time, 0});
  events.resize(take_interest_back(events));
  return events;
}

// Makes a change to the person's events of an item: the counters have what is left of each, at its
// own time.
template <class Change>
void LiveState::Impl::recount(const PersonEntry& entry, ItemIndex item, std::string_view region,
                              const Change& change) {
  const std::vector<HistoryEvent> before = interest(entry, item);
  change();
  const std::vector<HistoryEvent> after = interest(entry, item);
  const auto same = [](const HistoryEvent& a, const HistoryEvent& b) {
    return a.time == b.time && a.weight == b.weight;
  };
  const auto [was, is] =
      std::mismatch(before.begin(), before.end(), after.begin(), after.end(), same);
  for (auto event = was; event != before.end(); ++event)
    counts.add(item, event->time, -event->weight, region);
  for (auto event = is; event != after.end(); ++event)
    counts.add(item, event->time, event->weight, region);
}

std::vector<HistoryEvent> LiveState::Impl::copy(const PersonEntry& entry) const {
  const std::size_t size = std::min<std::size_t>(entry.size, limits.history);
  const Kept* kept = entry.kept + (entry.size - size);
  std::vector<HistoryEvent> history(size);
  bool takes = false;
  for (std::size_t i = 0; i < size; ++i) {
    const float its = weight(kept[i].type);
    takes |= its < 0;
    history[i] = {kept[i].item, kept[i].type, kept[i].value, its, kept[i].time, kept[i].join};
  }
  if (takes) history.resize(take_interest_back(history));
  // Until here `group` was what joins neighbours.
  std::uint32_t group = 0, join_before = 0;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const std::uint32_t join = history[i].group;
    if (i > 0) {
      // Unsigned: the distance of two extreme times overflows the signed type.
      const std::uint64_t pause = static_cast<std::uint64_t>(history[i].time) -
                                  static_cast<std::uint64_t>(history[i - 1].time);
      const bool near = history[i - 1].time != kNoTime && pause <= gap;
      if (join != join_before || (join == 0 && !near)) ++group;
    }
    join_before = join;
    history[i].group = group;
  }
  return history;
}

// Items whose latest event is a negative one.
std::vector<ItemIndex> LiveState::Impl::unwanted(const PersonEntry& entry) const {
  std::vector<ItemIndex> items;
  for (std::size_t i = entry.size; i-- > 0;) {
    if (!(weight(entry.kept[i].type) < 0)) continue;
    const ItemIndex item = entry.kept[i].item;
    const auto newer = entry.events().subspan(i + 1);
    if (std::none_of(newer.begin(), newer.end(), [&](const Kept& k) { return k.item == item; }))
      items.push_back(item);
  }
  return items;
}

LiveState::LiveState(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LiveState::~LiveState() = default;

Result<std::unique_ptr<LiveState>> LiveState::open(const HistoryOptions& options,
                                                   const EventTypes& types, StateStore& store,
                                                   LiveLimits limits) {
  VT_TRY(store.erase_prefix(kLivePrefix));
  auto impl = std::make_unique<Impl>(store, limits);
  VT_TRY(impl->weights, event_weights(options, types));
  impl->group_by = options.group_by;
  impl->gap = static_cast<std::uint64_t>(options.session_gap_minutes * 60'000);
  return std::unique_ptr<LiveState>(new LiveState(std::move(impl)));
}

// Everything of one event but the state's sequence. The shard is locked to write.
Status LiveState::Impl::fold(LiveShard& shard, const PersonKey& key, std::uint64_t sequence,
                             const Event& event, ItemIndex item, std::string_view region) {
  const bool back = undoes(event);
  auto brought = bring(shard, key);
  if (!brought.ok()) incomplete = true;
  const Status trouble = brought.ok() ? Status() : brought.error();
  PersonEntry* entry = brought.ok() ? *brought : nullptr;
  if (entry == nullptr && back) return trouble;
  if (entry == nullptr) {
    entry = &shard.persons.add(key, {});
    entry->saved = shard.round;
  }
  shard.preserve(*entry);
  if (back && item == kNoItem) {
    take_order_back(shard.persons, *entry, event, region);
  } else if (back) {
    take_back(shard.persons, *entry, event, item, region);
  } else {
    const Kept kept = keep(sequence, event, item);
    const auto takes = [&](const Kept& k) { return k.item == item && weight(k.type) < 0; };
    const auto events = entry->events();
    if (takes(kept) || std::any_of(events.begin(), events.end(), takes)) {
      recount(*entry, item, region, [&] { shard.persons.insert(*entry, kept); });
    } else {
      shard.persons.insert(*entry, kept);
      counts.add(item, kept.time, weight(kept.type), region);
    }
    // A quarter over the limit at most: dropping the oldest one by one would move all others each
    // time.
    if (entry->size > limits.history + limits.history / 4)
      shard.persons.keep_latest(*entry, limits.history);
  }
  entry->dirty = true;
  entry->used.store(true, std::memory_order_relaxed);
  const Status made = make_room(shard, key);
  return trouble.ok() ? made : trouble;
}

bool LiveState::Impl::matters(const Event& event, ItemIndex item) const {
  if (item == kNoItem) return is_return(event) && !event.order.empty();
  return undoes(event) || weight(event.type) != 0;
}

Status LiveState::apply(std::uint64_t sequence, const Event& event, const Person& person,
                        ItemIndex item, std::string_view region) {
  if (sequence <= this->sequence()) return {};
  Status trouble;
  if (!is_nobody(person) && impl_->matters(event, item)) {
    const PersonKey key = key_of(person);
    LiveShard& shard = impl_->shard(key);
    const std::unique_lock lock(shard.mutex);
    trouble = impl_->fold(shard, key, sequence, event, item, region);
  }
  sequence_.store(sequence, std::memory_order_release);
  return trouble;
}

Result<std::vector<HistoryEvent>> LiveState::history(const Person& person) const {
  if (is_nobody(person)) return std::vector<HistoryEvent>();
  const PersonKey key = key_of(person);
  LiveShard& shard = impl_->shard(key);
  {
    const std::shared_lock lock(shard.mutex);
    const PersonEntry* entry = shard.persons.find(key);
    if (entry == nullptr && !shard.stored) return std::vector<HistoryEvent>();
    if (entry != nullptr) {
      entry->used.store(true, std::memory_order_relaxed);
      return impl_->copy(*entry);
    }
  }
  const std::unique_lock lock(shard.mutex);
  VT_TRY(const PersonEntry* entry, impl_->bring(shard, key));
  if (entry == nullptr) return std::vector<HistoryEvent>();
  auto history = impl_->copy(*entry);
  (void)impl_->make_room(shard, key).ok();
  return history;
}

Result<std::vector<ItemIndex>> LiveState::unwanted(const Person& person) const {
  if (is_nobody(person)) return std::vector<ItemIndex>();
  const PersonKey key = key_of(person);
  LiveShard& shard = impl_->shard(key);
  {
    const std::shared_lock lock(shard.mutex);
    const PersonEntry* entry = shard.persons.find(key);
    if (entry != nullptr) return impl_->unwanted(*entry);
    if (!shard.stored) return std::vector<ItemIndex>();
  }
  const std::unique_lock lock(shard.mutex);
  VT_TRY(const PersonEntry* entry, impl_->bring(shard, key));
  if (entry == nullptr) return std::vector<ItemIndex>();
  auto items = impl_->unwanted(*entry);
  (void)impl_->make_room(shard, key).ok();
  return items;
}

Status LiveState::erase(const Person& person) {
  if (is_nobody(person)) return {};
  const Status erased = erase_all(person);
  if (!erased.ok()) impl_->incomplete = true;
  return erased;
}

Status LiveState::erase_all(const Person& person) {
  const PersonKey key = key_of(person);
  LiveShard& shard = impl_->shard(key);
  const std::unique_lock lock(shard.mutex);
  VT_TRY(PersonEntry * entry, impl_->bring(shard, key));
  if (shard.stored) VT_TRY(impl_->store.erase(live_store_key(key)));
  if (entry != nullptr) shard.drop(*entry);
  return {};
}

Status LiveState::merge(const Person& from, const Person& to) {
  if (is_nobody(from) || is_nobody(to)) return {};
  const Status merged = move_all(from, to);
  if (!merged.ok()) impl_->incomplete = true;
  return merged;
}

Status LiveState::move_all(const Person& from, const Person& to) {
  const PersonKey source = key_of(from), target = key_of(to);
  if (source == target) return {};
  LiveShard &near = impl_->shard(source), &far = impl_->shard(target);
  {
    const std::shared_lock lock(near.mutex);
    if (!near.stored && near.persons.find(source) == nullptr) return {};
  }
  std::unique_lock first(near.mutex, std::defer_lock), second(far.mutex, std::defer_lock);
  if (&near == &far) {
    first.lock();
  } else {
    std::lock(first, second);  // nobody sees the events twice, or nowhere
  }
  VT_TRY(PersonEntry * moved, impl_->bring(near, source));
  if (moved == nullptr) return {};
  VT_TRY(PersonEntry * entry, impl_->bring(far, target));
  if (near.stored) VT_TRY(impl_->store.erase(live_store_key(source)));
  if (entry == nullptr) {
    entry = &far.persons.add(target, {});
    entry->saved = far.round;
  }
  far.preserve(*entry);
  far.persons.merge(*entry, moved->events());
  if (entry->size > impl_->limits.history + impl_->limits.history / 4)
    far.persons.keep_latest(*entry, impl_->limits.history);
  entry->dirty = true;
  near.drop(*moved);
  return impl_->make_room(far, target);
}

std::vector<Candidate> LiveState::popular(const CountWindow& window, std::size_t n,
                                          const std::function<bool(ItemIndex)>& allowed) const {
  return impl_->counts.popular(window, n, allowed);
}

std::vector<Candidate> LiveState::trending(int hours, std::string_view region, std::size_t n,
                                           const std::function<bool(ItemIndex)>& allowed) const {
  return impl_->counts.trending(hours, region, n, allowed);
}

LiveStats LiveState::stats() const {
  LiveStats stats;
  for (const LiveShard& shard : impl_->shards) {
    const std::shared_lock lock(shard.mutex);
    stats.persons += shard.persons.size();
    stats.events += shard.persons.events();
    stats.evictions += shard.evictions;
    stats.memory_bytes += shard.persons.memory_bytes();
  }
  stats.memory_bytes += impl_->counts.memory_bytes();
  return stats;
}

}  // namespace vitrine

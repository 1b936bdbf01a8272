#include "engine/live_persons.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace vitrine {
namespace {

constexpr std::size_t kFirstSlots = 16;

bool before(const Kept& a, const Kept& b) {
  if (a.time != b.time) return a.time < b.time;
  // By distance: sequences go on where 32 bits end.
  return static_cast<std::int32_t>(a.order - b.order) < 0;
}

std::uint64_t slot_for(const PersonKey& key, std::size_t place) {
  return (key.low >> 32 << 32) | (place + 1);
}
std::size_t place_of(std::uint64_t slot) { return static_cast<std::uint32_t>(slot) - 1; }

}  // namespace

Persons::~Persons() {
  for (std::size_t i = 0; i < size_; ++i) std::free(at(i).kept);
}

std::size_t Persons::slot_of(const PersonKey& key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = key.low & mask;
  for (; slots_[i] != 0; i = (i + 1) & mask)
    if ((slots_[i] ^ key.low) >> 32 == 0 && at(place_of(slots_[i])).key == key) break;
  return i;
}

PersonEntry* Persons::find(const PersonKey& key) const {
  if (slots_.empty()) return nullptr;
  const std::uint64_t found = slots_[slot_of(key)];
  return found == 0 ? nullptr : &at(place_of(found));
}

void Persons::grow() {
  slots_ = std::vector<std::uint64_t>(std::max(kFirstSlots, slots_.size() * 2));
  for (std::size_t i = 0; i < size_; ++i) slots_[slot_of(at(i).key)] = slot_for(at(i).key, i);
}

PersonEntry& Persons::add(const PersonKey& key, std::span<const Kept> events) {
  if ((size_ + 1) * 5 > slots_.size() * 4) grow();
  if (size_ == chunks_.size() * kChunk) chunks_.push_back(std::make_unique<PersonEntry[]>(kChunk));
  slots_[slot_of(key)] = slot_for(key, size_);
  PersonEntry& entry = at(size_++);
  entry.key = key;
  entry.used.store(true, std::memory_order_relaxed);
  entry.dirty = false;
  if (!events.empty()) {
    resize(entry, events.size());
    std::memcpy(entry.kept, events.data(), events.size_bytes());
  }
  return entry;
}

// Frees a slot and moves up what was pushed behind it.
void Persons::unlink(std::size_t slot) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = slot;
  for (std::size_t i = (slot + 1) & mask; slots_[i] != 0; i = (i + 1) & mask) {
    const std::size_t home = at(place_of(slots_[i])).key.low & mask;
    if (((i - home) & mask) < ((i - hole) & mask)) continue;
    slots_[hole] = slots_[i];
    hole = i;
  }
  slots_[hole] = 0;
}

void Persons::drop(PersonEntry& entry) {
  resize(entry, 0);
  const std::size_t slot = slot_of(entry.key);
  const std::size_t place = place_of(slots_[slot]);
  unlink(slot);
  PersonEntry& moved = last();
  if (&moved != &entry) {
    slots_[slot_of(moved.key)] = slot_for(moved.key, place);
    entry.key = moved.key;
    entry.kept = std::exchange(moved.kept, nullptr);
    entry.size = std::exchange(moved.size, 0);
    entry.used.store(moved.used.load(std::memory_order_relaxed), std::memory_order_relaxed);
    entry.dirty = moved.dirty;
    entry.saved = moved.saved;
  }
  --size_;
  if (size_ + 2 * kChunk <= chunks_.size() * kChunk) chunks_.pop_back();
}

// Sets the number of events; new ones have no content yet.
void Persons::resize(PersonEntry& entry, std::size_t events) {
  const std::size_t had = kept_capacity(entry.size), wanted = kept_capacity(events);
  if (wanted == 0) {
    std::free(entry.kept);
    entry.kept = nullptr;
  } else if (wanted != had) {
    void* const block = std::realloc(static_cast<void*>(entry.kept), wanted * sizeof(Kept));
    if (block == nullptr) throw std::bad_alloc();
    entry.kept = static_cast<Kept*>(block);
  }
  heap_ = heap_ - kept_bytes(entry.size) + kept_bytes(events);
  events_ = events_ - entry.size + events;
  entry.size = static_cast<std::uint32_t>(events);
}

void Persons::insert(PersonEntry& entry, const Kept& kept) {
  const std::size_t size = entry.size;
  std::size_t i = size;
  if (size > 0 && kept.time < entry.kept[size - 1].time) {
    const auto later = [](const Kept& a, const Kept& b) { return a.time < b.time; };
    i = static_cast<std::size_t>(std::upper_bound(entry.kept, entry.kept + size, kept, later) -
                                 entry.kept);
  }
  resize(entry, size + 1);
  std::memmove(static_cast<void*>(entry.kept + i + 1), entry.kept + i, (size - i) * sizeof(Kept));
  entry.kept[i] = kept;
}

void Persons::remove(PersonEntry& entry, std::size_t i) {
  std::memmove(static_cast<void*>(entry.kept + i), entry.kept + i + 1,
               (entry.size - i - 1) * sizeof(Kept));
  resize(entry, entry.size - 1);
}

void Persons::keep_latest(PersonEntry& entry, std::size_t events) {
  if (entry.size <= events) return;
  std::memmove(static_cast<void*>(entry.kept), entry.kept + (entry.size - events),
               events * sizeof(Kept));
  resize(entry, events);
}

void Persons::merge(PersonEntry& entry, std::span<const Kept> events) {
  const std::vector<Kept> own(entry.kept, entry.kept + entry.size);
  resize(entry, own.size() + events.size());
  std::merge(own.begin(), own.end(), events.begin(), events.end(), entry.kept, before);
}

std::uint64_t Persons::memory_bytes() const {
  return chunks_.size() * heap_bytes(kChunk * sizeof(PersonEntry)) +
         chunks_.capacity() * sizeof(void*) + slots_.capacity() * sizeof(std::uint64_t) + heap_;
}

std::uint64_t Persons::memory_bytes_for(std::uint64_t persons, double events) {
  if (persons == 0) return 0;
  std::size_t slots = kFirstSlots;
  while (persons * 5 > slots * 4) slots *= 2;
  // Blocks are as large as they must be up to 15 events: linear in them, a header aside.
  const double block =
      events < 16 ? events * sizeof(Kept) + 16
                  : static_cast<double>(kept_bytes(static_cast<std::size_t>(std::llround(events))));
  return slots * sizeof(std::uint64_t) +
         static_cast<std::uint64_t>(static_cast<double>(persons) * (sizeof(PersonEntry) + block));
}

}  // namespace vitrine

// The persons of one shard of the live state: each one's events in a block of their own, found by
// an open-addressing index. Nothing doubles: what 10 million events take is what they need and an
// eighth. Not thread-safe, but for Entry::used.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "data/event.h"
#include "data/ids.h"

namespace vitrine {

// An event as it is kept. What it weighs follows from its type; its group is numbered when somebody
// asks: neighbours with the same `join` share one.
struct Kept {
  Timestamp time = kNoTime;
  ItemIndex item = kNoItem;
  std::uint32_t order = 0;  // low half of its sequence: what comes first of one time
  std::uint32_t join = 0;   // hash of the order or session id; 0: the pause decides
  float value = 1;
  float quantity = 1;  // pieces of a purchase or cart that have not come back
  EventType type = EventType::kView;
  bool counts_pieces = false;  // the value is the quantity
  std::uint8_t unused[2] = {};
};
static_assert(sizeof(Kept) == 32);

struct PersonKey {
  std::uint64_t low = 0, high = 0;
  friend bool operator==(const PersonKey&, const PersonKey&) = default;
};

struct PersonEntry {
  PersonKey key;
  Kept* kept = nullptr;  // in time order, ties in log order
  std::uint32_t size = 0;
  mutable std::atomic<bool> used{true};  // since the hand of the clock came by
  bool dirty = false;                    // differs from what the store holds
  std::uint8_t saved = 0;  // in the running checkpoint, when it equals LiveState's round

  std::span<Kept> events() { return {kept, size}; }
  std::span<const Kept> events() const { return {kept, size}; }
};

// Room for so many events: exact up to 15, then up to an eighth to spare.
constexpr std::size_t kept_capacity(std::size_t events) {
  const std::size_t step = events < 16 ? 1 : std::bit_floor(events) / 8;
  return (events + step - 1) / step * step;
}
// What malloc() takes for a block of so many bytes.
constexpr std::uint64_t heap_bytes(std::uint64_t bytes) {
  if (bytes == 0) return 0;
  return bytes + 8 <= 32 ? 32 : (bytes + 8 + 15) / 16 * 16;
}
constexpr std::uint64_t kept_bytes(std::size_t events) {
  return heap_bytes(kept_capacity(events) * sizeof(Kept));
}
// Of a person beside the events: the entry and its slots in the index, which is 2/5 to 4/5 full.
inline constexpr std::uint64_t kPersonBytes = sizeof(PersonEntry) + 14;

class Persons {
 public:
  Persons() = default;
  ~Persons();
  Persons(const Persons&) = delete;
  Persons& operator=(const Persons&) = delete;

  PersonEntry* find(const PersonKey& key) const;
  // Of somebody who is not there yet. Entries stay where they are until one is dropped.
  PersonEntry& add(const PersonKey& key, std::span<const Kept> events);
  void drop(PersonEntry& entry);  // the last entry moves into its place

  void insert(PersonEntry& entry, const Kept& kept);  // behind those that are not later
  void remove(PersonEntry& entry, std::size_t i);
  void keep_latest(PersonEntry& entry, std::size_t events);
  void merge(PersonEntry& entry, std::span<const Kept> events);  // in time and log order

  // Entries lie at places 0 to size() - 1.
  std::size_t size() const { return size_; }
  PersonEntry& at(std::size_t place) const { return chunks_[place / kChunk][place % kChunk]; }
  PersonEntry& last() const { return at(size_ - 1); }

  std::uint64_t events() const { return events_; }
  std::uint64_t bytes() const { return kPersonBytes * size_ + heap_; }  // of these persons
  std::uint64_t memory_bytes() const;                                   // allocated
  // What so many persons with so many events each, on average, will take.
  static std::uint64_t memory_bytes_for(std::uint64_t persons, double events);

 private:
  static constexpr std::size_t kChunk = 64;  // entries

  std::size_t slot_of(const PersonKey& key) const;  // its slot, or the free one where it would be
  void unlink(std::size_t slot);
  void grow();
  void resize(PersonEntry& entry, std::size_t events);

  std::vector<std::unique_ptr<PersonEntry[]>> chunks_;
  std::vector<std::uint64_t> slots_;  // low half: place + 1, 0: free; high half: that of the hash
  std::size_t size_ = 0;
  std::uint64_t events_ = 0, heap_ = 0;
};

}  // namespace vitrine

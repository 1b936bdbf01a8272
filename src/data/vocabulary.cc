#include "data/vocabulary.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <atomic>
#include <bit>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "base/result.h"

namespace vitrine {
namespace {

constexpr std::size_t kArenaBytes = 256 * 1024;
constexpr std::uint32_t kFirstSegment =
    1024;  // entries of the first segment; each next one doubles
constexpr int kSegments = 23;
constexpr std::size_t kFirstTable = 2048;

// A string in the arena: its length in four bytes, then its bytes.
std::string_view text_at(const char* entry) {
  if (entry == nullptr) return {};
  std::uint32_t length;
  std::memcpy(&length, entry, sizeof length);
  return {entry + sizeof length, length};
}

}  // namespace

// Readers take no lock for id(): segments and arena blocks never move, an entry is published by a
// release store. An id is written in the order text, slot, size: what find() returns has its text,
// and what size() counts is found. find() holds `growing` shared, against the one moment at which
// the hash table is replaced; adding to the table needs no lock. A slot is the upper half of the
// hash and the index plus one; 0 is free.
struct StringIndex::State {
  using Slot = std::atomic<std::uint64_t>;
  using Entry = std::atomic<const char*>;

  std::vector<std::unique_ptr<char[]>> arena;
  std::size_t arena_used = kArenaBytes;
  std::size_t arena_bytes = 0;
  std::atomic<Entry*> segments[kSegments] = {};
  std::atomic<std::uint32_t> size{0};
  std::unique_ptr<Slot[]> table{new Slot[kFirstTable]()};
  std::size_t capacity = kFirstTable;  // a power of two
  mutable std::shared_mutex growing;
  // Keeps readers who come one after another from starving the writer.
  mutable std::mutex gate;
  std::atomic<bool> wants_to_grow{false};

  State() = default;
  ~State() {
    for (auto& segment : segments) delete[] segment.load(std::memory_order_relaxed);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Entry* entry(std::uint32_t index) const;
  const char* store(std::string_view id);
  std::uint32_t probe(std::string_view id, std::uint64_t hash) const;
  void insert(std::uint64_t hash, std::uint32_t index);
  void grow();
  std::uint32_t take();
};

// Segment s holds the indexes [first * (2^s - 1), first * (2^(s+1) - 1)). Null where none is yet.
StringIndex::State::Entry* StringIndex::State::entry(std::uint32_t index) const {
  const std::uint64_t place = std::uint64_t{index} + kFirstSegment;
  const int s = std::bit_width(place / kFirstSegment) - 1;
  Entry* const segment = segments[s].load(std::memory_order_acquire);
  return segment == nullptr ? nullptr : segment + (place - (std::uint64_t{kFirstSegment} << s));
}

const char* StringIndex::State::store(std::string_view id) {
  const auto length = static_cast<std::uint32_t>(id.size());
  const std::size_t bytes = sizeof length + id.size();
  if (arena_used + bytes > kArenaBytes) {
    const std::size_t block = bytes > kArenaBytes ? bytes : kArenaBytes;
    arena.push_back(std::make_unique<char[]>(block));
    arena_bytes += block;
    arena_used = 0;
  }
  char* const at = arena.back().get() + arena_used;
  std::memcpy(at, &length, sizeof length);
  if (length > 0) std::memcpy(at + sizeof length, id.data(), length);
  arena_used = bytes > kArenaBytes ? kArenaBytes : arena_used + bytes;
  return at;
}

// The index of an id, ~0u when it is not there.
std::uint32_t StringIndex::State::probe(std::string_view id, std::uint64_t hash) const {
  const std::uint64_t tag = hash >> 32;
  for (std::size_t i = hash & (capacity - 1);; i = (i + 1) & (capacity - 1)) {
    const std::uint64_t slot = table[i].load(std::memory_order_acquire);
    if (slot == 0) return ~0u;
    if (slot >> 32 != tag) continue;
    const auto index = static_cast<std::uint32_t>(slot) - 1;
    const char* const text = entry(index)->load(std::memory_order_acquire);
    if (text != nullptr && text_at(text) == id) return index;
  }
}

void StringIndex::State::insert(std::uint64_t hash, std::uint32_t index) {
  std::size_t i = hash & (capacity - 1);
  while (table[i].load(std::memory_order_relaxed) != 0) i = (i + 1) & (capacity - 1);
  table[i].store((hash >> 32 << 32) | (index + 1), std::memory_order_release);
}

void StringIndex::State::grow() {
  const std::lock_guard turn(gate);
  wants_to_grow.store(true, std::memory_order_relaxed);
  {
    const std::unique_lock alone(growing);
    capacity *= 2;
    table.reset(new Slot[capacity]());
    const std::uint32_t count = size.load(std::memory_order_relaxed);
    for (std::uint32_t index = 0; index < count; ++index) {
      const char* const text = entry(index)->load(std::memory_order_relaxed);
      if (text == nullptr) continue;
      const std::string_view id = text_at(text);
      insert(XXH3_64bits(id.data(), id.size()), index);
    }
  }
  wants_to_grow.store(false, std::memory_order_relaxed);
}

// Room for the next index, which `size` does not count yet.
std::uint32_t StringIndex::State::take() {
  const std::uint32_t index = size.load(std::memory_order_relaxed);
  VT_CHECK(index < ~0u - 1);  // memory ends long before
  if ((std::uint64_t{index} + 1) * 4 > std::uint64_t{capacity} * 3) grow();
  const std::uint64_t place = std::uint64_t{index} + kFirstSegment;
  const int segment = std::bit_width(place / kFirstSegment) - 1;
  if (segments[segment].load(std::memory_order_relaxed) == nullptr) {
    segments[segment].store(new Entry[std::size_t{kFirstSegment} << segment](),
                            std::memory_order_release);
  }
  return index;
}

StringIndex::StringIndex() : state_(std::make_unique<State>()) {}
StringIndex::~StringIndex() = default;
StringIndex::StringIndex(StringIndex&&) noexcept = default;
StringIndex& StringIndex::operator=(StringIndex&&) noexcept = default;

std::uint32_t StringIndex::add(std::string_view id) {
  State& s = *state_;
  const std::uint64_t hash = XXH3_64bits(id.data(), id.size());
  if (const std::uint32_t index = s.probe(id, hash); index != ~0u) return index;
  const std::uint32_t index = s.take();
  s.entry(index)->store(s.store(id), std::memory_order_release);
  s.insert(hash, index);
  s.size.store(index + 1, std::memory_order_release);
  return index;
}

std::uint32_t StringIndex::add_hole() {
  const std::uint32_t index = state_->take();
  state_->size.store(index + 1, std::memory_order_release);
  return index;
}

std::optional<std::uint32_t> StringIndex::find(std::string_view id) const {
  const State& s = *state_;
  const std::uint64_t hash = XXH3_64bits(id.data(), id.size());
  if (s.wants_to_grow.load(std::memory_order_relaxed)) const std::lock_guard wait(s.gate);
  const std::shared_lock stable(s.growing);
  const std::uint32_t index = s.probe(id, hash);
  return index == ~0u ? std::nullopt : std::optional(index);
}

std::string_view StringIndex::id(std::uint32_t index) const {
  const State::Entry* const entry = state_->entry(index);
  return entry == nullptr ? std::string_view{} : text_at(entry->load(std::memory_order_acquire));
}

// The slot stays and leads to a hole: later probes pass over it, the next growth drops it.
bool StringIndex::erase(std::string_view id) {
  State& s = *state_;
  const std::uint32_t index = s.probe(id, XXH3_64bits(id.data(), id.size()));
  if (index == ~0u) return false;
  s.entry(index)->store(nullptr, std::memory_order_release);
  return true;
}

std::uint32_t StringIndex::size() const { return state_->size.load(std::memory_order_acquire); }

std::size_t StringIndex::memory_bytes() const {
  const State& s = *state_;
  std::size_t bytes = sizeof(State) + s.arena_bytes + s.capacity * sizeof(State::Slot);
  for (int i = 0; i < kSegments; ++i) {
    if (s.segments[i].load(std::memory_order_relaxed) != nullptr) {
      bytes += (std::size_t{kFirstSegment} << i) * sizeof(State::Entry);
    }
  }
  return bytes;
}

std::size_t StringIndex::memory_bytes_for(std::uint32_t ids, std::size_t text_bytes) {
  const std::size_t text = text_bytes + ids * sizeof(std::uint32_t);
  std::size_t bytes = sizeof(State) + (text + kArenaBytes - 1) / kArenaBytes * kArenaBytes;
  std::size_t capacity = kFirstTable;
  while (std::uint64_t{ids} * 4 > std::uint64_t{capacity} * 3) capacity *= 2;
  bytes += capacity * sizeof(State::Slot);
  std::uint64_t entries = 0;
  for (std::uint64_t segment = kFirstSegment; entries < ids; segment *= 2) entries += segment;
  return bytes + entries * sizeof(State::Entry);
}

}  // namespace vitrine

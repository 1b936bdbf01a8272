// What LiveState is made of: private to live_state*.cc.
#pragma once

#include <array>
#include <atomic>
#include <shared_mutex>
#include <string>

#include "engine/live_persons.h"
#include "engine/live_state.h"

namespace vitrine {

inline constexpr std::size_t kLiveShards = 64;
inline constexpr std::string_view kLivePrefix = "live/";  // of keys in the state store

std::string live_store_key(const PersonKey& key);

struct LiveShard {
  mutable std::shared_mutex mutex;
  Persons persons;
  std::size_t hand = 0;  // of the clock that evicts
  std::uint64_t evictions = 0;
  bool stored = false;  // the store may hold persons of this shard

  // A checkpoint that is being written: persons whose `saved` differs from `round` are not in it
  // yet. Of several records of one person the first counts, so what leaves for the store after it
  // was saved, or came after the checkpoint began, leaves an empty one.
  bool saving = false;
  std::uint8_t round = 0;  // of checkpoints; each sees every person, so old numbers do not return
  std::string records;

  void record(const PersonKey& key, std::span<const Kept> events);
  void preserve(PersonEntry& entry);  // before it changes
  void drop(PersonEntry& entry);      // to forget it, or because it moved to the store
};

struct LiveState::Impl {
  Impl(StateStore& state_store, LiveLimits bounds) : store(state_store), limits(bounds) {}

  LiveShard& shard(const PersonKey& key) { return shards[key.low >> 58]; }
  Result<PersonEntry*> bring(LiveShard& shard, const PersonKey& key);
  Status make_room(LiveShard& shard, const PersonKey& except);
  Status forget_sessions(std::uint64_t sequence);
  Status read_records(std::string_view bytes, std::uint32_t items);
  Status fold(LiveShard& shard, const PersonKey& key, std::uint64_t sequence, const Event& event,
              ItemIndex item, std::string_view region);
  Kept keep(std::uint64_t sequence, const Event& event, ItemIndex item) const;
  void take_back(Persons& persons, PersonEntry& entry, const Event& event, ItemIndex item,
                 std::string_view region);
  void take_order_back(Persons& persons, PersonEntry& entry, const Event& event,
                       std::string_view region);
  std::vector<HistoryEvent> interest(const PersonEntry& entry, ItemIndex item) const;
  template <class Change>
  void recount(const PersonEntry& entry, ItemIndex item, std::string_view region,
               const Change& change);
  bool matters(const Event& event, ItemIndex item) const;
  float weight(EventType type) const { return weights[static_cast<std::size_t>(type)]; }
  std::vector<HistoryEvent> copy(const PersonEntry& entry) const;
  std::vector<ItemIndex> unwanted(const PersonEntry& entry) const;

  StateStore& store;
  const LiveLimits limits;
  EventWeights weights{};
  std::string group_by;
  std::uint64_t gap = 0;  // milliseconds
  std::array<LiveShard, kLiveShards> shards;
  LiveCounts counts;
  std::shared_ptr<const LiveCounts::Pinned> pinned;  // by the checkpoint that is being written
  // The state store failed to bring somebody back, or to forget them: only a fold of the log knows
  // them now, and a checkpoint would say otherwise.
  std::atomic<bool> incomplete{false};
};

}  // namespace vitrine

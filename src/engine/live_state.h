// What people did up to this moment, in memory: each person's latest events and how often each item
// was wanted on each day. A fold of the event log: fed with every event in the order of the log, it
// is the same after any restart.
//
// A person is a known user, or one session of an anonymous visitor. Persons live in shards; those
// not heard of lately move to the state store when memory is full and come back when asked for. The
// state store is derived too, so opening empties it.
//
// Thread safety: one thread at a time calls apply(); everything else runs from any thread beside
// it. A list asked for after apply() returned sees its event.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/archive.h"
#include "data/event.h"
#include "data/histories.h"
#include "data/query.h"
#include "engine/limits.h"
#include "engine/live_counts.h"
#include "store/state_store.h"

namespace vitrine {

struct Person {
  UserIndex user = kNoUser;
  std::string_view session;  // counts when there is no user
};

struct LiveLimits {
  std::size_t history = kHistoryMax;                   // events kept of each person, the latest
  std::uint64_t memory_bytes = kLiveBytesMax;          // of persons in memory
  std::uint64_t stored_sessions = kStoredSessionsMax;  // kept in the state store, the latest
};

struct LiveStats {
  std::uint64_t persons = 0;       // in memory
  std::uint64_t events = 0;        // of these
  std::uint64_t evictions = 0;     // to the state store since opening
  std::uint64_t memory_bytes = 0;  // persons and counters
};

class LiveState {
 public:
  // kInvalid when the options are wrong. `store` outlives the state; its keys under "live/" are
  // taken over.
  static Result<std::unique_ptr<LiveState>> open(const HistoryOptions& options,
                                                 const EventTypes& types, StateStore& store,
                                                 LiveLimits limits = {});
  ~LiveState();
  LiveState(const LiveState&) = delete;
  LiveState& operator=(const LiveState&) = delete;

  // Folds one event of the log in. Sequences rise from call to call; one that is not above the last
  // is ignored, so that folding again changes nothing. An event enters the history by its time and
  // its weight as in build_histories(); a return takes its pieces out of the person's latest
  // purchases of the item that are not later than it, or all that is left of the order it names,
  // and a removal from the cart out of the carts. An error is the state store's: the event is
  // counted all the same, but memory may stay above its limit, and who could not be brought back
  // from the store is somebody new until the log is folded again: prepare_save() refuses to keep
  // that. `region`: where it counts as well; empty: nowhere.
  Status apply(std::uint64_t sequence, const Event& event, const Person& person, ItemIndex item,
               std::string_view region = {});
  std::uint64_t sequence() const { return sequence_.load(std::memory_order_acquire); }

  // The person's latest events in time order, groups as in Histories, numbered from 0. Empty for
  // somebody unknown. An error is the state store's.
  Result<std::vector<HistoryEvent>> history(const Person& person) const;
  // Items that the person does not want to see: the latest event of each has a negative weight.
  Result<std::vector<ItemIndex>> unwanted(const Person& person) const;
  // Forgets the person's events. Counts of items stay: they name nobody.
  Status erase(const Person& person);

  // Moves all events of `from` to `to`, at once; ties of time in log order. Costs a look into a
  // table when there are none. One thread at a time, like apply().
  Status merge(const Person& from, const Person& to);

  // The n items with the highest sum of weights in the window, best first, of those that `allowed`
  // lets through.
  std::vector<Candidate> popular(const CountWindow& window, std::size_t n,
                                 const std::function<bool(ItemIndex)>& allowed) const;
  // The n items that rise most against their own baseline: the weight of the latest `hours` (at
  // most kPopularHours) over what was expected of them, (seen + a) / (expected + a) with
  // a = kTrendPrior. Expected is the item's share of the latest kTrendBaselineDays, those hours
  // aside, times all that was seen: so the hour of the day makes no trend. The prior shrinks the
  // ratios of rare items towards 1, as the gamma-Poisson shrinker of DuMouchel, "Bayesian data
  // mining in large frequency tables" (1999). An item needs a weight of kTrendFloor, and one that
  // lies kTrendDeviations standard deviations of a Poisson count above its expectation.
  std::vector<Candidate> trending(int hours, std::string_view region, std::size_t n,
                                  const std::function<bool(ItemIndex)>& allowed) const;

  // Before a checkpoint: forgets the sessions of anonymous visitors that the store has too many of.
  // kIo when the store has failed, so that a checkpoint would lack what only the log has.
  Status prepare_save();
  // A checkpoint holds the state as it was at begin_save(), while no apply() ran; save() writes it
  // beside everything else, holding up what it meets for the copy of a few hundred persons. Each
  // person is written before it changes. load() fills a state that was just opened; afterwards it
  // may only be destroyed when that fails.
  void begin_save();
  Status save(ArchiveWriter& writer);
  Status load(ArchiveReader& reader, std::uint64_t sequence, std::uint32_t items);

  LiveStats stats() const;

 private:
  struct Impl;
  Status erase_all(const Person& person);
  Status move_all(const Person& from, const Person& to);
  explicit LiveState(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
  std::atomic<std::uint64_t> sequence_{0};
};

}  // namespace vitrine

// The shop as of now: the fold of the event log that answers are made from. At start the latest
// checkpoint and what the log has behind it, or the whole log; then fed with every batch right
// after the log took it, in the order of the log.
//
// Thread safety: reading from any thread. Writers call apply(), which puts them in the log's order.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/run.h"
#include "engine/config.h"
#include "engine/known_ids.h"
#include "engine/live_catalogue.h"
#include "engine/live_checkpoint.h"
#include "engine/live_state.h"
#include "engine/merge.h"
#include "store/event_log.h"

namespace vitrine {

class Live {
 public:
  // `limits`: other than [live] says. `state_url`: of the state store that evicted histories and
  // user records go to. `known`: of a log that lost old records. A checkpoint that cannot be used
  // is said to be so, and all that the log has is read; kCorrupt when it lacks records that are not
  // known.
  static Result<std::unique_ptr<Live>> replay(const Run& run, const EventLog& log,
                                              const EventTypes& types, const Config& config,
                                              const std::string& state_url,
                                              const CheckpointPlace& checkpoint = {},
                                              std::optional<LiveLimits> limits = {},
                                              KnownIds known = {});

  // Of an empty log, in memory: to be fed by apply(), and up to what is known by fold().
  static Result<std::unique_ptr<Live>> nothing(const EventTypes& types, const Config& config,
                                               KnownIds known = {});
  // The next record of the log, nobody else writing. Its items are shown after the next apply().
  Status fold(const LogRecord& record, const EventTypes& types, Event& scratch);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  std::shared_ptr<const CatalogueVersion> catalogue() const { return catalogue_.current(); }
  const LiveState& people() const { return *people_; }
  Result<std::optional<User>> user(std::string_view id) const;
  std::uint64_t sequence() const { return sequence_.load(); }
  std::uint64_t events() const { return events_.load(); }
  // Whether the state holds `sequence` within `milliseconds`.
  bool wait_for(std::uint64_t sequence, std::int64_t milliseconds) const;

  // Writes a checkpoint of the state as it is now, beside everything else but other saves. `log` is
  // synced first.
  Status save(const CheckpointPlace& place, EventLog& log);
  // The log up to here is in a checkpoint that is on the disk; 0: none is. Records before it are
  // not needed to start again.
  std::uint64_t checkpointed() const { return saved_.load(); }
  // kExhausted when memory ran out while records were folded in: the log has them, this state has
  // them after the next start. Until then nothing more is folded in, or saved.
  Status whole() const;

  // What a batch may do in its turn.
  class Turn {
   public:
    void event(std::uint64_t sequence, const Event& event);
    void item(Item item);
    void user(const User& user, std::string_view json);
    void erase_item(std::string_view id);
    void erase_user(std::string_view id);
    void merge(const Merge& merge);
    // Any record; `event` is scratch.
    Status record(const LogRecord& record, const EventTypes& types, Event& event);

   private:
    friend class Live;
    explicit Turn(Live& live) : live_(live) {}
    Live& live_;
  };
  // Waits until everything before `first` is applied, runs `batch`, and makes it visible at once:
  // afterwards the state holds the log up to `last`.
  void apply(std::uint64_t first, std::uint64_t last, const std::function<void(Turn&)>& batch);

 private:
  static constexpr std::string_view kUserKeys = "user/";  // in the state store

  Live(const Config& config, const EventTypes& types)
      : cleaning_(config.cleaning), options_(config.live), settings_(settings(config, types)) {}
  static std::string settings(const Config& config, const EventTypes& types);
  static Result<std::unique_ptr<Live>> empty(const EventTypes& types, const Config& config,
                                             const std::string& state_url, LiveLimits limits);
  static Result<std::unique_ptr<Live>> start(const EventLog& log, const EventTypes& types,
                                             const Config& config, const std::string& state_url,
                                             const CheckpointPlace& checkpoint, LiveLimits limits,
                                             KnownIds known);
  void begin_with(KnownIds known);
  UserIndex user_of(std::string_view id);
  Status load(const CheckpointPlace& place, const EventLog& log);
  void grow();
  bool is_product(std::string_view id) const;
  void complain(const Status& status);

  const CleaningOptions cleaning_;
  const LiveOptions options_;
  const std::string settings_;  // a fingerprint of what decides what a record does
  std::unique_ptr<StateStore> store_;
  Vocabulary vocabulary_;
  std::uint64_t known_ = 0;         // it held the ids of records up to here before they were read
  std::optional<KnownUsers> then_;  // of these records
  bool unknown_ = false;            // one of them names somebody else
  LiveCatalogue catalogue_;
  std::unique_ptr<LiveState> people_;
  std::uint32_t grown_items_ = 0;
  std::atomic<std::uint64_t> events_{0};
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<bool> whole_{true};
  mutable std::mutex mutex_;
  mutable std::condition_variable advanced_;
  bool complained_ = false;

  std::mutex saving_mutex_;
  std::atomic<std::uint64_t> saved_{0};
  std::mutex erased_mutex_;
  // While a checkpoint takes the ids down: those erased since it began.
  std::optional<std::map<std::uint32_t, std::string>> erased_;
};

}  // namespace vitrine

// The shop as of now: the fold of the event log that answers are made from. Replayed at start, then
// fed with every batch right after the log took it, in the order of the log.
//
// Thread safety: reading from any thread. Writers call apply(), which puts them in the log's order.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/run.h"
#include "engine/config.h"
#include "engine/live_catalogue.h"
#include "engine/live_state.h"
#include "store/event_log.h"

namespace vitrine {

class Live {
 public:
  // Reads the whole log. `state_url`: of the state store that evicted histories and user records go
  // to.
  static Result<std::unique_ptr<Live>> replay(const Run& run, const EventLog& log,
                                              const EventTypes& types, const Config& config,
                                              const std::string& state_url);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  std::shared_ptr<const CatalogueVersion> catalogue() const { return catalogue_.current(); }
  const LiveState& people() const { return *people_; }
  Result<std::optional<User>> user(std::string_view id) const;
  std::uint64_t sequence() const { return sequence_.load(); }
  std::uint64_t events() const { return events_.load(); }
  // Whether the state holds `sequence` within `milliseconds`.
  bool wait_for(std::uint64_t sequence, std::int64_t milliseconds) const;

  // What a batch may do in its turn.
  class Turn {
   public:
    void event(std::uint64_t sequence, const Event& event);
    void item(Item item);
    void user(const User& user, std::string_view json);
    void erase_item(std::string_view id);
    void erase_user(std::string_view id);

   private:
    friend class Live;
    explicit Turn(Live& live) : live_(live) {}
    Live& live_;
  };
  // Waits until everything before `first` is applied, runs `batch`, and makes it visible at once:
  // afterwards the state holds the log up to `last`.
  void apply(std::uint64_t first, std::uint64_t last, const std::function<void(Turn&)>& batch);

 private:
  explicit Live(const Config& config) : cleaning_(config.cleaning) {}
  Status fold(const LogRecord& record, const EventTypes& types, Event& event);
  void grow();
  bool is_product(std::string_view id) const;
  void complain(const Status& status);

  const CleaningOptions cleaning_;
  std::unique_ptr<StateStore> store_;
  Vocabulary vocabulary_;
  LiveCatalogue catalogue_;
  std::unique_ptr<LiveState> people_;
  std::uint32_t grown_items_ = 0;
  std::atomic<std::uint64_t> events_{0};
  std::atomic<std::uint64_t> sequence_{0};
  mutable std::mutex mutex_;
  mutable std::condition_variable advanced_;
  bool complained_ = false;
};

}  // namespace vitrine

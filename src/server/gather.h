// Joins the small requests to log events that are in flight at the same time into one write, so
// that they share a sync of the log, its bookkeeping and the turn in the live state, and hold no
// thread while they wait.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "engine/engine.h"
#include "engine/worker.h"

namespace vitrine {

class EventGather {
 public:
  explicit EventGather(Engine& engine);  // starts the thread that writes
  ~EventGather();                        // writes what was added
  EventGather(const EventGather&) = delete;
  EventGather& operator=(const EventGather&) = delete;

  // Engine::add_events() of these together with what others bring meanwhile, then `done` from the
  // thread that writes; it must not block. The events must have been checked. `sequence` may be
  // later than that of these events. When the log refuses a write, all who took part in it hear
  // so. Thread-safe.
  void add(std::vector<Event> events, std::function<void(const Result<Ack>&)> done);

 private:
  struct Waiting {
    std::vector<Event> events;
    std::function<void(const Result<Ack>&)> done;
  };
  void loop();
  void write(std::vector<Waiting>& all);

  Engine& engine_;
  std::mutex mutex_;  // of the three below
  std::condition_variable wake_;
  std::vector<Waiting> waiting_;
  bool stopping_ = false;
  Worker thread_;
};

}  // namespace vitrine

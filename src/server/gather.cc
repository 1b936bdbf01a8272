#include "server/gather.h"

#include <exception>
#include <new>
#include <utility>

namespace vitrine {

EventGather::EventGather(Engine& engine) : engine_(engine), thread_([this] { loop(); }) {}

EventGather::~EventGather() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void EventGather::add(std::vector<Event> events, std::function<void(const Result<Ack>&)> done) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = waiting_.empty();
    waiting_.push_back({std::move(events), std::move(done)});
  }
  if (first) wake_.notify_one();
}

void EventGather::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::vector<Waiting> all;
    all.swap(waiting_);
    lock.unlock();
    write(all);
    lock.lock();
  }
}

void EventGather::write(std::vector<Waiting>& all) {
  const auto ack = [&]() -> Result<Ack> {
    try {
      std::vector<Event> events;
      for (Waiting& one : all) {
        for (Event& event : one.events) events.push_back(std::move(event));
      }
      return engine_.add_events(events);
    } catch (const std::bad_alloc&) {
      return Error{Code::kUnavailable, "out of memory; try again"};
    } catch (const std::exception& e) {
      return Error{Code::kInternal, e.what()};
    }
  }();
  std::size_t at = 0;
  for (const Waiting& one : all) {
    if (!ack.ok()) {
      one.done(ack.error());
      continue;
    }
    Ack own;
    own.sequence = ack->sequence;
    for (std::size_t i = 0; i < one.events.size(); ++i) {
      (ack->is_repeated[at++] ? own.repeated : own.accepted) += 1;
    }
    one.done(own);
  }
}

}  // namespace vitrine

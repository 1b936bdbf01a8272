#include "store/syncer.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace vitrine {

struct Syncer::State {
  std::function<void()> sync;
  std::chrono::milliseconds delay;
  std::mutex mutex;
  std::condition_variable wake;
  bool wrote = false, stopping = false;
  std::thread thread;

  void loop() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      wake.wait(lock, [&] { return stopping || wrote; });
      if (wake.wait_for(lock, delay, [&] { return stopping; })) return;
      wrote = false;
      lock.unlock();
      sync();
      lock.lock();
    }
  }
};

Syncer::Syncer(std::function<void()> sync, int milliseconds) : state_(std::make_unique<State>()) {
  state_->sync = std::move(sync);
  state_->delay = std::chrono::milliseconds(milliseconds);
  state_->thread = std::thread([state = state_.get()] { state->loop(); });
}

Syncer::~Syncer() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  state_->thread.join();
}

void Syncer::wrote() {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->wrote) return;
    state_->wrote = true;
  }
  state_->wake.notify_all();
}

}  // namespace vitrine

#include "engine/worker.h"

#include <thread>

namespace vitrine {

struct Worker::State {
  std::thread thread;
};

Worker::Worker(std::function<void()> loop)
    : state_(std::make_unique<State>(State{std::thread(std::move(loop))})) {}

Worker::~Worker() = default;

void Worker::join() { state_->thread.join(); }

}  // namespace vitrine

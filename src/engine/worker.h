// One thread that belongs to an object, kept out of headers: <thread> costs a second of compiling
// wherever it is included.
#pragma once

#include <functional>
#include <memory>

namespace vitrine {

// Runs `loop` on a thread of its own from construction on. The owner makes the loop end, then
// joins.
class Worker {
 public:
  explicit Worker(std::function<void()> loop);
  ~Worker();  // must have been joined
  void join();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vitrine

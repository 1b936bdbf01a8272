// A bounded thread pool and a parallel_for whose blocks depend on the problem alone, never on the
// number of threads: a reduction that adds its blocks' results in block order is the same for any
// pool.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace vitrine {

// `threads` counts the caller: ThreadPool(1) starts no thread at all. Thread-safe: several threads
// may call run() at once, and a block may call run() again (the caller always works, so nothing
// waits for a free thread). Destruction waits for running work.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Calls block(0) ... block(count - 1), each once, on this thread and the pool's; returns when all
  // are done. What a block throws ends the others soon, and comes out of here.
  void run(std::int64_t count, const std::function<void(std::int64_t)>& block);

 private:
  struct State;
  int threads_;
  std::unique_ptr<State> state_;
};

// Calls body(begin, end) for fixed blocks of `grain` items that cover [0, count).
void parallel_for(ThreadPool& pool, std::int64_t count, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace vitrine

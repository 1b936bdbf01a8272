#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"

namespace vitrine {
namespace {

// One run(): threads take block numbers until none is left.
struct Job {
  Job(std::int64_t n, const std::function<void(std::int64_t)>& f) : count(n), block(&f) {}
  const std::int64_t count;
  const std::function<void(std::int64_t)>*
      block;  // valid while blocks are left: run() waits for them
  std::atomic<std::int64_t> next{0};
  std::atomic<std::int64_t> done{0};
  std::mutex mutex;
  std::condition_variable finished;
  std::atomic<bool> failed{false};
  std::exception_ptr failure;  // the first

  void one(std::int64_t i) {
    if (failed.load()) return;
    try {
      (*block)(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  }

  void work() {
    std::int64_t mine = 0;
    for (std::int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1), ++mine) one(i);
    if (mine > 0 && done.fetch_add(mine) + mine == count) {
      std::lock_guard lock(mutex);
      finished.notify_all();
    }
  }
};

}  // namespace

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::shared_ptr<Job>> queue;
  bool stopping = false;
  std::vector<std::thread> workers;

  void loop() {
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [&] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      std::shared_ptr<Job> job = queue.front();
      if (job->next.load() >= job->count) {
        queue.pop_front();
        continue;
      }
      lock.unlock();
      job->work();
      lock.lock();
    }
  }
};

ThreadPool::ThreadPool(int threads)
    : threads_(std::max(1, threads)), state_(std::make_unique<State>()) {
  for (int i = 1; i < threads_; ++i)
    state_->workers.emplace_back([s = state_.get()] { s->loop(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  for (std::thread& worker : state_->workers) worker.join();
}

void ThreadPool::run(std::int64_t count, const std::function<void(std::int64_t)>& block) {
  if (count <= 0) return;
  if (threads_ == 1 || count == 1) {
    for (std::int64_t i = 0; i < count; ++i) block(i);
    return;
  }
  auto job = std::make_shared<Job>(count, block);
  {
    std::lock_guard lock(state_->mutex);
    state_->queue.push_back(job);
  }
  state_->wake.notify_all();
  job->work();
  {
    std::unique_lock lock(job->mutex);
    job->finished.wait(lock, [&] { return job->done.load() == count; });
  }
  {
    std::lock_guard lock(state_->mutex);
    std::erase(state_->queue, job);
  }
  if (job->failure) std::rethrow_exception(job->failure);
}

void parallel_for(ThreadPool& pool, std::int64_t count, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body) {
  VT_CHECK(grain > 0);
  const std::int64_t blocks = (count + grain - 1) / grain;
  pool.run(blocks, [&](std::int64_t i) { body(i * grain, std::min(count, (i + 1) * grain)); });
}

}  // namespace vitrine

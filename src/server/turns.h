// Whose turn it is. Requests that were read wait here, first come, first served; who would wait too
// long is told at once, while telling is still cheap. Thread-safe; knows neither clocks nor HTTP.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>

namespace vitrine {

class Turns {
 public:
  using Job = std::function<void()>;
  // wait_max_s: the longest wait that is expected of anybody; 0: any.
  Turns(int threads, double wait_max_s) : threads_(threads), wait_max_s_(wait_max_s) {}

  bool ask(Job job);          // false: it would have to wait too long
  Job take();                 // the oldest; null when none waits
  void took(double seconds);  // what a job took

  std::size_t waiting() const { return count_.load(std::memory_order_relaxed); }

 private:
  const int threads_;
  const double wait_max_s_;
  std::mutex mutex_;
  std::deque<Job> jobs_;
  std::atomic<std::size_t> count_{0};
  double mean_s_ = 0;  // of the latest jobs
};

}  // namespace vitrine

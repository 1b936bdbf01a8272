// Whose turn it is: requests that were read wait here, first come, first served. When more comes
// than is answered, who has waited too long is told so instead. What counts is how long was really
// waited, and for how long that has been so: a stall, or other work on the machine, turns nobody
// away as long as the queue recovers from it. Thread-safe; knows neither clocks nor HTTP.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

#include "server/limits.h"

namespace vitrine {

template <class Who>
class Turns {
 public:
  // wait_max_s: the longest wait of anybody while the queue stands; 0: any.
  explicit Turns(double wait_max_s) : wait_max_s_(wait_max_s) {}

  struct Turn {
    Who who;
    bool in_time = true;  // else: to be told that it took too long
  };

  // Times are seconds of one clock that never goes back.
  void come(Who who, double now_s) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(who), now_s});
    count_ = waiting_.size();
  }

  // The oldest; nothing when nobody waits.
  std::optional<Turn> take(double now_s) {
    if (count_ == 0) return std::nullopt;
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return std::nullopt;
    const double waited_s = now_s - waiting_.front().since_s;
    look(waited_s, now_s);
    const bool late = stands_ && waited_s > wait_max_s_ && waiting_.size() > kWaitingAlways;
    std::optional<Turn> turn(Turn{std::move(waiting_.front().who), !late});
    waiting_.pop_front();
    count_ = waiting_.size();
    return turn;
  }

  std::size_t waiting() const { return count_; }

 private:
  struct Waiting {
    Who who;
    double since_s;
  };

  // The queue stands once all that was taken for a while had waited too long, until one has waited
  // for half as long: it hovers about wait_max_s_ while those who wait longer are turned away.
  void look(double waited_s, double now_s) {
    if (wait_max_s_ <= 0) return;
    if (waited_s <= wait_max_s_) {
      long_since_s_ = std::numeric_limits<double>::infinity();
      stands_ = stands_ && waited_s > wait_max_s_ / 2;
    } else {
      long_since_s_ = std::min(long_since_s_, now_s);
      stands_ = stands_ || now_s - long_since_s_ >= kStandingSeconds;
    }
  }

  const double wait_max_s_;
  std::mutex mutex_;
  std::deque<Waiting> waiting_;
  std::atomic<std::size_t> count_{0};
  double long_since_s_ = std::numeric_limits<double>::infinity();
  bool stands_ = false;
};

}  // namespace vitrine

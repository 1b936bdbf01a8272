#include "server/turns.h"

#include <utility>

#include "server/limits.h"

namespace vitrine {

bool Turns::ask(Job job) {
  std::lock_guard lock(mutex_);
  const double wait_s = mean_s_ * static_cast<double>(jobs_.size()) / threads_;
  if (wait_max_s_ > 0 && wait_s > wait_max_s_ && jobs_.size() >= kWaitingAlways) return false;
  jobs_.push_back(std::move(job));
  count_ = jobs_.size();
  return true;
}

Turns::Job Turns::take() {
  if (count_ == 0) return {};
  std::lock_guard lock(mutex_);
  if (jobs_.empty()) return {};
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  count_ = jobs_.size();
  return job;
}

void Turns::took(double seconds) {
  std::lock_guard lock(mutex_);
  mean_s_ += (seconds - mean_s_) * (mean_s_ == 0 ? 1 : kTurnWeight);
}

}  // namespace vitrine

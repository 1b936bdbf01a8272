#include "engine/background.h"

#include <algorithm>

#include "engine/diag.h"
#include "engine/limits.h"

namespace vitrine {

Background::Background(Work work, double schedule_hours, Retries retries, double hours_since)
    : work_(std::move(work)),
      schedule_(schedule_hours * 3600),
      since_(std::clamp(hours_since, 0., schedule_hours) * 3600),
      retries_(retries),
      thread_([this] { loop(); }) {}

Background::~Background() {
  {
    std::lock_guard lock(mutex_);
    stopping_.store(true);
  }
  wake_.notify_all();
  thread_.join();
}

Status Background::start(const TrainRequest& request) {
  {
    std::lock_guard lock(mutex_);
    if (running_ || wanted_) {
      return Error{Code::kUnavailable, "a training is running; try again when it is done"};
    }
    wanted_ = request;
  }
  wake_.notify_all();
  return {};
}

std::string Background::status() const {
  std::lock_guard lock(mutex_);
  if (running_ || wanted_) return "running";
  return failure_.empty() ? "idle" : "failed: " + failure_;
}

Status Background::train(const TrainRequest& request) {
  try {
    return work_.train(request, stopping_);
  } catch (const std::bad_alloc&) {
    return Error{Code::kExhausted, "out of memory"};
  }
}

void Background::look() {
  try {
    work_.look();
  } catch (const std::bad_alloc&) {
    diag(Level::kError, "out of memory while a published snapshot was loaded");
  }
}

void Background::loop() {
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_start = Clock::now() - std::chrono::duration_cast<Clock::duration>(since_);
  std::unique_lock lock(mutex_);
  while (!stopping_.load()) {
    Clock::time_point until = Clock::now() + std::chrono::seconds(kSnapshotPollSeconds);
    if (again_) until = std::min(until, again_->when);
    wake_.wait_until(lock, until, [&] { return stopping_.load() || wanted_.has_value(); });
    if (stopping_.load()) return;
    int attempt = 0;
    const bool due = schedule_.count() > 0 && Clock::now() - last_start >= schedule_;
    if (!wanted_ && again_ && Clock::now() >= again_->when) {
      wanted_ = again_->request;
      attempt = again_->attempt + 1;
    }
    if (!wanted_ && due) wanted_ = TrainRequest{};
    if (!wanted_) {
      lock.unlock();
      look();
      lock.lock();
      continue;
    }
    const TrainRequest request = *std::exchange(wanted_, std::nullopt);
    again_.reset();
    running_ = true;
    last_start = Clock::now();
    lock.unlock();
    const Status trained = train(request);
    if (!trained.ok()) diag(Level::kError, "training: " + trained.error().message);
    lock.lock();
    running_ = false;
    failure_ = trained.ok() ? "" : trained.error().message;
    if (trained.ok() || trained.error().code != Code::kInternal || attempt >= retries_.count)
      continue;
    const auto pause = retries_.pause * (1 << std::min(attempt, kRetryDoublingsMax));
    again_ = Again{request, attempt, Clock::now() + pause};
    failure_ += "; it is begun again in " +
                std::to_string(std::chrono::duration_cast<std::chrono::seconds>(pause).count()) +
                " s";
  }
}

}  // namespace vitrine

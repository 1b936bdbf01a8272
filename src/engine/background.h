// The engine's own thread: training on demand and on schedule, and an eye on what other processes
// publish. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "engine/engine.h"
#include "engine/worker.h"

namespace vitrine {

class Background {
 public:
  struct Work {
    // Trains and publishes; gives up soon after `stop` is set.
    std::function<Status(const TrainRequest&, const std::atomic<bool>& stop)> train;
    std::function<void()> look;  // every kSnapshotPollSeconds while idle
  };
  // A training that ended in kInternal, as a crash does, is begun again `count` times at most:
  // after `pause`, then twice as long, and so on. One that was asked for meanwhile comes first.
  struct Retries {
    int count = 0;
    std::chrono::milliseconds pause = std::chrono::minutes(1);
  };
  // `hours_since`: since the last training, for the schedule.
  Background(Work work, double schedule_hours, Retries retries, double hours_since = 0);
  ~Background();  // stops a running training
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  Status start(const TrainRequest& request);  // kUnavailable while one runs
  std::string status() const;                 // "idle", "running", "failed: ..."

 private:
  Status train(const TrainRequest& request);
  void look();
  void loop();

  const Work work_;
  const std::chrono::duration<double> schedule_;  // 0: never
  const std::chrono::duration<double> since_;     // the last training, at the start
  const Retries retries_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<TrainRequest> wanted_;
  struct Again {
    TrainRequest request;
    int attempt;  // how often it was begun again before
    std::chrono::steady_clock::time_point when;
  };
  std::optional<Again> again_;
  bool running_ = false;
  std::string failure_;
  std::atomic<bool> stopping_{false};
  Worker thread_;
};

}  // namespace vitrine

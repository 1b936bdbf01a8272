// What everything long is given: randomness, threads, and somebody who watches. Nothing below
// engine/ reads a clock: elapsed time and memory come from the monitor.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/parallel.h"
#include "base/random.h"
#include "base/result.h"

namespace vitrine {

enum class Verdict {
  kContinue,
  kFinish,  // the time is up: stop at the next good place and keep what there is
  kCancel,  // somebody wants out: stop now and leave nothing behind
};

// What a run has cost so far, as the operating system counts it for this process.
struct Usage {
  double elapsed_s = 0;
  double cpu_s = 0;                // user and system time of all threads
  std::uint64_t memory_bytes = 0;  // resident now
  std::uint64_t memory_peak_bytes = 0;
};

// Implemented by cli/ (progress bar, Ctrl-C) and engine/ (job rows). Every method may be called
// from any thread; advance() is cheap enough to be called a thousand times a second.
class Monitor {
 public:
  virtual ~Monitor() = default;
  // A stage of work: "import events.csv.gz", its size in units ("rows", "bytes"; 0 = not known).
  virtual void begin(std::string_view stage, std::uint64_t total, std::string_view unit) = 0;
  // `done` units of the current stage are done (absolute, not a step).
  virtual Verdict advance(std::uint64_t done) = 0;
  virtual void end() = 0;
  // One line for people, shown between progress lines ("ease: 3,665 items, 54 MB").
  virtual void note(std::string_view line) = 0;
  virtual Usage usage() = 0;
};

// Watches nothing and never cancels; its usage is zero. For tests and for short work.
class QuietMonitor final : public Monitor {
 public:
  void begin(std::string_view, std::uint64_t, std::string_view) override {}
  Verdict advance(std::uint64_t) override { return Verdict::kContinue; }
  void end() override {}
  void note(std::string_view) override {}
  Usage usage() override { return {}; }
};

struct Run {
  Random random;
  ThreadPool& pool;
  Monitor& monitor;
};

// begin() and end() of a stage as a scope.
class Stage {
 public:
  Stage(Monitor& monitor, std::string_view stage, std::uint64_t total, std::string_view unit)
      : monitor_(monitor) {
    monitor_.begin(stage, total, unit);
  }
  ~Stage() { monitor_.end(); }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  Verdict advance(std::uint64_t done) { return monitor_.advance(done); }
  // For work that cannot stop half-way: cancelling is an error, finishing early is ignored.
  Status proceed(std::uint64_t done) {
    if (monitor_.advance(done) == Verdict::kCancel) return Error{Code::kCancelled, "cancelled"};
    return {};
  }

 private:
  Monitor& monitor_;
};

}  // namespace vitrine

// What this process has cost so far, from the operating system: what every Monitor's usage()
// returns.
#pragma once

#include <chrono>

#include "base/run.h"

namespace vitrine {

// Counts elapsed time from its creation. Thread-safe.
class SystemUsage {
 public:
  SystemUsage();
  Usage now() const;

 private:
  std::chrono::steady_clock::time_point start_;
};

// Watches nothing and never cancels, but knows what things cost.
class UsageMonitor final : public Monitor {
 public:
  void begin(std::string_view, std::uint64_t, std::string_view) override {}
  Verdict advance(std::uint64_t) override { return Verdict::kContinue; }
  void end() override {}
  void note(std::string_view) override {}
  Usage usage() override { return usage_.now(); }

 private:
  SystemUsage usage_;
};

// Lets the peak of memory count from now on, so that one fit after another can be measured in one
// process. Where the operating system does not allow it, peaks stay those of the whole process.
void reset_memory_peak();

// What lies between two readings; memory is that of the later one.
Usage between(const Usage& before, const Usage& after);

}  // namespace vitrine

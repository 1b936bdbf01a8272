// What a person sees while something long runs: a progress bar with rate and time left on a
// terminal, plain lines otherwise, all on standard error. Ctrl-C cancels at the next safe place; a
// second one ends the program at once.
#pragma once

#include <memory>

#include "base/run.h"

namespace vitrine {

class TerminalMonitor final : public Monitor {
 public:
  // `quiet` shows nothing. One per process: it owns the signal handler.
  explicit TerminalMonitor(bool quiet);
  ~TerminalMonitor() override;
  void begin(std::string_view stage, std::uint64_t total, std::string_view unit) override;
  Verdict advance(std::uint64_t done) override;
  void end() override;
  void note(std::string_view line) override;
  Usage usage() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

bool interrupted();         // Ctrl-C was pressed, or SIGTERM came
void wait_for_interrupt();  // blocks until then; for `serve`

// "1.2 s", "3 min 05 s", "2 h 10 min".
std::string format_duration(double seconds);
// "541,909"
std::string format_count(std::uint64_t count);
// "54.2 MB"
std::string format_bytes(double bytes);

}  // namespace vitrine

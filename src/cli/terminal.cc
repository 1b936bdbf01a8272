#include "cli/terminal.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "engine/usage.h"

namespace vitrine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kBarRefreshSeconds = 0.1;
constexpr double kLineRefreshSeconds = 5;
constexpr int kBarWidth = 24;

std::atomic<int> g_interrupts{0};  // written by the signal handler
int g_wake_pipe[2] = {-1, -1};     // wakes wait_for_interrupt()

void on_signal(int) {
  if (g_interrupts.fetch_add(1) > 0) _exit(130);
  const char byte = 0;
  [[maybe_unused]] const auto written = write(g_wake_pipe[1], &byte, 1);
}

struct StageState {
  std::string name, unit;
  std::uint64_t total = 0;
  Clock::time_point started;
  bool shown = false;
};

double seconds_since(Clock::time_point from) {
  return std::chrono::duration<double>(Clock::now() - from).count();
}

std::string amount(double value, std::string_view unit) {
  if (unit == "bytes") return format_bytes(value);
  return format_count(static_cast<std::uint64_t>(value)) + " " + std::string(unit);
}

std::string bar(double share) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::clamp(share, 0.0, 1.0) * kBarWidth * 8);
  std::string text;
  for (int i = 0; i < eighths / 8; ++i) text += "█";
  int width = eighths / 8;
  if (eighths % 8 != 0) {
    text += kEighths[eighths % 8];
    ++width;
  }
  text.append(static_cast<std::size_t>(kBarWidth - width), ' ');
  return text;
}

}  // namespace

struct TerminalMonitor::State {
  explicit State(bool be_quiet) : quiet(be_quiet), terminal(isatty(STDERR_FILENO) == 1) {}
  const bool quiet;
  const bool terminal;
  const SystemUsage usage;
  std::mutex mutex;
  std::vector<StageState> stages;  // nested; the innermost is shown
  std::atomic<std::int64_t> next_show_ns{0};
  std::uint64_t done = 0;
  bool bar_on_screen = false;

  void erase_bar() {
    if (bar_on_screen) std::fputs("\r\033[K", stderr);
    bar_on_screen = false;
  }

  std::string line(const StageState& stage) const {
    const double elapsed = seconds_since(stage.started);
    const double rate = elapsed > 0 ? static_cast<double>(done) / elapsed : 0;
    if (stage.total == 0) {
      return fmt::format("{}  {}  {}/s", stage.name, amount(static_cast<double>(done), stage.unit),
                         amount(rate, stage.unit));
    }
    const double share =
        std::min(1.0, static_cast<double>(done) / static_cast<double>(stage.total));
    const double left = share > 0 ? elapsed * (1 - share) / share : 0;
    return fmt::format("{} |{}| {:3.0f} %  {}/s  {} left", stage.name, bar(share),
                       std::floor(100 * share), amount(rate, stage.unit), format_duration(left));
  }

  void show() {
    if (quiet || stages.empty()) return;
    stages.back().shown = true;
    if (!terminal) {
      fmt::print(stderr, "{}\n", line(stages.back()));
      return;
    }
    fmt::print(stderr, "\r\033[K{}", line(stages.back()));
    std::fflush(stderr);
    bar_on_screen = true;
  }

  void schedule() {
    const double wait = terminal ? kBarRefreshSeconds : kLineRefreshSeconds;
    next_show_ns = Clock::now().time_since_epoch().count() + static_cast<std::int64_t>(wait * 1e9);
  }
};

TerminalMonitor::TerminalMonitor(bool quiet) : state_(std::make_unique<State>(quiet)) {
  if (g_wake_pipe[0] < 0 && pipe(g_wake_pipe) != 0) std::abort();
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

TerminalMonitor::~TerminalMonitor() { state_->erase_bar(); }

void TerminalMonitor::begin(std::string_view stage, std::uint64_t total, std::string_view unit) {
  std::lock_guard lock(state_->mutex);
  state_->stages.push_back({std::string(stage), std::string(unit), total, Clock::now(), false});
  state_->done = 0;
  state_->schedule();
}

Verdict TerminalMonitor::advance(std::uint64_t done) {
  if (interrupted()) return Verdict::kCancel;
  if (Clock::now().time_since_epoch().count() >= state_->next_show_ns.load()) {
    std::lock_guard lock(state_->mutex);
    state_->done = done;
    state_->show();
    state_->schedule();
  }
  return Verdict::kContinue;
}

void TerminalMonitor::end() {
  std::lock_guard lock(state_->mutex);
  if (state_->stages.empty()) return;
  const StageState stage = state_->stages.back();
  state_->stages.pop_back();
  state_->erase_bar();
  const double elapsed = seconds_since(stage.started);
  if (stage.shown && !state_->quiet && elapsed > 1) {
    fmt::print(stderr, "{}  {}\n", stage.name, format_duration(elapsed));
  }
}

void TerminalMonitor::note(std::string_view text) {
  std::lock_guard lock(state_->mutex);
  state_->erase_bar();
  if (!state_->quiet) fmt::print(stderr, "{}\n", text);
}

Usage TerminalMonitor::usage() { return state_->usage.now(); }

bool interrupted() { return g_interrupts.load(std::memory_order_relaxed) > 0; }

void wait_for_interrupt() {
  char byte = 0;
  while (!interrupted()) {
    [[maybe_unused]] const auto got = read(g_wake_pipe[0], &byte, 1);
  }
}

std::string format_duration(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string format_count(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string format_bytes(double bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  while (bytes >= 1000 && unit < 4) {
    bytes /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

}  // namespace vitrine

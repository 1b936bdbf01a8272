#include "engine/trainer_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

#include "engine/limits.h"

extern char** environ;

namespace vitrine {
namespace {

constexpr int kNice = 10, kPollMs = 100;
constexpr auto kPatience = std::chrono::seconds(5);  // between asking the child to end and killing

// The child's standard error as it comes; the last words are kept.
class LastWords {
 public:
  explicit LastWords(int descriptor) : descriptor_(descriptor) {}
  ~LastWords() { ::close(descriptor_); }
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;

  // False at the end of the stream.
  bool read(int timeout_ms) {
    pollfd waiting{descriptor_, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, timeout_ms);
    if (ready <= 0) return ready == 0 || errno == EINTR;
    char block[1024];
    const ssize_t n = ::read(descriptor_, block, sizeof block);
    if (n <= 0) return n < 0 && errno == EINTR;
    text_.append(block, static_cast<std::size_t>(n));
    if (text_.size() > kTrainerOutputBytes) text_.erase(0, text_.size() - kTrainerOutputBytes);
    return true;
  }

  // The last line that says something.
  std::string line() const {
    const std::size_t end = text_.find_last_not_of(" \n\r\t");
    if (end == std::string::npos) return {};
    const std::size_t begin = text_.find_last_of("\n\r", end);
    return text_.substr(begin == std::string::npos ? 0 : begin + 1,
                        end - (begin == std::string::npos ? 0 : begin + 1) + 1);
  }

 private:
  int descriptor_;
  std::string text_;
};

Error os_error(const std::string& what, int reason) {
  return Error{Code::kIo, "trainer: cannot " + what + ": " + std::strerror(reason)};
}

Result<pid_t> spawn(const std::vector<std::string>& command, int errors) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  // Its own group, so that Ctrl-C at the server's terminal leaves ending it to us; default signals.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&defaults, signal);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(
      &attributes,
      static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP));
  pid_t child = 0;
  const int failed =
      ::posix_spawn(&child, arguments[0], &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return os_error("start " + command[0], failed);
  return child;
}

// The last `cores` of those that we may use: the first ones are left to answering.
void limit_cores(pid_t child, int cores) {
  cpu_set_t ours, theirs;
  CPU_ZERO(&ours);
  CPU_ZERO(&theirs);
  if (cores <= 0 || ::sched_getaffinity(0, sizeof ours, &ours) != 0) return;
  for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && CPU_COUNT(&theirs) < cores; --cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &ours))
      CPU_SET(static_cast<std::size_t>(cpu), &theirs);
  }
  ::sched_setaffinity(child, sizeof theirs, &theirs);
}

void limit(pid_t child, const TrainerLimits& limits) {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(child), kNice);  // best effort
  limit_cores(child, limits.cores);
  if (limits.memory_bytes == 0) return;
  const rlimit data{limits.memory_bytes, limits.memory_bytes};
  ::prlimit(child, RLIMIT_DATA, &data, nullptr);
}

Status outcome(int status, const std::string& words) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  std::string text = "training ended ";
  text += WIFSIGNALED(status) ? "by signal " + std::to_string(WTERMSIG(status))
                              : "with status " + std::to_string(WEXITSTATUS(status));
  if (!words.empty()) text += ": " + words;
  return Error{Code::kInternal, std::move(text)};
}

}  // namespace

Status run_trainer(const std::vector<std::string>& command, const TrainerLimits& limits,
                   const std::atomic<bool>& stop, const std::function<void()>& meanwhile) {
  if (command.empty()) return Error{Code::kInvalid, "trainer: no command"};
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return os_error("make a pipe", errno);
  LastWords words(pipe[0]);
  auto child = spawn(command, pipe[1]);
  ::close(pipe[1]);
  if (!child.ok()) return child.error();
  limit(*child, limits);
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  const auto out_of_time = [&] {
    return limits.minutes > 0 && Clock::now() - begin >= std::chrono::minutes(limits.minutes);
  };
  std::optional<Clock::time_point> asked;
  int status = 0;
  bool talks = true;
  while (true) {
    if (meanwhile) meanwhile();
    if (talks)
      talks = words.read(kPollMs);
    else
      std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
    const pid_t ended = talks ? 0 : ::waitpid(*child, &status, WNOHANG);
    if (ended < 0 && errno != EINTR) return os_error("wait", errno);
    if (ended > 0) break;
    if (!stop.load() && !out_of_time()) continue;
    if (!asked) {
      asked = Clock::now();
      ::kill(*child, SIGTERM);
    }
    if (Clock::now() - *asked >= kPatience) ::kill(*child, SIGKILL);
  }
  if (asked && stop.load()) return Error{Code::kCancelled, "training was stopped"};
  if (asked) {
    return Error{Code::kExhausted, "training was ended after train.time_limit_minutes = " +
                                       std::to_string(limits.minutes)};
  }
  return outcome(status, words.line());
}

}  // namespace vitrine

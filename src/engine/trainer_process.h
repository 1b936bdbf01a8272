// Training as a child process: the same binary with its own limits, so that a fit that takes all
// memory takes no request with it. The log is read beside the server, the snapshot folder is the
// only interface.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace vitrine {

struct TrainerLimits {
  std::uint64_t memory_bytes = 0;  // of data; 0: no limit
  int minutes = 0;                 // of elapsed time; 0: no limit
  int cores = 0;                   // 0: all that this process may use
};

// Runs `command` (an absolute path and arguments) at low priority within `limits`, and waits.
// `stop` ends it (kCancelled), and so does the end of its time (kExhausted). An exit status other
// than 0 is kInternal with its last words. `meanwhile` is called again and again, at least ten
// times a second.
Status run_trainer(const std::vector<std::string>& command, const TrainerLimits& limits,
                   const std::atomic<bool>& stop, const std::function<void()>& meanwhile = {});

}  // namespace vitrine

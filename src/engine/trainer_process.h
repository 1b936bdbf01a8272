// Training as a child process: the same binary with its own limits, so that a fit that takes all
// memory takes no request with it. The log is read beside the server, the snapshot folder is the
// only interface.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/result.h"

namespace vitrine {

// Runs `command` (an absolute path and arguments) at low priority, with at most `memory_bytes` of
// data (0: no limit), and waits. `stop` ends it. An exit status other than 0 is kInternal with its
// last words.
Status run_trainer(const std::vector<std::string>& command, std::uint64_t memory_bytes,
                   const std::atomic<bool>& stop);

}  // namespace vitrine

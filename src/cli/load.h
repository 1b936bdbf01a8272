// An open-loop load generator for our own server: requests leave at a fixed rate whatever the
// answers do, and a latency counts from the moment the request was due, so waiting behind a slow
// answer is not hidden (no coordinated omission). HTTP/1.1 keep-alive over plain loopback sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace vitrine {

struct LoadPlan {
  std::string host = "127.0.0.1";  // loopback only
  int port = 0;
  double rate = 1000;  // requests per second
  double seconds = 10;
  int connections = 16;
  std::string key;                                 // API key, or empty
  std::string path;                                // POSTed to
  std::function<std::string(std::uint64_t)> body;  // of request i; called from any thread
};

struct LoadResult {
  std::uint64_t requests = 0, failed = 0;  // failed: no answer, or a status of 400 and above
  double elapsed_s = 0;
  std::vector<double> latency_ms;  // sorted
  std::string first_failure;
  double percentile(double share) const;  // of latency_ms
};

Result<LoadResult> run_load(const LoadPlan& plan);

}  // namespace vitrine

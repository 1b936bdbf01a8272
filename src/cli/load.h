// A load generator for our own server. Open loop: requests leave at a fixed rate whatever the
// answers do, and a latency counts from the moment the request was due, so waiting behind a slow
// answer is not hidden (no coordinated omission). Rate 0 is a closed loop: every connection asks
// again as soon as it is answered, which finds the capacity. HTTP/1.1 keep-alive over plain
// loopback sockets; a thread serves many connections by epoll.
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
  double rate = 1000;  // requests per second; 0: closed loop
  double seconds = 10;
  int connections = 16;  // the most requests in flight
  int threads = 1;
  std::string key;                                 // API key, or empty
  std::string path;                                // POSTed to
  std::function<std::string(std::uint64_t)> body;  // of request i; from any thread; none: GET
  // With these a request has two steps: what is POSTed to then_path, given the answer's body, as
  // soon as that is there. The latency is that of both.
  std::string then_path;
  std::function<std::string(std::uint64_t i, std::string_view answer)> then;
  // Of the last answer of request i, and from any thread: empty, or why it counts as failed.
  std::function<std::string(std::uint64_t i, std::string_view answer)> check;
};

struct LoadResult {
  std::uint64_t answered = 0;  // with a status below 400
  std::uint64_t refused = 0;   // with 429 or 503: the server's admission control
  std::uint64_t failed = 0;    // no answer, or another status of 400 and above
  std::uint64_t unsent = 0;    // due in time, but no connection was free before the end
  double elapsed_s = 0;
  double cpu_s = 0;                // of the generator's threads
  std::vector<double> latency_ms;  // of the answered, sorted
  std::string first_failure;
  double percentile(double share) const;  // of latency_ms
};

// Runs for plan.seconds, then waits for the answers to what was sent. kIo, naming the
// remedy, as soon as a connection cannot be opened.
Result<LoadResult> run_load(const LoadPlan& plan);

}  // namespace vitrine

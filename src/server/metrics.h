// What Prometheus scrapes: requests by route and status, their latencies, and the engine's gauges.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/engine.h"

namespace vitrine {

// Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  // `route` is a path of the routes table, never what a client sent: labels stay few.
  void count(std::string_view route, std::string_view method, int status, double seconds);
  std::string text(const EngineStatus& status);  // Prometheus text format

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vitrine

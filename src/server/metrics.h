// What Prometheus scrapes: requests by route and status, their latencies, and the engine's gauges.
#pragma once

#include <memory>
#include <string>

#include "engine/engine.h"

namespace vitrine {

struct Route;

// Thread-safe. Counting takes no lock.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  // `route` is one of all_routes(), null for what none of them takes: labels stay few.
  void count(const Route* route, int status, double seconds);
  std::string text(const EngineStatus& status) const;  // Prometheus text format

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vitrine

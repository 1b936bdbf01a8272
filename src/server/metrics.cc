#include "server/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace vitrine {
namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {
    .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5};

}  // namespace

struct Metrics::State {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                          .Name("vitrine_requests_total")
                                                          .Help("Requests answered")
                                                          .Register(registry);
  prometheus::Family<prometheus::Histogram>& seconds = prometheus::BuildHistogram()
                                                           .Name("vitrine_request_seconds")
                                                           .Help("Time to answer")
                                                           .Register(registry);
  prometheus::Family<prometheus::Gauge>& gauges = prometheus::BuildGauge()
                                                      .Name("vitrine_state")
                                                      .Help("What the engine holds, by what")
                                                      .Register(registry);

  void gauge(const char* what, double value) { gauges.Add({{"what", what}}).Set(value); }
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::count(std::string_view route, std::string_view method, int status, double seconds) {
  const prometheus::Labels place{{"route", std::string(route)}, {"method", std::string(method)}};
  prometheus::Labels labels = place;
  labels["status"] = std::to_string(status);
  state_->requests.Add(labels).Increment();
  state_->seconds.Add(place, kSeconds).Observe(seconds);
}

std::string Metrics::text(const EngineStatus& status) {
  State& state = *state_;
  state.gauge("ready", status.ready ? 1 : 0);
  state.gauge("sequence", static_cast<double>(status.sequence));
  state.gauge("snapshot_sequence", static_cast<double>(status.snapshot_sequence));
  state.gauge("users", static_cast<double>(status.users));
  state.gauge("items", static_cast<double>(status.items));
  state.gauge("events", static_cast<double>(status.events));
  state.gauge("persons_live", static_cast<double>(status.persons_live));
  state.gauge("slates_logged", static_cast<double>(status.slates_logged));
  state.gauge("slates_dropped", static_cast<double>(status.slates_dropped));
  state.gauge("memory_bytes", static_cast<double>(status.memory_bytes));
  return prometheus::TextSerializer().Serialize(state.registry.Collect());
}

}  // namespace vitrine

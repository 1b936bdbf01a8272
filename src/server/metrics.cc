#include "server/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <vector>

#include "server/routes.h"

namespace vitrine {
namespace {

constexpr std::array kSeconds = {.0001, .00025, .0005, .001, .0025, .005, .01,
                                 .025,  .05,    .1,    .25,  .5,    1.,   5.};
// Those that we answer with; another one is counted as the last.
constexpr std::array kStatuses = {200, 202, 400, 401, 403, 404, 405, 409,
                                  413, 422, 429, 431, 500, 503, 507, 0};

using Counter = std::atomic<std::uint64_t>;

// What one route answered.
struct Row {
  std::array<Counter, kStatuses.size()> statuses{};
  std::array<Counter, kSeconds.size() + 1> buckets{};  // each alone; the last: beyond all bounds
  std::atomic<double> seconds{0};
};

prometheus::ClientMetric labelled(const Route* route) {
  prometheus::ClientMetric metric;
  metric.label = {{"method", route == nullptr ? "other" : std::string(route->method)},
                  {"route", route == nullptr ? "other" : std::string(route->path)}};
  return metric;
}

prometheus::MetricFamily family(const char* name, const char* help, prometheus::MetricType type) {
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  return family;
}

void add_row(const Route* route, const Row& row, prometheus::MetricFamily& requests,
             prometheus::MetricFamily& seconds) {
  for (std::size_t s = 0; s < kStatuses.size(); ++s) {
    if (row.statuses[s] == 0) continue;
    prometheus::ClientMetric metric = labelled(route);
    metric.label.push_back({"status", kStatuses[s] == 0 ? "other" : std::to_string(kStatuses[s])});
    metric.counter.value = static_cast<double>(row.statuses[s]);
    requests.metric.push_back(std::move(metric));
  }
  prometheus::ClientMetric metric = labelled(route);
  prometheus::ClientMetric::Histogram& histogram = metric.histogram;
  for (std::size_t b = 0; b < row.buckets.size(); ++b) {
    histogram.sample_count += row.buckets[b];
    const bool last = b == kSeconds.size();
    histogram.bucket.push_back(
        {histogram.sample_count, last ? std::numeric_limits<double>::infinity() : kSeconds[b]});
  }
  if (histogram.sample_count == 0) return;
  histogram.sample_sum = row.seconds;
  seconds.metric.push_back(std::move(metric));
}

prometheus::MetricFamily gauges(const EngineStatus& status) {
  auto state =
      family("vitrine_state", "What the engine holds, by what", prometheus::MetricType::Gauge);
  const auto gauge = [&](const char* what, double value) {
    prometheus::ClientMetric metric;
    metric.label = {{"what", what}};
    metric.gauge.value = value;
    state.metric.push_back(std::move(metric));
  };
  gauge("ready", status.ready ? 1 : 0);
  gauge("sequence", static_cast<double>(status.sequence));
  gauge("snapshot_sequence", static_cast<double>(status.snapshot_sequence));
  gauge("users", static_cast<double>(status.users));
  gauge("items", static_cast<double>(status.items));
  gauge("incomplete_items", static_cast<double>(status.incomplete_items));
  gauge("events", static_cast<double>(status.events));
  gauge("persons_live", static_cast<double>(status.persons_live));
  gauge("slates_logged", static_cast<double>(status.slates_logged));
  gauge("slates_dropped", static_cast<double>(status.slates_dropped));
  gauge("new_items", static_cast<double>(status.new_items));
  gauge("new_items_shown", static_cast<double>(status.new_items_shown));
  gauge("new_item_seconds", status.new_item_seconds);
  gauge("memory_bytes", static_cast<double>(status.memory_bytes));
  return state;
}

}  // namespace

struct Metrics::State {
  std::vector<Row> rows{all_routes().size() + 1};  // the last: of no route
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::count(const Route* route, int status, double seconds) {
  const std::size_t place = route == nullptr
                                ? all_routes().size()
                                : static_cast<std::size_t>(route - all_routes().data());
  Row& row = state_->rows[place];
  const auto known = std::find(kStatuses.begin(), kStatuses.end() - 1, status);
  const auto bucket = std::lower_bound(kSeconds.begin(), kSeconds.end(), seconds);
  constexpr auto kRelaxed = std::memory_order_relaxed;
  row.statuses[static_cast<std::size_t>(known - kStatuses.begin())].fetch_add(1, kRelaxed);
  row.buckets[static_cast<std::size_t>(bucket - kSeconds.begin())].fetch_add(1, kRelaxed);
  row.seconds.fetch_add(seconds, kRelaxed);
}

std::string Metrics::text(const EngineStatus& status) const {
  auto requests =
      family("vitrine_requests_total", "Requests answered", prometheus::MetricType::Counter);
  auto seconds =
      family("vitrine_request_seconds", "Time to answer", prometheus::MetricType::Histogram);
  const std::span<const Route> routes = all_routes();
  for (std::size_t i = 0; i < state_->rows.size(); ++i) {
    add_row(i < routes.size() ? &routes[i] : nullptr, state_->rows[i], requests, seconds);
  }
  return prometheus::TextSerializer().Serialize({requests, seconds, gauges(status)});
}

}  // namespace vitrine

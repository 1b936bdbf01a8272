#include "engine/gate.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/item.h"

namespace vitrine {
namespace {

// Collects checks; one failure decides.
class Gate {
 public:
  void pass(std::string_view name, std::string text) { add(name, true, std::move(text)); }
  void fail(std::string_view name, std::string text) { add(name, false, std::move(text)); }
  void check(std::string_view name, bool passed, std::string text) {
    add(name, passed, std::move(text));
  }
  GateVerdict verdict() && { return std::move(verdict_); }

 private:
  void add(std::string_view name, bool passed, std::string text) {
    verdict_.passes = verdict_.passes && passed;
    verdict_.checks.push_back({std::string(name), passed, std::move(text)});
  }
  GateVerdict verdict_;
};

void check_events(Gate& gate, const GateInput& input) {
  if (input.events == 0) gate.fail("events", "there are no events to learn from");
  if (input.champion == nullptr || input.champion->events == 0 || input.events_dropped) return;
  const double share =
      static_cast<double>(input.events) / static_cast<double>(input.champion->events);
  if (share >= kEventsShareMin) return;
  gate.fail(
      "events",
      fmt::format("only {} events, {:.0f} % of the {} that {} was trained on: is the import whole?",
                  input.events, 100 * share, input.champion->events, input.champion->name));
}

// A day of a fifth of what its weekday usually has, or of five times as much, is no usual day.
void check_volume(Gate& gate, const GateInput& input, const TrainOptions& options) {
  if (!input.volume || options.volume_ratio_max == 0 || input.volume->median < kVolumeMedianMin)
    return;
  const DayVolume& day = *input.volume;
  const double ratio = static_cast<double>(day.events) / day.median;
  const bool usual = ratio <= options.volume_ratio_max && ratio * options.volume_ratio_max >= 1;
  gate.check(
      "volume", usual,
      fmt::format("{} events on {}, {:.2f} of the median of the {} same weekdays before{}",
                  day.events, format_time(day.day * kDay).substr(0, 10), ratio, day.days_before,
                  usual ? "" : ": is the import whole, and once? (train.volume_ratio_max)"));
}

void check_coverage(Gate& gate, const GateInput& input, const TrainOptions& options) {
  if (!input.coverage) return;
  const bool wide = *input.coverage >= options.coverage_min;
  gate.check(
      "coverage", wide,
      wide ? fmt::format("lists reach {:.2f} % of the items", 100 * *input.coverage)
           : fmt::format("lists reach {:.2f} % of the items, train.coverage_min wants {:.2f} %",
                         100 * *input.coverage, 100 * options.coverage_min));
}

void check_drift(Gate& gate, const GateInput& input, const TrainOptions& options) {
  if (!input.drift || input.drift->visitors == 0 || input.champion == nullptr) return;
  const ListDrift& drift = *input.drift;
  for (const auto& [model, distance] : drift.scores) {
    if (distance <= options.drift_max) continue;
    gate.fail("scores", fmt::format("{}'s scores are distributed otherwise than in {}: distance "
                                    "{:.2f}, train.drift_max is {:.2f}",
                                    model, input.champion->name, distance, options.drift_max));
  }
  gate.pass("lists",
            fmt::format("{:.0f} % of the first {} of {} visitors are as in {}", 100 * drift.overlap,
                        drift.n, drift.visitors, input.champion->name));
}

// Worse beyond the champion's interval and beyond the tolerance.
void check_metric(Gate& gate, const GateInput& input, const TrainOptions& options) {
  if (!input.metric) {
    gate.pass("metric", "not measured");
    return;
  }
  if (input.champion == nullptr) {
    gate.pass("metric",
              fmt::format("first snapshot, {} {:.4f}", options.metric, input.metric->mean));
    return;
  }
  if (!input.champion_metric) {
    gate.pass("metric", fmt::format("{} {:.4f}; {} was not measured", options.metric,
                                    input.metric->mean, input.champion->name));
    return;
  }
  const Measured& champion = *input.champion_metric;
  const double bar = std::min(champion.low, champion.mean * (1 - options.gate_tolerance));
  const std::string comparison = fmt::format(
      "{} {:.4f} against {:.4f} ({:.4f} to {:.4f}) of {}{}", options.metric, input.metric->mean,
      champion.mean, champion.low, champion.high, input.champion->name,
      input.same_events ? " on the same held-out events" : " at its own training");
  if (input.metric->mean < bar)
    gate.fail("metric", "worse: " + comparison);
  else
    gate.pass("metric", comparison);
}

}  // namespace

GateVerdict check_gate(const GateInput& input, const TrainOptions& options) {
  Gate gate;
  check_events(gate, input);
  check_volume(gate, input, options);
  check_coverage(gate, input, options);
  check_metric(gate, input, options);
  check_drift(gate, input, options);
  return std::move(gate).verdict();
}

std::string GateVerdict::text() const {
  std::string all;
  for (const GateCheck& check : checks) {
    if (passes ? check.name == "metric" : !check.passed)
      all += (all.empty() ? "" : "; ") + check.text;
  }
  return all;
}

std::optional<Measured> recorded_metric(const Manifest& manifest, std::string_view metric) {
  const Value* home = manifest.metrics.find("home");
  if (home == nullptr || home->as_table() == nullptr) return std::nullopt;
  const Value* value = home->as_table()->find(metric);
  if (value == nullptr || value->as_table() == nullptr) return std::nullopt;
  const auto mean = number_at(*value->as_table(), "mean");
  const auto low = number_at(*value->as_table(), "low");
  const auto high = number_at(*value->as_table(), "high");
  if (!mean.ok() || !low.ok() || !high.ok()) return std::nullopt;
  return Measured{*mean, *low, *high};
}

}  // namespace vitrine

#include "engine/gate.h"

#include <fmt/format.h>

#include <algorithm>

namespace vitrine {
namespace {

// Collects sentences; the first failure decides.
class Gate {
 public:
  void pass(const std::string& text) { add(text); }
  void fail(const std::string& text) {
    verdict_.passes = false;
    add(text);
  }
  GateVerdict verdict() const { return verdict_; }

 private:
  void add(const std::string& text) {
    if (!verdict_.text.empty()) verdict_.text += "; ";
    verdict_.text += text;
  }
  GateVerdict verdict_;
};

void check_volume(Gate& gate, const GateInput& input) {
  if (input.events == 0) gate.fail("there are no events to learn from");
  if (input.champion == nullptr || input.champion->events == 0) return;
  const double share =
      static_cast<double>(input.events) / static_cast<double>(input.champion->events);
  if (share < kEventsShareMin) {
    gate.fail(fmt::format(
        "only {} events, {:.0f} % of the {} that {} was trained on: is the import whole?",
        input.events, 100 * share, input.champion->events, input.champion->name));
  }
}

void check_coverage(Gate& gate, const GateInput& input, const TrainOptions& options) {
  if (!input.coverage || *input.coverage >= options.coverage_min) return;
  gate.fail(fmt::format("lists reach {:.2f} % of the items, train.coverage_min wants {:.2f} %",
                        100 * *input.coverage, 100 * options.coverage_min));
}

// Worse beyond the champion's interval and beyond the tolerance.
void check_metric(Gate& gate, const GateInput& input, const TrainOptions& options) {
  if (!input.metric) {
    gate.pass("not measured");
    return;
  }
  if (input.champion == nullptr) {
    gate.pass(fmt::format("first snapshot, {} {:.4f}", options.metric, input.metric->mean));
    return;
  }
  if (!input.champion_metric) {
    gate.pass(fmt::format("{} {:.4f}; {} was not measured", options.metric, input.metric->mean,
                          input.champion->name));
    return;
  }
  const Measured& champion = *input.champion_metric;
  const double bar = std::min(champion.low, champion.mean * (1 - options.gate_tolerance));
  const std::string comparison = fmt::format(
      "{} {:.4f} against {:.4f} ({:.4f} to {:.4f}) of {}{}", options.metric, input.metric->mean,
      champion.mean, champion.low, champion.high, input.champion->name,
      input.same_events ? " on the same held-out events" : " at its own training");
  if (input.metric->mean < bar)
    gate.fail("worse: " + comparison);
  else
    gate.pass(comparison);
}

}  // namespace

GateVerdict check_gate(const GateInput& input, const TrainOptions& options) {
  Gate gate;
  check_volume(gate, input);
  check_coverage(gate, input, options);
  check_metric(gate, input, options);
  return gate.verdict();
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

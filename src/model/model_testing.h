// What the tests of models share: fitting on histories alone, and a model's answers as plain
// values.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "data/histories_testing.h"
#include "model/model.h"

namespace vitrine::testing {

inline HistoryEvent event_of(std::uint32_t item, float weight = 1) {
  HistoryEvent event;
  event.item = ItemIndex{item};
  event.weight = weight;
  return event;
}

// Fits by `fit(run, options, set)` on histories, their interactions and a catalogue.
template <class Fit, class Options>
std::unique_ptr<const Model> fit_on(Fit fit, const Options& options, const Histories& histories,
                                    const InteractionOptions& merge = {},
                                    const Catalogue& catalogue = {}) {
  const QuietRun run;
  const Interactions interactions = build_interactions(histories, merge);
  auto model =
      fit(run, options, TrainingSet{histories, interactions, catalogue, nullptr, nullptr, merge});
  VT_CHECK(model.ok());
  return std::move(model).value();
}

// The same where fitting must fail: what it says.
template <class Fit, class Options>
Error error_of(Fit fit, const Options& options, const Histories& histories,
               const InteractionOptions& merge = {}) {
  const QuietRun run;
  const Catalogue catalogue;
  const Interactions interactions = build_interactions(histories, merge);
  auto model = fit(run, options, TrainingSet{histories, interactions, catalogue});
  VT_CHECK(!model.ok());
  return model.error();
}

// Persons who all have the same items, each in one basket.
inline Histories full_histories(std::uint32_t persons, std::uint32_t items) {
  const std::vector<HistoryEvent> row = [&] {
    std::vector<HistoryEvent> events;
    for (std::uint32_t i = 0; i < items; ++i) events.push_back(event_of(i));
    return events;
  }();
  return make_histories(std::vector(persons, row), persons, items);
}

inline std::vector<float> scores_of(const Model& model, const Query& query, std::uint32_t items) {
  std::vector<ItemIndex> all;
  for (std::uint32_t i = 0; i < items; ++i) all.push_back(ItemIndex{i});
  std::vector<float> scores(items);
  model.score(query, all, scores);
  return scores;
}

inline std::vector<float> scores_of(const Model& model, std::span<const HistoryEvent> history,
                                    std::uint32_t items) {
  Query query;
  query.history = history;
  return scores_of(model, query, items);
}

inline std::vector<Candidate> list_of(const Model& model, const Query& query, int n,
                                      const ItemMask& mask = {}) {
  CandidateBlock block;
  model.retrieve({&query, 1}, {&mask, 1}, n, block);
  const auto row = block.row(0);
  return {row.begin(), row.end()};
}

// Says how often fitting looks at the monitor.
class CountingMonitor final : public Monitor {
 public:
  void begin(std::string_view, std::uint64_t, std::string_view) override {}
  Verdict advance(std::uint64_t) override {
    ++calls;
    return Verdict::kContinue;
  }
  void end() override {}
  void note(std::string_view) override {}
  Usage usage() override { return {}; }
  std::atomic<int> calls{0};
};

// |a - b| within `relative` of the larger, or of 1.
inline bool near(double a, double b, double relative = 1e-5) {
  return std::abs(a - b) <= relative * std::max({1.0, std::abs(a), std::abs(b)});
}

}  // namespace vitrine::testing

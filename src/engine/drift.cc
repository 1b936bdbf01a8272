#include "engine/drift.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "engine/limits.h"
#include "engine/recommenders.h"
#include "engine/sources.h"

namespace vitrine {
namespace {

constexpr int kWeeksBefore = 8, kWeeksMin = 3;

std::int64_t day_of(Timestamp time) { return time / kDay - (time % kDay < 0 ? 1 : 0); }

double median_of(std::vector<std::uint64_t> counts) {
  std::sort(counts.begin(), counts.end());
  const std::size_t half = counts.size() / 2;
  if (counts.size() % 2 == 1) return static_cast<double>(counts[half]);
  return (static_cast<double>(counts[half - 1]) + static_cast<double>(counts[half])) / 2;
}

// The rows that are asked, by number.
std::vector<std::size_t> sampled_rows(const Histories& histories) {
  std::vector<std::size_t> rows;
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    if (!histories.row(r).empty()) rows.push_back(r);
  }
  if (rows.size() <= kDriftVisitors) return rows;
  std::vector<std::size_t> spread;
  for (std::size_t i = 0; i < kDriftVisitors; ++i)
    spread.push_back(rows[i * rows.size() / kDriftVisitors]);
  return spread;
}

std::vector<Query> queries_of(const Histories& histories, std::span<const std::size_t> rows) {
  std::vector<Query> queries;
  for (const std::size_t r : rows) {
    const auto all = histories.row(r);
    Query query;
    query.history = all.last(std::min(all.size(), kQueryHistoryMax));
    query.user = histories.user(r);
    query.now = histories.last_time();
    queries.push_back(query);
  }
  return queries;
}

// Of one model, divided by each visitor's best.
std::vector<float> top_scores(const Model& model, std::span<const Query> queries, int n) {
  CandidateBlock block;
  const ItemMask everything;
  model.retrieve(queries, {&everything, 1}, n, block);
  std::vector<float> scores;
  for (std::size_t q = 0; q < block.queries(); ++q) {
    const auto row = block.row(q);
    const float best = row.empty() ? 0 : std::abs(row.front().score);
    for (const Candidate& candidate : row) scores.push_back(best > 0 ? candidate.score / best : 0);
  }
  return scores;
}

double overlap(std::span<const Candidate> a, std::span<const Candidate> b) {
  const std::size_t longest = std::max(a.size(), b.size());
  if (longest == 0) return 1;
  std::size_t both = 0;
  for (const Candidate& x : a) {
    both += std::any_of(b.begin(), b.end(), [&](const Candidate& y) { return x.item == y.item; });
  }
  return static_cast<double>(both) / static_cast<double>(longest);
}

// What each visitor has, ascending; nothing where it may be shown again.
std::vector<std::vector<ItemIndex>> seen_by(std::span<const Query> queries, bool repeats) {
  std::vector<std::vector<ItemIndex>> seen(queries.size());
  if (repeats) return seen;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    for (const HistoryEvent& event : queries[q].history) seen[q].push_back(event.item);
    std::sort(seen[q].begin(), seen[q].end());
    seen[q].erase(std::unique(seen[q].begin(), seen[q].end()), seen[q].end());
  }
  return seen;
}

// The lists that visitors see.
void lists_of(const Snapshot& snapshot, const PlacementOptions& home, const Config& config,
              std::span<const Query> queries, int n, CandidateBlock& out) {
  const PlacementSources sources = placement_sources(snapshot, home);
  const Recommender lists =
      pipeline_recommender("home", sources.sources, config.pipeline, sources.fallback);
  const auto seen = seen_by(queries, home.repeat != "never");
  const std::vector<std::span<const ItemIndex>> excluded(seen.begin(), seen.end());
  lists.recommend(queries, excluded, n, out);
}

}  // namespace

std::optional<DayVolume> day_volume(const Histories& histories) {
  if (histories.last_time() == kNoTime) return std::nullopt;
  DayVolume volume;
  volume.day = day_of(histories.last_time()) - 1;
  std::array<std::uint64_t, kWeeksBefore> before{};
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  for (const HistoryEvent& event : histories.events()) {
    if (event.time == kNoTime) continue;
    const std::int64_t day = day_of(event.time);
    first = std::min(first, day);
    if (day == volume.day) ++volume.events;
    const std::int64_t ago = volume.day - day;
    if (ago > 0 && ago % 7 == 0 && ago / 7 <= kWeeksBefore)
      ++before[static_cast<std::size_t>(ago / 7 - 1)];
  }
  const std::int64_t weeks = std::min<std::int64_t>(kWeeksBefore, (volume.day - first) / 7);
  if (weeks < kWeeksMin) return std::nullopt;
  volume.days_before = static_cast<int>(weeks);
  volume.median = median_of({before.begin(), before.begin() + weeks});
  return volume;
}

double kolmogorov_smirnov(std::vector<float> a, std::vector<float> b) {
  if (a.empty() || b.empty()) return 0;
  for (std::vector<float>* sample : {&a, &b}) {
    for (float& value : *sample) {
      if (!std::isfinite(value)) value = std::numeric_limits<float>::max();
    }
    std::sort(sample->begin(), sample->end());
  }
  double largest = 0;
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    const float value = std::min(a[i], b[j]);
    while (i < a.size() && a[i] <= value) ++i;
    while (j < b.size() && b[j] <= value) ++j;
    const double distance = static_cast<double>(i) / static_cast<double>(a.size()) -
                            static_cast<double>(j) / static_cast<double>(b.size());
    largest = std::max(largest, std::abs(distance));
  }
  return largest;
}

Result<ListDrift> list_drift(const Run& run, const Snapshot& before, const Config& before_config,
                             const Snapshot& after, const Config& after_config,
                             const Histories& histories) {
  VT_TRY(const PlacementOptions* old_home, before_config.placement("home"));
  VT_TRY(const PlacementOptions* new_home, after_config.placement("home"));
  ListDrift drift;
  drift.n = std::max(1, metric_cutoff(after_config.train.metric));
  const std::vector<std::size_t> rows = sampled_rows(histories);
  const std::vector<Query> queries = queries_of(histories, rows);
  drift.visitors = queries.size();
  if (queries.empty()) return drift;
  Stage stage(run.monitor, "comparing lists", after.models.size() + 1, "models");
  CandidateBlock old_lists, new_lists;
  lists_of(before, *old_home, before_config, queries, drift.n, old_lists);
  lists_of(after, *new_home, after_config, queries, drift.n, new_lists);
  double sum = 0;
  for (std::size_t q = 0; q < queries.size(); ++q)
    sum += overlap(old_lists.row(q), new_lists.row(q));
  drift.overlap = sum / static_cast<double>(queries.size());
  for (std::size_t m = 0; m < after.models.size(); ++m) {
    VT_TRY(stage.proceed(m + 1));
    const NamedModel& model = after.models[m];
    for (const NamedModel& old : before.models) {
      if (old.name != model.name || old.kind != model.kind) continue;
      drift.scores.emplace_back(model.name,
                                kolmogorov_smirnov(top_scores(*old.model, queries, drift.n),
                                                   top_scores(*model.model, queries, drift.n)));
    }
  }
  return drift;
}

}  // namespace vitrine

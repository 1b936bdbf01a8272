#include "data/split_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/item.h"
#include "data/readable.h"

namespace vitrine {
namespace {

std::size_t share_of(std::size_t count, double share) {
  return static_cast<std::size_t>(std::llround(static_cast<double>(count) * share));
}

Timestamp last_shown_time(std::span<const HistoryEvent> row, std::span<const SplitRole> roles) {
  Timestamp last = kNoTime;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (roles[i] != SplitRole::kTruth) last = row[i].time;
  }
  return last;
}

// The time from which on events are test.
Result<Timestamp> time_cut(const Histories& all, const SplitOptions& options) {
  std::vector<Timestamp> times;
  for (const HistoryEvent& event : all.events()) {
    if (event.time != kNoTime) times.push_back(event.time);
  }
  if (2 * times.size() <= all.size()) {
    return split_error(
        fmt::format("kind=time needs events with times, and only {} of {} have one; kind=last (in "
                    "file order) and "
                    "kind=random work without",
                    readable_count(times.size()), readable_count(all.size())));
  }
  const Timestamp first = *std::min_element(times.begin(), times.end());
  const std::string span = fmt::format("the events reach from {} to {}", format_time(first),
                                       format_time(all.last_time()));
  if (options.test_days > 0) {
    const double cut = static_cast<double>(all.last_time()) - options.test_days * kDay;
    if (cut > static_cast<double>(first)) return static_cast<Timestamp>(std::llround(cut));
    return split_error(fmt::format("test_days={} leaves nothing to fit: {}; fewer days would",
                                   options.test_days, span));
  }
  const std::size_t held = std::max<std::size_t>(share_of(times.size(), options.test_share), 1);
  const auto at =
      times.begin() + static_cast<std::ptrdiff_t>(times.size() - std::min(held, times.size()));
  std::nth_element(times.begin(), at, times.end());
  if (*at > first) return *at;
  return split_error(
      fmt::format("test_share={} leaves nothing to fit: {}, and the cut falls on the first "
                  "time; kind=last or kind=random work",
                  options.test_share, span));
}

Result<SplitPlan> plan_time(const Run&, const Histories& all, const SplitOptions& options) {
  VT_TRY(const Timestamp cut, time_cut(all, options));
  SplitPlan plan{std::vector<SplitRole>(all.size(), SplitRole::kTrain), {}, {}};
  std::uint64_t held = 0;
  for (std::size_t r = 0; r < all.rows(); ++r) {
    const auto row = all.row(r);
    const auto at = std::partition_point(row.begin(), row.end(),
                                         [&](const HistoryEvent& e) { return e.time < cut; });
    const auto before = static_cast<std::size_t>(at - row.begin());
    const auto truth = plan.row(all, r).subspan(before);
    std::size_t ripe = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      const HistoryEvent& event = row[before + i];
      const bool young = event.type == EventType::kPurchase &&
                         static_cast<double>(event.time) >
                             static_cast<double>(all.last_time()) - options.maturity_days * kDay;
      truth[i] = young ? SplitRole::kUnripe : SplitRole::kTruth;
      ripe += young ? 0 : 1;
    }
    held += ripe;
    if (ripe > 0 && before >= history_min(all, r, options)) plan.questions.push_back({r, cut});
  }
  if (held == 0 && options.maturity_days > 0) {
    return Error{
        Code::kInvalid,
        fmt::format("maturity_days={:g} leaves nothing to ask for: the test part begins at "
                    "{}; a longer test_days or a shorter maturity works",
                    options.maturity_days, format_time(cut))};
  }
  plan.protocol = fmt::format(
      "global time split: the {} of {} from {} on are the test part, events at "
      "exactly that time included",
      readable_count(held, "event"), readable_count(all.size()), format_time(cut));
  if (options.maturity_days > 0) {
    plan.protocol +=
        fmt::format("; purchases of the last {:g} days are left out, they may come back",
                    options.maturity_days);
  }
  return plan;
}

Result<SplitPlan> plan_last(const Run&, const Histories& all, const SplitOptions& options) {
  const bool groups = options.kind == "last_group";
  SplitPlan plan{std::vector<SplitRole>(all.size(), SplitRole::kTrain), {}, {}};
  for (std::size_t r = 0; r < all.rows(); ++r) {
    const auto row = all.row(r);
    const auto truth = last_units_begin(row, options.hold_out, groups);
    if (!truth || *truth == row.size() || *truth < history_min(all, r, options)) continue;
    const std::size_t shown =
        last_units_begin(row.first(*truth), options.fit_hold_out, groups).value_or(0);
    const auto roles = plan.row(all, r);
    std::fill(roles.begin() + static_cast<std::ptrdiff_t>(shown), roles.end(), SplitRole::kShown);
    std::fill(roles.begin() + static_cast<std::ptrdiff_t>(*truth), roles.end(), SplitRole::kTruth);
    plan.questions.push_back({r, row[*truth].time});
  }
  const std::string_view unit = groups ? "basket or session" : "event";
  plan.protocol = fmt::format("leave the last {} of each person out", unit);
  if (options.hold_out > 1)
    plan.protocol = fmt::format("leave the last {} {}s of each person out", options.hold_out, unit);
  if (options.fit_hold_out > 0) {
    plan.protocol += fmt::format("; the {} before are shown but not fitted", options.fit_hold_out);
  }
  return plan;
}

// k of the indexes [0, n), in no particular order (the first steps of Fisher-Yates).
std::vector<std::size_t> choose(std::size_t n, std::size_t k, const Random& random) {
  std::vector<std::size_t> indexes(n);
  std::iota(indexes.begin(), indexes.end(), std::size_t{0});
  for (std::size_t i = 0; i < k; ++i) std::swap(indexes[i], indexes[i + random.below(i, n - i)]);
  indexes.resize(k);
  return indexes;
}

Result<SplitPlan> plan_random(const Run& run, const Histories& all, const SplitOptions& options) {
  const Random random = run.random.fork("split");
  SplitPlan plan{std::vector<SplitRole>(all.size(), SplitRole::kTrain), {}, {}};
  for (std::size_t r = 0; r < all.rows(); ++r) {
    const std::size_t n = all.row(r).size(), shown_min = history_min(all, r, options);
    if (n <= shown_min) continue;
    const std::size_t held =
        std::clamp<std::size_t>(share_of(n, options.test_share), 1, n - shown_min);
    const auto roles = plan.row(all, r);
    for (const std::size_t i : choose(n, held, random.fork(r))) roles[i] = SplitRole::kTruth;
    plan.questions.push_back({r, last_shown_time(all.row(r), roles)});
  }
  plan.protocol = fmt::format("a random {:g} % of each person's events (at least one) are held out",
                              options.test_share * 100);
  return plan;
}

// The rows that can be held out whole: something is left when something is shown.
std::vector<std::size_t> able_rows(const Histories& all, const SplitOptions& options) {
  std::vector<std::size_t> able;
  for (std::size_t r = 0; r < all.rows(); ++r) {
    if (all.row(r).size() > std::max<std::size_t>(history_min(all, r, options), 1))
      able.push_back(r);
  }
  return able;
}

// Holds `rows` (ascending) out whole and shows a random part of each.
SplitPlan hold_persons_out(const Histories& all, const std::vector<std::size_t>& rows,
                           const SplitOptions& options, const Random& random) {
  SplitPlan plan{std::vector<SplitRole>(all.size(), SplitRole::kTrain), {}, {}};
  for (const std::size_t r : rows) {
    const std::size_t n = all.row(r).size();
    const std::size_t shown_min = std::max<std::size_t>(history_min(all, r, options), 1);
    const std::size_t shown = std::clamp(share_of(n, options.fold_in_share), shown_min, n - 1);
    const auto roles = plan.row(all, r);
    std::fill(roles.begin(), roles.end(), SplitRole::kTruth);
    for (const std::size_t i : choose(n, shown, random.fork(r))) roles[i] = SplitRole::kShown;
    plan.questions.push_back({r, last_shown_time(all.row(r), roles)});
  }
  return plan;
}

Result<SplitPlan> plan_users(const Run& run, const Histories& all, const SplitOptions& options) {
  const Random random = run.random.fork("split");
  const std::vector<std::size_t> able = able_rows(all, options);
  const std::size_t asked =
      std::min(std::max<std::size_t>(share_of(able.size(), options.test_share), 1), able.size());
  std::vector<std::size_t> rows;
  for (const std::size_t c : choose(able.size(), asked, random.fork("users"))) {
    rows.push_back(able[c]);
  }
  std::sort(rows.begin(), rows.end());
  SplitPlan plan = hold_persons_out(all, rows, options, random);
  plan.protocol = fmt::format(
      "strong generalisation: {} of {} held out whole, a random {:g} % of their "
      "events shown",
      readable_count(asked), readable_count(able.size(), "person"), options.fold_in_share * 100);
  return plan;
}

// Every row deals its events out like cards, from a random pack and to a random first fold, so that
// short rows do not all fall to the same fold.
SplitPlan fold_of_events(const Histories& all, const SplitOptions& options, const Random& random,
                         std::size_t fold, std::size_t folds) {
  SplitPlan plan{std::vector<SplitRole>(all.size(), SplitRole::kTrain), {}, {}};
  for (std::size_t r = 0; r < all.rows(); ++r) {
    const std::size_t n = all.row(r).size(), shown_min = history_min(all, r, options);
    const Random own = random.fork(r);
    const std::size_t first = own.fork("first").below(0, folds);
    const std::vector<std::size_t> pack = choose(n, n, own);
    const auto roles = plan.row(all, r);
    std::size_t held = 0;
    for (std::size_t i = (fold + folds - first) % folds; i < n && n - held > shown_min;
         i += folds, ++held) {
      roles[pack[i]] = SplitRole::kTruth;
    }
    if (held > 0) plan.questions.push_back({r, last_shown_time(all.row(r), roles)});
  }
  return plan;
}

}  // namespace

Result<SplitPlan> plan_fold(const Run& run, const Histories& all, const SplitOptions& options,
                            const std::string& by, int fold, int folds) {
  if (folds < 2 || fold < 0 || fold >= folds) {
    return split_error(fmt::format("fold {} of {}: there must be at least two", fold, folds));
  }
  const Random random = run.random.fork("folds");
  const auto at = static_cast<std::size_t>(fold), count = static_cast<std::size_t>(folds);
  SplitPlan plan;
  if (by == "events") {
    plan = fold_of_events(all, options, random, at, count);
  } else if (by == "persons") {
    const std::vector<std::size_t> able = able_rows(all, options);
    const std::vector<std::size_t> pack = choose(able.size(), able.size(), random);
    std::vector<std::size_t> asked;
    for (std::size_t i = at; i < pack.size(); i += count) asked.push_back(able[pack[i]]);
    std::sort(asked.begin(), asked.end());
    plan = hold_persons_out(all, asked, options, random.fork("shown"));
  } else {
    return split_error(fmt::format("folds are made by events or by persons, not by \"{}\"", by));
  }
  plan.protocol = fmt::format("fold {} of {}, by {}", fold + 1, folds, by);
  if (by == "persons") {
    plan.protocol += fmt::format(": held out whole, a random {:g} % of their events shown",
                                 options.fold_in_share * 100);
  }
  return plan;
}

Error split_error(std::string message) { return {Code::kInvalid, "split: " + std::move(message)}; }

std::optional<std::size_t> last_units_begin(std::span<const HistoryEvent> row, int count,
                                            bool groups) {
  std::size_t at = row.size();
  for (int i = 0; i < count; ++i) {
    if (at == 0) return std::nullopt;
    const std::uint32_t group = row[--at].group;
    while (groups && at > 0 && row[at - 1].group == group) --at;
  }
  return at;
}

Result<SplitPlan> plan_split(const Run& run, const Histories& all, const SplitOptions& options) {
  const bool last = options.kind == "last" || options.kind == "last_group";
  if (options.fit_hold_out > 0 && !last) {
    return split_error(fmt::format(
        "fit_hold_out belongs to kinds last and last_group, not to kind={}", options.kind));
  }
  const auto plan = last                       ? plan_last
                    : options.kind == "time"   ? plan_time
                    : options.kind == "random" ? plan_random
                    : options.kind == "users"  ? plan_users
                                               : nullptr;
  if (!plan) {
    return split_error(fmt::format(
        "no kind is named \"{}\"; there are time, last, last_group, random, users, prefixes",
        options.kind));
  }
  return plan(run, all, options);
}

}  // namespace vitrine

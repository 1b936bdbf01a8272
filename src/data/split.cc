#include "data/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/item.h"
#include "data/readable.h"

namespace vitrine {
namespace {

enum class Role : std::uint8_t {
  kTrain,  // fitted, and shown when its person is asked
  kShown,  // shown only
  kTruth,  // held out
};

struct Question {
  std::size_t row;
  Timestamp now;
};

// A split before it is carried out: what becomes of each event, and who is asked.
struct Plan {
  std::vector<Role> roles;  // parallel to the events of the histories
  std::vector<Question> questions;
  std::string protocol;

  std::span<Role> row(const Histories& all, std::size_t r) {
    return std::span(roles).subspan(all.offsets()[r], all.row(r).size());
  }
};

Error invalid(std::string message) { return {Code::kInvalid, "split: " + std::move(message)}; }

// How many events somebody must have to go by. A session that nothing is known of is nobody.
std::size_t history_min(const Histories& all, std::size_t row, const SplitOptions& options) {
  return static_cast<std::size_t>(std::max(options.events_min, all.user(row) ? 0 : 1));
}

std::size_t share_of(std::size_t count, double share) {
  return static_cast<std::size_t>(std::llround(static_cast<double>(count) * share));
}

std::uint64_t events_without_time(const Histories& all) {
  const auto events = all.events();
  return static_cast<std::uint64_t>(std::count_if(
      events.begin(), events.end(), [](const HistoryEvent& e) { return e.time == kNoTime; }));
}

Timestamp last_shown_time(std::span<const HistoryEvent> row, std::span<const Role> roles) {
  Timestamp last = kNoTime;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (roles[i] != Role::kTruth) last = row[i].time;
  }
  return last;
}

// The time from which on events are test.
Result<Timestamp> time_cut(const Histories& all, const SplitOptions& options) {
  std::vector<Timestamp> times;
  for (const HistoryEvent& event : all.events()) {
    if (event.time != kNoTime) times.push_back(event.time);
  }
  if (times.empty()) {
    return invalid(
        "kind=time needs events with times, and none has one; kind=last (file order) and "
        "kind=random work without");
  }
  const Timestamp first = *std::min_element(times.begin(), times.end());
  const std::string span = fmt::format("the events reach from {} to {}", format_time(first),
                                       format_time(all.last_time()));
  if (options.test_days > 0) {
    const double cut = static_cast<double>(all.last_time()) - options.test_days * kDay;
    if (cut > static_cast<double>(first)) return static_cast<Timestamp>(std::llround(cut));
    return invalid(fmt::format("test_days={} leaves nothing to fit: {}; fewer days would",
                               options.test_days, span));
  }
  const std::size_t held = std::max<std::size_t>(share_of(times.size(), options.test_share), 1);
  const auto at =
      times.begin() + static_cast<std::ptrdiff_t>(times.size() - std::min(held, times.size()));
  std::nth_element(times.begin(), at, times.end());
  if (*at > first) return *at;
  return invalid(
      fmt::format("test_share={} leaves nothing to fit: {}, and the cut falls on the first "
                  "time; kind=last or kind=random work",
                  options.test_share, span));
}

Result<Plan> plan_time(const Run&, const Histories& all, const SplitOptions& options) {
  VT_TRY(const Timestamp cut, time_cut(all, options));
  Plan plan{std::vector<Role>(all.size(), Role::kTrain), {}, {}};
  std::uint64_t held = 0;
  for (std::size_t r = 0; r < all.rows(); ++r) {
    const auto row = all.row(r);
    const auto at = std::partition_point(row.begin(), row.end(),
                                         [&](const HistoryEvent& e) { return e.time < cut; });
    const auto before = static_cast<std::size_t>(at - row.begin());
    const auto truth = plan.row(all, r).subspan(before);
    std::fill(truth.begin(), truth.end(), Role::kTruth);
    held += truth.size();
    if (!truth.empty() && before >= history_min(all, r, options))
      plan.questions.push_back({r, cut});
  }
  plan.protocol = fmt::format(
      "global time split: the {} of {} from {} on are the test part, events at "
      "exactly that time included",
      readable_count(held, "event"), readable_count(all.size()), format_time(cut));
  return plan;
}

// Where the last `count` events or groups of a row begin; nothing when it has fewer.
std::optional<std::size_t> tail_begin(std::span<const HistoryEvent> row, int count, bool groups) {
  std::size_t at = row.size();
  for (int i = 0; i < count; ++i) {
    if (at == 0) return std::nullopt;
    const std::uint32_t group = row[--at].group;
    while (groups && at > 0 && row[at - 1].group == group) --at;
  }
  return at;
}

Result<Plan> plan_last(const Run&, const Histories& all, const SplitOptions& options) {
  const bool groups = options.kind == "last_group";
  Plan plan{std::vector<Role>(all.size(), Role::kTrain), {}, {}};
  for (std::size_t r = 0; r < all.rows(); ++r) {
    const auto row = all.row(r);
    const auto truth = tail_begin(row, options.hold_out, groups);
    if (!truth || *truth == row.size() || *truth < history_min(all, r, options)) continue;
    const std::size_t shown =
        tail_begin(row.first(*truth), options.fit_hold_out, groups).value_or(0);
    const auto roles = plan.row(all, r);
    std::fill(roles.begin() + static_cast<std::ptrdiff_t>(shown), roles.end(), Role::kShown);
    std::fill(roles.begin() + static_cast<std::ptrdiff_t>(*truth), roles.end(), Role::kTruth);
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

Result<Plan> plan_random(const Run& run, const Histories& all, const SplitOptions& options) {
  const Random random = run.random.fork("split");
  Plan plan{std::vector<Role>(all.size(), Role::kTrain), {}, {}};
  for (std::size_t r = 0; r < all.rows(); ++r) {
    const std::size_t n = all.row(r).size(), shown_min = history_min(all, r, options);
    if (n <= shown_min) continue;
    const std::size_t held =
        std::clamp<std::size_t>(share_of(n, options.test_share), 1, n - shown_min);
    const auto roles = plan.row(all, r);
    for (const std::size_t i : choose(n, held, random.fork(r))) roles[i] = Role::kTruth;
    plan.questions.push_back({r, last_shown_time(all.row(r), roles)});
  }
  plan.protocol = fmt::format("a random {:g} % of each person's events (at least one) are held out",
                              options.test_share * 100);
  return plan;
}

Result<Plan> plan_users(const Run& run, const Histories& all, const SplitOptions& options) {
  const Random random = run.random.fork("split");
  std::vector<std::size_t> able;
  for (std::size_t r = 0; r < all.rows(); ++r) {
    if (all.row(r).size() > std::max<std::size_t>(history_min(all, r, options), 1))
      able.push_back(r);
  }
  Plan plan{std::vector<Role>(all.size(), Role::kTrain), {}, {}};
  const std::size_t asked =
      std::min(std::max<std::size_t>(share_of(able.size(), options.test_share), 1), able.size());
  std::vector<std::size_t> chosen = choose(able.size(), asked, random.fork("users"));
  std::sort(chosen.begin(), chosen.end());
  for (const std::size_t c : chosen) {
    const std::size_t r = able[c], n = all.row(r).size();
    const std::size_t shown_min = std::max<std::size_t>(history_min(all, r, options), 1);
    const std::size_t shown = std::clamp(share_of(n, options.fold_in_share), shown_min, n - 1);
    const auto roles = plan.row(all, r);
    std::fill(roles.begin(), roles.end(), Role::kTruth);
    for (const std::size_t i : choose(n, shown, random.fork(r))) roles[i] = Role::kShown;
    plan.questions.push_back({r, last_shown_time(all.row(r), roles)});
  }
  plan.protocol = fmt::format(
      "strong generalisation: {} of {} held out whole, a random {:g} % of their "
      "events shown",
      readable_count(asked), readable_count(able.size(), "person"), options.fold_in_share * 100);
  return plan;
}

Histories training_part(const Histories& all, const std::vector<Role>& roles) {
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  offsets.reserve(all.rows() + 1);
  events.reserve(all.size());
  for (std::size_t r = 0; r < all.rows(); ++r) {
    for (std::uint64_t i = all.offsets()[r]; i < all.offsets()[r + 1]; ++i) {
      if (roles[i] == Role::kTrain) events.push_back(all.events()[i]);
    }
    offsets.push_back(events.size());
  }
  return {std::move(offsets), std::move(events), all.users(), all.items()};
}

std::string tie_rule(const Histories& all) {
  std::string rule = "; equal times keep log order";
  if (const std::uint64_t count = events_without_time(all)) {
    rule += fmt::format("; {} {} no time and {} file order", readable_count(count, "event"),
                        count == 1 ? "has" : "have", count == 1 ? "keeps" : "keep");
  }
  return rule;
}

void make_distinct(std::vector<ItemIndex>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

std::optional<UserIndex> fitted_user(const Histories& train, std::size_t row) {
  if (row >= train.rows() || train.row(row).empty()) return std::nullopt;
  return train.user(row);
}

// Leaves those items that training has seen, unless new ones count; the others are counted in
// `split`.
void drop_new_items(std::vector<ItemIndex>& truth, const std::vector<std::uint32_t>& seen,
                    const SplitOptions& options, Split& split) {
  if (options.new_items) return;
  std::erase_if(truth, [&](ItemIndex item) {
    if (seen[raw(item)] > 0) return false;
    split.count_dropped_new_item();
    return true;
  });
}

Status check_asked(const Split& split, const SplitOptions& options) {
  if (split.cases() > 0) return {};
  return invalid(fmt::format(
      "kind={} leaves nobody to ask: no person has both held-out events and {} to go by ({} "
      "held-out "
      "items are new to training); a lower events_min, new_items=true or another kind would help",
      options.kind,
      readable_count(static_cast<std::uint64_t>(std::max(options.events_min, 0)), "event"),
      readable_count(split.dropped_new_items())));
}

Result<Split> carry_out(const Histories& all, const Plan& plan, const SplitOptions& options) {
  Split split(training_part(all, plan.roles), plan.protocol + tie_rule(all));
  if (split.train().size() == 0) {
    return invalid(fmt::format("kind={} leaves nothing to fit; hold less out", options.kind));
  }
  const std::vector<std::uint32_t> seen = item_counts(split.train());
  std::vector<HistoryEvent> history;
  std::vector<ItemIndex> truth;
  for (const Question& question : plan.questions) {
    history.clear();
    truth.clear();
    const auto row = all.row(question.row);
    const Role* roles = &plan.roles[all.offsets()[question.row]];
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (roles[i] == Role::kTruth)
        truth.push_back(row[i].item);
      else
        history.push_back(row[i]);
    }
    make_distinct(truth);
    drop_new_items(truth, seen, options, split);
    if (truth.empty()) continue;
    split.add_case(history, truth, fitted_user(split.train(), question.row), question.now);
  }
  VT_TRY(check_asked(split, options));
  return split;
}

// The events that fit_hold_out kept from the outer training part become the truth.
Result<Split> withheld_split(const Split& outer, const SplitOptions& options) {
  const bool groups = options.kind == "last_group";
  Split split(outer.train(),
              fmt::format("validation on the {} {} before the last of each person, which "
                          "are not fitted{}",
                          options.fit_hold_out, groups ? "baskets or sessions" : "events",
                          tie_rule(outer.train())));
  const std::vector<std::uint32_t> seen = item_counts(split.train());
  std::vector<ItemIndex> truth;
  for (std::size_t i = 0; i < outer.cases(); ++i) {
    const EvaluationCase asked = outer[i];
    const auto begin = tail_begin(asked.history, options.fit_hold_out, groups);
    const std::size_t shown_min = static_cast<std::size_t>(std::max(options.events_min, 1));
    if (!begin || *begin < shown_min) continue;
    truth.clear();
    for (const HistoryEvent& event : asked.history.subspan(*begin)) truth.push_back(event.item);
    make_distinct(truth);
    drop_new_items(truth, seen, options, split);
    if (!truth.empty()) {
      split.add_case(asked.history.first(*begin), truth, asked.user, asked.history[*begin].time);
    }
  }
  VT_TRY(check_asked(split, options));
  return split;
}

}  // namespace

Split::Split(Histories train, std::string description)
    : train_(std::move(train)), description_(std::move(description)) {}

EvaluationCase Split::operator[](std::size_t i) const {
  const auto part = [i](const auto& values, const std::vector<std::uint64_t>& offsets) {
    return std::span(values).subspan(offsets[i], offsets[i + 1] - offsets[i]);
  };
  return {part(history_, history_offsets_), part(truth_, truth_offsets_), users_[i], nows_[i]};
}

void Split::add_case(std::span<const HistoryEvent> history, std::span<const ItemIndex> truth,
                     std::optional<UserIndex> user, Timestamp now) {
  history_.insert(history_.end(), history.begin(), history.end());
  truth_.insert(truth_.end(), truth.begin(), truth.end());
  history_offsets_.push_back(history_.size());
  truth_offsets_.push_back(truth_.size());
  users_.push_back(user);
  nows_.push_back(now);
}

Result<Split> make_split(const Run& run, const Histories& all, const SplitOptions& options) {
  if (all.size() == 0) return invalid("there are no events");
  const bool last = options.kind == "last" || options.kind == "last_group";
  if (options.fit_hold_out > 0 && !last) {
    return invalid(fmt::format("fit_hold_out belongs to kinds last and last_group, not to kind={}",
                               options.kind));
  }
  const auto plan = last                       ? plan_last
                    : options.kind == "time"   ? plan_time
                    : options.kind == "random" ? plan_random
                    : options.kind == "users"  ? plan_users
                                               : nullptr;
  if (!plan) {
    return invalid(fmt::format(
        "no kind is named \"{}\"; there are time, last, last_group, random, users", options.kind));
  }
  Stage stage(run.monitor, "split", all.size(), "events");
  VT_TRY(const Plan planned, plan(run, all, options));
  VT_TRY(stage.proceed(all.size() / 2));
  return carry_out(all, planned, options);
}

Result<Split> split_from_files(const Histories& train, const Histories& test,
                               std::string description) {
  for (std::size_t r = test.users(); r < test.rows(); ++r) {
    if (test.row(r).empty()) continue;
    return invalid(
        "the test file has anonymous sessions, and nothing says whom to ask; give its events "
        "user ids");
  }
  Split split(train, std::move(description) + tie_rule(test));
  std::vector<ItemIndex> truth;
  for (std::size_t r = 0; r < test.users(); ++r) {
    const auto row = test.row(r);
    if (row.empty()) continue;
    truth.clear();
    for (const HistoryEvent& event : row) truth.push_back(event.item);
    make_distinct(truth);
    const bool known = r < train.users();
    split.add_case(known ? train.row(r) : std::span<const HistoryEvent>{}, truth,
                   known ? fitted_user(train, r) : std::nullopt, row.front().time);
  }
  if (split.cases() == 0) return invalid("the test file has no events");
  return split;
}

Result<Split> validation_split(const Run& run, const Split& outer, const SplitOptions& options) {
  if (options.fit_hold_out > 0) return withheld_split(outer, options);
  return make_split({run.random.fork("validation"), run.pool, run.monitor}, outer.train(), options);
}

}  // namespace vitrine

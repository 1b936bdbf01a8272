#include "data/split.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/split_plan.h"

namespace vitrine {
namespace {

Histories training_part(const Histories& all, const std::vector<SplitRole>& roles) {
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  offsets.reserve(all.rows() + 1);
  events.reserve(all.size());
  for (std::size_t r = 0; r < all.rows(); ++r) {
    for (std::uint64_t i = all.offsets()[r]; i < all.offsets()[r + 1]; ++i) {
      if (roles[i] == SplitRole::kTrain) events.push_back(all.events()[i]);
    }
    offsets.push_back(events.size());
  }
  return {std::move(offsets), std::move(events), all.users(), all.items()};
}

// Leaves those items that training has seen, unless new ones count; the others are counted in
// `split`.
void drop_new_items(Truth& truth, const std::vector<std::uint32_t>& seen,
                    const SplitOptions& options, Split& split) {
  if (options.new_items) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < truth.items.size(); ++i) {
    if (seen[raw(truth.items[i])] == 0) {
      split.count_dropped_new_item();
      continue;
    }
    truth.items[kept] = truth.items[i];
    truth.ratings[kept++] = truth.ratings[i];
  }
  truth.items.resize(kept);
  truth.ratings.resize(kept);
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
  Truth truth;
  for (std::size_t i = 0; i < outer.cases(); ++i) {
    const EvaluationCase asked = outer[i];
    const auto begin = last_units_begin(asked.history, options.fit_hold_out, groups);
    const std::size_t shown_min = static_cast<std::size_t>(std::max(options.events_min, 1));
    if (!begin || *begin < shown_min) continue;
    truth.assign(asked.history.subspan(*begin));
    drop_new_items(truth, seen, options, split);
    if (truth.items.empty()) continue;
    split.add_case({.history = asked.history.first(*begin),
                    .truth = truth.items,
                    .user = asked.user,
                    .now = asked.history[*begin].time,
                    .ratings = truth.ratings});
  }
  VT_TRY(check_asked(split, options));
  return split;
}

}  // namespace

Split::Split(Histories train, std::string description)
    : train_(std::move(train)), description_(std::move(description)) {}

EvaluationCase Split::operator[](std::size_t i) const {
  const auto part = [](const auto& values, Range range) {
    return std::span(values).subspan(range.begin, range.end - range.begin);
  };
  EvaluationCase asked{.history = part(history_, histories_[i]),
                       .truth = part(truth_, truths_[i]),
                       .user = users_[i],
                       .now = nows_[i]};
  if (!ratings_.empty()) asked.ratings = part(ratings_, truths_[i]);
  if (!against_.empty()) asked.against = part(against_, againsts_[i]);
  return asked;
}

void Split::add_case(const EvaluationCase& asked) {
  const auto append = [](auto& values, const auto& more) {
    const Range range{values.size(), values.size() + more.size()};
    values.insert(values.end(), more.begin(), more.end());
    return range;
  };
  histories_.push_back(append(history_, asked.history));
  truths_.push_back(append(truth_, asked.truth));
  againsts_.push_back(append(against_, asked.against));
  append(ratings_, asked.ratings);
  VT_CHECK(ratings_.empty() || ratings_.size() == truth_.size());
  users_.push_back(asked.user);
  nows_.push_back(asked.now);
}

void Split::add_prefixes(std::span<const HistoryEvent> row, std::span<const std::size_t> lengths,
                         std::optional<UserIndex> user) {
  const std::uint64_t begin = history_.size();
  for (const std::size_t length : lengths) {
    const HistoryEvent& next = row[length];
    add_case(
        {.truth = {&next.item, 1}, .user = user, .now = next.time, .ratings = {&next.value, 1}});
    histories_.back() = {begin, begin + length};
  }
  if (!lengths.empty()) {
    history_.insert(history_.end(), row.begin(),
                    row.begin() + static_cast<std::ptrdiff_t>(lengths.back()));
  }
}

Result<Split> make_split(const Run& run, const Histories& all, const SplitOptions& options) {
  if (all.size() == 0) return split_error("there are no events");
  if (options.kind == "prefixes") return hold_sessions_out(all, options);
  Stage stage(run.monitor, "split", all.size(), "events");
  VT_TRY(const SplitPlan plan, plan_split(run, all, options));
  VT_TRY(stage.proceed(all.size() / 2));
  return carry_out(all, plan, options);
}

Result<Split> carry_out(const Histories& all, const SplitPlan& plan, const SplitOptions& options) {
  Split split(training_part(all, plan.roles), plan.protocol + tie_rule(all));
  if (split.train().size() == 0) {
    return split_error(fmt::format("kind={} leaves nothing to fit; hold less out", options.kind));
  }
  const std::vector<std::uint32_t> seen = item_counts(split.train());
  std::vector<HistoryEvent> history, held;
  Truth truth;
  for (const SplitQuestion& question : plan.questions) {
    history.clear();
    held.clear();
    const auto row = all.row(question.row);
    const SplitRole* roles = &plan.roles[all.offsets()[question.row]];
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (roles[i] == SplitRole::kUnripe) continue;
      (roles[i] == SplitRole::kTruth ? held : history).push_back(row[i]);
    }
    truth.assign(held);
    drop_new_items(truth, seen, options, split);
    if (truth.items.empty()) continue;
    split.add_case({.history = history,
                    .truth = truth.items,
                    .user = fitted_user(split.train(), question.row),
                    .now = question.now,
                    .ratings = truth.ratings});
  }
  VT_TRY(check_asked(split, options));
  return split;
}

Result<Split> make_fold(const Run& run, const Histories& all, const SplitOptions& options,
                        const std::string& by, int fold, int folds) {
  if (all.size() == 0) return split_error("there are no events");
  VT_TRY(const SplitPlan plan, plan_fold(run, all, options, by, fold, folds));
  return carry_out(all, plan, options);
}

Result<Split> validation_split(const Run& run, const Split& outer, const SplitOptions& options) {
  if (options.fit_hold_out > 0) return withheld_split(outer, options);
  return make_split({run.random.fork("validation"), run.pool, run.monitor}, outer.train(), options);
}

}  // namespace vitrine

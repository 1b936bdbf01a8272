#include "data/split.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/readable.h"
#include "data/split_plan.h"

namespace vitrine {
namespace {

std::uint64_t events_without_time(const Histories& all) {
  const auto events = all.events();
  return static_cast<std::uint64_t>(std::count_if(
      events.begin(), events.end(), [](const HistoryEvent& e) { return e.time == kNoTime; }));
}

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
  return split_error(fmt::format(
      "kind={} leaves nobody to ask: no person has both held-out events and {} to go by ({} "
      "held-out "
      "items are new to training); a lower events_min, new_items=true or another kind would help",
      options.kind,
      readable_count(static_cast<std::uint64_t>(std::max(options.events_min, 0)), "event"),
      readable_count(split.dropped_new_items())));
}

Result<Split> carry_out(const Histories& all, const SplitPlan& plan, const SplitOptions& options) {
  Split split(training_part(all, plan.roles), plan.protocol + tie_rule(all));
  if (split.train().size() == 0) {
    return split_error(fmt::format("kind={} leaves nothing to fit; hold less out", options.kind));
  }
  const std::vector<std::uint32_t> seen = item_counts(split.train());
  std::vector<HistoryEvent> history;
  std::vector<ItemIndex> truth;
  for (const SplitQuestion& question : plan.questions) {
    history.clear();
    truth.clear();
    const auto row = all.row(question.row);
    const SplitRole* roles = &plan.roles[all.offsets()[question.row]];
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (roles[i] == SplitRole::kTruth)
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
    const auto begin = last_units_begin(asked.history, options.fit_hold_out, groups);
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
  if (all.size() == 0) return split_error("there are no events");
  Stage stage(run.monitor, "split", all.size(), "events");
  VT_TRY(const SplitPlan plan, plan_split(run, all, options));
  VT_TRY(stage.proceed(all.size() / 2));
  return carry_out(all, plan, options);
}

Result<Split> split_from_files(const Histories& train, const Histories& test,
                               std::string description) {
  for (std::size_t r = test.users(); r < test.rows(); ++r) {
    if (test.row(r).empty()) continue;
    return split_error(
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
  if (split.cases() == 0) return split_error("the test file has no events");
  return split;
}

Result<Split> validation_split(const Run& run, const Split& outer, const SplitOptions& options) {
  if (options.fit_hold_out > 0) return withheld_split(outer, options);
  return make_split({run.random.fork("validation"), run.pool, run.monitor}, outer.train(), options);
}

}  // namespace vitrine

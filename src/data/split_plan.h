// The kinds of split as plans: what becomes of each event, and who is asked. split.cc carries them
// out. And what all the ways to make a Split share.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/split.h"

namespace vitrine {

enum class SplitRole : std::uint8_t {
  kTrain,   // fitted, and shown when its person is asked
  kShown,   // shown only
  kTruth,   // held out
  kUnripe,  // none of these: a purchase that may still come back
};

struct SplitQuestion {
  std::size_t row;
  Timestamp now;
};

struct SplitPlan {
  std::vector<SplitRole> roles;          // parallel to the events of the histories
  std::vector<SplitQuestion> questions;  // rows ascending
  std::string protocol;                  // one line for people

  std::span<SplitRole> row(const Histories& all, std::size_t r) {
    return std::span(roles).subspan(all.offsets()[r], all.row(r).size());
  }
};

// kInvalid, naming the remedy, where options and data do not fit. Not for kind prefixes, which asks
// more than one question of a row.
Result<SplitPlan> plan_split(const Run& run, const Histories& all, const SplitOptions& options);

// Where the last `count` events (or groups) of a row begin; nothing when it has fewer.
std::optional<std::size_t> last_units_begin(std::span<const HistoryEvent> row, int count,
                                            bool groups);

// One of `folds` plans that share the events (or persons) out among themselves.
Result<SplitPlan> plan_fold(const Run& run, const Histories& all, const SplitOptions& options,
                            const std::string& by, int fold, int folds);

Result<Split> carry_out(const Histories& all, const SplitPlan& plan, const SplitOptions& options);

// Kind prefixes: the persons and sessions that began last are held out whole.
Result<Split> hold_sessions_out(const Histories& all, const SplitOptions& options);

// The events that were held out of one row, as distinct items with their ratings.
struct Truth {
  std::vector<ItemIndex> items;  // distinct, ascending
  std::vector<float> ratings;    // parallel
  void assign(std::span<const HistoryEvent> held);
};

// How many events somebody must have to go by. A session that nothing is known of is nobody.
std::size_t history_min(const Histories& all, std::size_t row, const SplitOptions& options);

// The user of a row that still has events in `train`.
std::optional<UserIndex> fitted_user(const Histories& train, std::size_t row);

// "; equal times keep log order", and what is said of events without time.
std::string tie_rule(const Histories& all);

// kInvalid when nobody is asked.
Status check_asked(const Split& split, const SplitOptions& options);

Error split_error(std::string message);  // kInvalid, "split: ..."

}  // namespace vitrine

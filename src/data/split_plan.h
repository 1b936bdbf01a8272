// The kinds of split as plans: what becomes of each event, and who is asked. split.cc carries them
// out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/split.h"

namespace vitrine {

enum class SplitRole : std::uint8_t {
  kTrain,  // fitted, and shown when its person is asked
  kShown,  // shown only
  kTruth,  // held out
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

// kInvalid, naming the remedy, where options and data do not fit.
Result<SplitPlan> plan_split(const Run& run, const Histories& all, const SplitOptions& options);

// Where the last `count` events (or groups) of a row begin; nothing when it has fewer.
std::optional<std::size_t> last_units_begin(std::span<const HistoryEvent> row, int count,
                                            bool groups);

Error split_error(std::string message);  // kInvalid, "split: ..."

}  // namespace vitrine

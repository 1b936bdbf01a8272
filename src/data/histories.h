// Histories: every person's events in time order. A person is a known user or one anonymous
// session; each has one row. Interactions: the same merged into user-item cells, as a sparse matrix
// both ways.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/array.h"
#include "base/options.h"
#include "base/run.h"
#include "data/clean.h"
#include "data/query.h"

namespace vitrine {

// What an event type weighs. Weight 0 leaves a type out of histories. A negative weight takes
// interest back: as much as it weighs, out of the person's latest events of the item that are not
// later; what is left of those with nothing left, and the event itself, have no place in a history.
// A type that is not listed weighs 1, but impressions weigh 0, and dislikes, hides and reports -1.
// Returns, removals from a cart and searches never enter.
struct HistoryOptions {
  std::vector<std::string> weights;  // "purchase=1", "view=0.2", "hide=-5"
  std::string group_by = "order";   // how events become baskets: order id, session, or gaps in time
  double session_gap_minutes = 30;  // of group_by = "gap", and where the id is missing
  static constexpr auto fields() {
    using O = HistoryOptions;
    return std::tuple{
        Field{"weights", &O::weights,
              "event types and their weights, type=weight; others weigh 1; a negative one takes "
              "interest back"},
        Field{"group_by", &O::group_by, "order|session|gap",
              "what joins events into a basket or session"},
        Field{"session_gap_minutes", &O::session_gap_minutes, 0.0, 1e6,
              "a longer pause starts a new group"}};
  }
};

// What each event type weighs, by its number; 0: it has no place in histories; below 0: it takes
// back.
using EventWeights = std::array<float, 256>;
// kInvalid when an option is malformed, naming it.
Result<EventWeights> event_weights(const HistoryOptions& options, const EventTypes& types);

// Orders nothing: of events in time order, those of a negative weight take it out of the latest
// events of their item before them, and leave. How many remain, in order at the front.
std::size_t take_interest_back(std::span<HistoryEvent> row);

// Immutable. Row r holds events [offsets[r], offsets[r+1]), ordered by time, ties by log order;
// events without time come before the others, in log order. `group` counts from 0 within a row:
// neighbours with the same order (or session) id share one, neighbours without id do when the pause
// between them is no longer than the gap; an event with neither id nor time is a group of its own.
// Users come first, row = UserIndex for r < users(); anonymous sessions follow. Users without
// events have empty rows.
class Histories {
 public:
  Histories() = default;
  Histories(Array<std::uint64_t> offsets, Array<HistoryEvent> events, std::uint32_t users,
            std::uint32_t items);

  std::size_t rows() const { return offsets_.empty() ? 0 : offsets_.size() - 1; }
  std::uint32_t users() const { return users_; }
  std::uint32_t items() const {
    return items_;
  }  // one more than the highest item index that may occur
  std::size_t size() const { return events_.size(); }
  std::span<const HistoryEvent> row(std::size_t r) const {
    return events_.subspan(offsets_[r], offsets_[r + 1] - offsets_[r]);
  }
  std::optional<UserIndex> user(std::size_t r) const {
    return r < users_ ? std::optional(UserIndex{static_cast<std::uint32_t>(r)}) : std::nullopt;
  }
  std::span<const HistoryEvent> events() const { return events_.span(); }
  std::span<const std::uint64_t> offsets() const { return offsets_.span(); }
  Timestamp last_time() const { return last_time_; }  // of all events; kNoTime when none has one

 private:
  Array<std::uint64_t> offsets_;
  Array<HistoryEvent> events_;
  std::uint32_t users_ = 0, items_ = 0;
  Timestamp last_time_ = kNoTime;
};

// Distinct persons (rows) per item.
std::vector<std::uint32_t> item_counts(const Histories& histories);

// Builds the histories of a cleaned table. `value` is the event's own value (a rating), else the
// quantity that cleaning left, else 1. Events without item, or without user and session, have no
// place in a history. kInvalid when a weight is malformed, naming it. Deterministic for any number
// of threads.
Result<Histories> build_histories(const Run& run, const EventTable& events, const CleanView& view,
                                  const Vocabulary& vocabulary, const EventTypes& types,
                                  const HistoryOptions& options);

struct InteractionOptions {
  double half_life_days = 0;  // 0: no decay; counted back from the last event; no time, no decay
  std::vector<std::string> half_lives;  // "view=7": of one type, in days, instead
  std::string merge = "sum";            // repeats of a cell: sum, max, or last
  bool binary = true;                   // 1 for every cell, whatever its weight
  static constexpr auto fields() {
    using O = InteractionOptions;
    return std::tuple{
        Field{"half_life_days", &O::half_life_days, 0.0, 1e5,
              "an event weighs half after so many days; 0: for ever"},
        Field{"half_lives", &O::half_lives,
              "half-lives of single types in days, type=days, instead of half_life_days; 0: for "
              "ever"},
        Field{"merge", &O::merge, "sum|max|last", "how repeats of one user-item cell are merged"},
        Field{"binary", &O::binary, "1 for every cell, whatever its weight"}};
  }
  // Of each type, in days, by its number; empty: half_life_days for all. resolve() makes it of
  // half_lives, which mean nothing before.
  std::vector<double> type_half_lives = {};
  Status resolve(const EventTypes& types);  // kInvalid when malformed, naming the entry
};

// A sparse matrix in rows: columns ascending within a row.
struct SparseRows {
  Array<std::uint64_t> offsets;  // rows + 1
  Array<std::uint32_t> columns;
  Array<float> weights;
  std::size_t rows() const { return offsets.empty() ? 0 : offsets.size() - 1; }
  std::span<const std::uint32_t> row(std::size_t r) const {
    return columns.subspan(offsets[r], offsets[r + 1] - offsets[r]);
  }
  std::span<const float> row_weights(std::size_t r) const {
    return weights.subspan(offsets[r], offsets[r + 1] - offsets[r]);
  }
};

struct Interactions {
  SparseRows by_row;   // history row -> items
  SparseRows by_item;  // item -> history rows
  std::uint32_t items = 0;
};

// Linear in the events. Weights are positive and finite. An unknown `merge` merges like "sum".
Interactions build_interactions(const Histories& histories, const InteractionOptions& options);

}  // namespace vitrine

// Splits: what may be fitted, and what is asked afterwards. Nothing computed from the held-out
// events can reach fit(), because a Split hands out two different things.
//
// A person is a known user or one anonymous session. Who is asked needs at least one held-out event
// and events_min events to go by; an anonymous session needs one in any case. Persons who are not
// asked keep all their events in training (kind time: those before the cut).
//
// Tie rules, stated by `description`: events with equal times are ordered as in the log; a global
// cut puts events at exactly the cut into the test part; rows without times keep file order; events
// without time among others that have one count as earlier than those.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/options.h"
#include "base/run.h"
#include "data/histories.h"

namespace vitrine {

struct SplitOptions {
  std::string kind = "time";
  double test_days = 0;        // of "time"; 0: the last test_share of the events
  double test_share = 0.1;     // of "time", "random" (per user), "users" and "prefixes" (sessions)
  int hold_out = 1;            // of "last": events; of "last_group": groups
  int fit_hold_out = 0;        // of the same: further ones kept from fit, shown in the query
  double fold_in_share = 0.8;  // of "users": how much of a held-out person's history is shown
  int events_min = 1;          // a person with fewer events before the cut is not asked
  bool new_items = false;      // keep truth items that training never saw
  double maturity_days = 0;    // of "time": purchases younger than this at the end are no truth yet
  static constexpr auto fields() {
    using O = SplitOptions;
    return std::tuple{
        Field{"kind", &O::kind, "time|last|last_group|random|users|prefixes",
              "global time, leave the last events or groups out, random per user, hold whole users "
              "out, ask for the next item after every prefix of held-out sessions"},
        Field{"test_days", &O::test_days, 0.0, 36500.0,
              "length of the test part of kind time; 0: by test_share"},
        Field{"test_share", &O::test_share, 0.0001, 0.9,
              "share that is held out by kinds time, random, users and prefixes"},
        Field{"hold_out", &O::hold_out, 1, 1000,
              "events or groups that kinds last and last_group hold out"},
        Field{"fit_hold_out", &O::fit_hold_out, 0, 1000,
              "further events or groups before those, shown in the query, that fitting may not see "
              "either (last, last_group)"},
        Field{"fold_in_share", &O::fold_in_share, 0.01, 0.99,
              "share of a held-out person's history that is shown (users)"},
        Field{"events_min", &O::events_min, 0, 1'000'000,
              "persons with fewer events to go by are not asked"},
        Field{"new_items", &O::new_items, "count items that training never saw as truth"},
        Field{"maturity_days", &O::maturity_days, 0.0, 36500.0,
              "purchases of the last so many days may still come back: kind time neither asks for "
              "them nor shows them"}};
  }
};

// One question: this history, at this time; these items came next.
struct EvaluationCase {
  std::span<const HistoryEvent> history = {};  // what is known when asked
  std::span<const ItemIndex> truth = {};       // distinct, ascending
  std::optional<UserIndex> user = {};          // of a known user with events in `train`
  Timestamp now = kNoTime;  // time: the cut; last: of the first held-out event; prefixes: of the
                            // event that is asked for; else: of the last event of the history
  std::span<const float> ratings = {};  // parallel to truth, or empty: the event's value, the last
                                        // of an item that is held out more than once
  std::span<const ItemIndex> against = {};  // distinct, ascending: all that the truth is ranked
                                            // among (given negatives); empty: every item
};

// Owns its events; the spans of cases() point into it. Movable, immutable after creation.
class Split {
 public:
  Split(Histories train, std::string description);

  const Histories& train() const { return train_; }
  std::size_t cases() const { return users_.size(); }
  EvaluationCase operator[](std::size_t i) const;
  // Protocol and tie rule, for people.
  const std::string& description() const { return description_; }
  std::uint64_t dropped_new_items() const { return dropped_new_items_; }

  // True where the cases name the items that their truth is ranked among.
  bool has_given_items() const { return !against_.empty(); }

  // For those who build splits. `ratings`: of every case or of none.
  void add_case(const EvaluationCase& asked);
  // After each event of `row` but the last: what came next? Lengths ascending, each shorter than
  // the row. The cases share the row's events.
  void add_prefixes(std::span<const HistoryEvent> row, std::span<const std::size_t> lengths,
                    std::optional<UserIndex> user);
  void count_dropped_new_item() { ++dropped_new_items_; }

 private:
  struct Range {
    std::uint64_t begin, end;
  };
  Histories train_;
  std::string description_;
  std::vector<Range> histories_, truths_, againsts_;  // by case
  std::vector<HistoryEvent> history_;
  std::vector<ItemIndex> truth_, against_;
  std::vector<float> ratings_;  // parallel to truth_, or empty
  std::vector<std::optional<UserIndex>> users_;
  std::vector<Timestamp> nows_;
  std::uint64_t dropped_new_items_ = 0;
};

// Deterministic: draws come from run.random.fork("split"). kInvalid, naming the remedy, where the
// data cannot be split so: kind "time" where half of the events have none, an empty training part,
// or nobody to ask.
Result<Split> make_split(const Run& run, const Histories& all, const SplitOptions& options);

// The paper's own files: `train` is fitted, each user's events in `test` are the truth, all of
// them, also items that training never saw. Both share one vocabulary. A test event of an anonymous
// session is an error: nothing says whom to ask.
Result<Split> split_from_files(const Histories& train, const Histories& test,
                               std::string description);

// Kind prefixes over given files: `train` is fitted, and every prefix of every person or session of
// `test` is asked for its next item (SR-GNN, AAAI 2019: [a, b, c] asks a -> b and a b -> c). A
// question is its session alone, whatever training knows of the same user. All items count as
// truth, also those that training never saw.
Result<Split> prefixes_from_files(const Histories& train, const Histories& test,
                                  std::string description);

// `all` without the user-item pairs of `test`: the training part of a test file that was cut out of
// it. Users only; sessions keep their events.
Histories without_pairs(const Histories& all, const Histories& test);

// The truth of each case ranked among given items instead of all: `items[u]` of user u, as in
// leave-one-out with 99 listed negatives (He et al., "Neural collaborative filtering", WWW 2017).
// Cases of other persons are dropped. kInvalid when none is left.
Result<Split> against_given_items(const Split& split,
                                  const std::vector<std::vector<ItemIndex>>& items);

// Fold `fold` of `folds`. By "events": a random share 1 / folds of each person's events, every
// event in at most one fold (those whose absence would leave fewer than events_min are in none). By
// "persons": whole persons, of whom fold_in_share of the events is shown, every person in one fold.
// Deterministic like make_split. kInvalid as there, and for other words.
Result<Split> make_fold(const Run& run, const Histories& all, const SplitOptions& options,
                        const std::string& by, int fold, int folds);

// The same questions over the same truth for a model that is fitted on `train` instead: a part of
// the training part, or something beside it. Same vocabulary.
Split retrained(const Split& split, Histories train);

// A share of the histories. By "persons": so many random ones whole, the smaller share inside the
// larger; by "history": the latest part of each, at least one event. Rows stay where they are.
Histories share_of_histories(const Histories& all, double share, std::string_view by,
                             const Random& random);

// The same questions over the same truth, with other event types in training and in the histories:
// what a type weighs, 0 taking it out. Cases stay, even those whose history gets empty.
Split with_weights(const Split& split, const EventWeights& weights);

// The same kind of split once more inside the training part: what settings are chosen on. Where
// fit_hold_out kept events from fitting, those are the truth and the training part stays as it is
// (the leave-one-out protocol of the sequential recommendation papers).
Result<Split> validation_split(const Run& run, const Split& outer, const SplitOptions& options);

}  // namespace vitrine

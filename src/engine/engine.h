// The engine: owns every thread, clock and mutable state of one shop. The C++ entry point of
// Vitrine, and what cli/ and server/ stand on. Outside ids come in and go out as strings.
//
//   auto engine = Engine::open(config, {});
//   engine->add_events(events);                       // durable, and in that person's next list
//   auto answer = engine->recommend({.user = "17850", .n = 10, .explain = true});
//
// Thread safety: every method, from any thread. One process opens a shop's folder at a time for
// writing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/run.h"
#include "data/clean.h"
#include "data/import.h"
#include "engine/cascade.h"
#include "engine/clock.h"
#include "engine/config.h"
#include "engine/consistency.h"
#include "engine/merge.h"
#include "engine/replay.h"
#include "engine/similar.h"
#include "engine/snapshot.h"
#include "engine/tune.h"
#include "eval/evaluate.h"
#include "rank/slate.h"

namespace vitrine {

// An acknowledgement: durable up to `sequence`.
struct Ack {
  std::uint64_t sequence = 0;
  std::uint64_t accepted = 0, repeated = 0;
  std::vector<bool> is_repeated;  // per record, in the order they were given
};

struct RecommendRequest {
  std::string user;            // known or not; empty: anonymous
  std::string session;         // of an anonymous visitor: their live events count
  std::vector<Event> history;  // given instead of, or after, the live history; item and type matter
  std::string placement = "home";
  int n = 10;
  std::vector<std::string> exclude;  // item ids
  std::vector<std::string> models;   // instead of the placement's
  std::string repeat;                // instead of the placement's
  std::string item;                  // context: the item being looked at
  std::vector<std::string> cart;     // context
  std::vector<std::string>
      categories;  // only items on or below one of these paths ("Home>Kitchen")
  std::vector<std::pair<std::string, std::string>> context;
  bool explain = false;
  std::uint64_t min_sequence = 0;  // answer from state that holds at least this sequence
  // Freezes a longer list (kFrozenItemsMax), whose next n items the answer's `next` brings: without
  // repeats, whatever happens meanwhile; what may no longer be shown is left out.
  bool pages = false;
  std::string next;  // of an earlier answer; then only n is looked at beside it
  // Answer within so long, from now, with the best that is ready then; at most 0: with popularity.
  // Waiting for min_sequence ends then as well, and the answer says so in `degraded`.
  std::optional<double> ms_left;
  Timestamp now = kNoTime;  // answered as at that time; kNoTime: as now
};

// A list by what was counted of everybody. Ids of categories as paths ("Home>Kitchen").
struct CountedRequest {
  int n = 10;
  int days = 0, hours = 0;    // the latest; hours count when both are given; neither: all time
  std::string category = {};  // only on or below this path
  std::string region = {};    // only what was counted there ([live] region); known for 28 days
};

struct AnsweredReason {
  std::string item, title, type;
  Timestamp time = kNoTime;
  double share = 0;
};
struct AnsweredItem {
  std::string id, title;
  double score = 0, propensity = 1;
  std::string source;  // the model
  std::vector<AnsweredReason> reasons;
  std::string because;  // the reasons as one sentence, empty without
};
struct Answer {
  std::string slate_id, snapshot;
  std::uint64_t sequence = 0;  // the state that answered holds the log up to here
  std::vector<AnsweredItem> items;
  std::string degraded, shortfall;
  std::string next;  // token of the next page; empty: there is none
};

// As the shop described it; incomplete: only events mention it so far, nothing but its id is known.
struct KnownItem : Item {
  bool incomplete = false;
};
struct KnownUser : User {
  bool incomplete = false;
};

struct EngineStatus {
  bool ready = false;    // a snapshot is published and the log is replayed
  std::string snapshot;  // name, or empty
  std::uint64_t sequence = 0, snapshot_sequence = 0;
  std::uint64_t users = 0, items = 0, events = 0, persons_live = 0;
  std::string training;  // "idle", "running", "failed: ..."
  std::uint64_t slates_logged = 0, slates_dropped = 0;
  std::uint64_t incomplete_items = 0;  // that only events mention
  std::uint64_t new_items = 0;         // described, unknown to the snapshot
  std::uint64_t new_items_shown = 0;   // since the start
  double new_item_seconds = 0;         // mean, until a new item was first in a list
  std::uint64_t memory_bytes = 0;
};

// One row of `vitrine evaluate`.
struct EvaluatedModel {
  std::string name;
  Evaluation evaluation;
  Usage fit;                            // what fitting cost
  std::vector<Comparison> comparisons;  // with the baseline (popularity)
};
struct EvaluationTable {
  std::string split;  // protocol and tie rule
  EvaluateOptions options;
  std::size_t cases = 0, train_events = 0;
  std::vector<EvaluatedModel> models;
  Value to_json() const;
};

struct TrainRequest {
  bool force = false;  // publish whatever the gate says; `reason` is recorded
  std::string reason;
  bool validate = true;  // measure on a validation split before the refit on everything
};
struct TrainReport {
  Manifest manifest;
  bool published = false;
  std::string verdict;                              // the gate's words
  std::vector<std::pair<std::string, Usage>> fits;  // model -> cost of the final fit
  CleaningReport cleaning;
  std::string chosen_toml;  // models and settings, when they were chosen here
  std::string data_says;    // what the data can support, for people
};

// A user's row as the engine holds it.
struct LivePerson {
  std::string id;
  std::vector<HistoryEvent> history;
  std::vector<std::string> items;  // outside ids, parallel to history
};

enum class OpenMode {
  kServe,  // live state, slate stream, background training
  kTool,   // log and snapshots for one command; live state is built on first need
};

class Engine {
 public:
  struct State;  // known to the engine's own files
  static Result<std::unique_ptr<Engine>> open(Config config, FileSystem& files, OpenMode mode,
                                              const Run& run, TimeOfDay clock = wall_clock);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const Config& config() const;
  const EventTypes& types() const;

  // Writing. All or nothing per call; checked before anything is logged, the message names the
  // record.
  Result<Ack> add_events(std::span<const Event> events);
  Result<Ack> put_items(std::span<const Item> items);
  Result<Ack> put_users(std::span<const User> users);
  Result<Ack> patch_item(std::string_view id, const Value& changes);  // kNotFound
  Result<Ack> patch_user(std::string_view id, const Value& changes);
  Result<Ack> erase_item(std::string_view id);
  // From the next list on nothing of this person is used; their id finds nothing. Their records
  // leave the log with the privacy work, the model with the next training.
  Result<Ack> erase_user(std::string_view id);
  // What a session or another user did so far is this user's from the next list on. kNotFound for
  // an unknown user to merge from; a session that did nothing is no error.
  Result<Ack> merge(const Merge& merge);
  // kNotFound where no event mentions it either.
  Result<KnownItem> item(std::string_view id) const;
  Result<KnownUser> user(std::string_view id) const;
  Result<LivePerson> person(std::string_view user) const;

  // Asking.
  Result<Answer> recommend(const RecommendRequest& request) const;
  // Why this item for this visitor, listed or not: its score and every reason under each model of
  // the placement, one AnsweredItem per model (source) that knows the item. kNotFound for an
  // unknown item.
  Result<std::vector<AnsweredItem>> explain(const RecommendRequest& request,
                                            std::string_view item) const;
  // By the first model of the snapshot whose kind knows this way (similar.h). kUnavailable, naming
  // what to configure, where there is none.
  Result<Answer> similar(std::string_view item, int n, SimilarBy by,
                         std::span<const std::string> exclude) const;
  Result<Answer> popular(const CountedRequest& request) const;
  // What rises most against its own past (LiveState::trending); `hours` defaults to 24.
  Result<Answer> trending(const CountedRequest& request) const;

  // Long work. `run` watches and cancels.
  Result<ImportReport> import(const Run& run, const SourceOptions& source, bool strict);
  Result<CleaningReport> clean(const Run& run) const;
  // Fits and measures [models.*] (or `models`) on the configured split; the baselines popularity
  // and popularity over seven days are always among them. dump_folder: TREC files, or empty.
  Result<EvaluationTable> evaluate(const Run& run, const SplitOptions& split,
                                   const EvaluateOptions& options,
                                   const std::vector<std::string>& models,
                                   const std::string& dump_folder) const;
  // What each step of a placement's cascade costs in quality and saves in time, on the split.
  // kInvalid for an unknown placement, or where no model of it is configured.
  Result<CascadeTable> evaluate_cascade(const Run& run, const SplitOptions& split,
                                        const EvaluateOptions& options,
                                        std::string_view placement) const;
  // Searches settings of [models.*] (or `models`) on a validation split inside the training part of
  // the configured split; what that holds out is not touched.
  Result<TuneReport> tune(const Run& run, const TuneOptions& options,
                          const std::vector<std::string>& models) const;
  // Asks requests that were answered lately again, of models trained by another configuration of
  // this shop. kNotFound when no list was logged.
  Result<ReplayReport> replay(const Run& run, const Config& candidate,
                              const ReplayOptions& options) const;
  // How much of a person's list stays from one to the next, of the lists that were logged lately.
  // `slates`: their folder; empty: the shop's own. kNotFound when no list was logged.
  Result<ConsistencyReport> consistency(const Run& run, const ConsistencyOptions& options,
                                        const std::string& slates) const;
  // Fits on everything and publishes through the gate, in this process.
  Result<TrainReport> train(const Run& run, const TrainRequest& request);
  // The same as a child process with its own limits, in the background; status().training tells.
  // kUnavailable while one is running.
  Status start_training(const TrainRequest& request);

  Result<std::vector<Manifest>> snapshots() const;  // newest first
  Status publish(std::string_view snapshot);        // roll back or forward to one on disk
  // Writes the live state down, so that a start replays only what comes later. A serving engine
  // does so by itself now and then, and when it stops.
  Status checkpoint();
  EngineStatus status() const;
  // Up to n ids of users that have events, spread evenly over the vocabulary. For benchmarks and
  // demos.
  std::vector<std::string> some_users(std::size_t n) const;
  void flush_slates() const;  // waits until the slate stream is written

 private:
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace vitrine

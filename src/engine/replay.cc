#include "engine/replay.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <unordered_map>

#include "engine/dataset.h"
#include "engine/shown.h"
#include "engine/state.h"
#include "engine/trainer.h"

namespace vitrine {
namespace {

Result<std::vector<Shown>> read_slates(FileSystem& files, const std::string& folder,
                                       const Config& candidate, std::uint64_t known,
                                       std::size_t most) {
  VT_TRY(std::vector<Shown> all, read_shown(files, folder));
  std::erase_if(all, [&](const Shown& shown) {
    return shown.sequence < known || !candidate.placement(shown.request.placement).ok();
  });
  if (all.empty()) {
    return Error{Code::kNotFound, folder +
                                      ": holds no list that was answered at a placement of the "
                                      "candidate, from records that the log still has; serve some "
                                      "requests first"};
  }
  if (all.size() <= most) return all;
  std::vector<Shown> spread;
  for (std::size_t i = 0; i < most; ++i) spread.push_back(std::move(all[i * all.size() / most]));
  return spread;
}

// What the candidate made of the requests of one placement.
struct Tally {
  ReplayedPlacement sums;
  std::vector<double> milliseconds;
};

class Replay {
 public:
  explicit Replay(std::vector<Shown> requests) : requests_(std::move(requests)) {}

  const std::vector<Shown>& requests() const { return requests_; }

  // Walks the log; `ask` answers once the state holds what it held then. Events are read by
  // `types`, the candidate's.
  Status walk(const Run& run, const EventLog& log, const EventTypes& types, std::uint64_t known,
              Live& live, const Engine& engine) {
    Stage stage(run.monitor, "asking again", requests_.size(), "requests");
    Event event;
    const auto fold = [&](const LogRecord& record) -> Status {
      if (record.sequence <= known) return live.fold(record, types, event);
      while (next_ < requests_.size() && requests_[next_].sequence < record.sequence) ask(engine);
      note_click(record, types, event);
      Status folded;
      live.apply(record.sequence, record.sequence,
                 [&](Live::Turn& turn) { folded = turn.record(record, types, event); });
      VT_TRY(folded);
      return stage.proceed(next_);
    };
    VT_TRY(log.read(log.first_sequence(), fold));
    while (next_ < requests_.size()) ask(engine);
    return {};
  }

  ReplayReport report() && {
    ReplayReport report;
    report.first = requests_.front().time;
    report.last = requests_.back().time;
    report.trained_to = requests_.front().sequence;
    report.first_failure = first_failure_;
    for (auto& [name, tally] : tallies_) {
      ReplayedPlacement placement = tally.sums;
      placement.placement = name;
      const auto answered = static_cast<double>(placement.requests - placement.failed);
      if (answered > 0) {
        placement.overlap /= answered;
        placement.first_kept /= answered;
      }
      auto& times = tally.milliseconds;
      std::sort(times.begin(), times.end());
      if (!times.empty()) {
        placement.p50_ms = times[times.size() / 2];
        placement.p99_ms = times[std::min(times.size() - 1, times.size() * 99 / 100)];
      }
      report.placements.push_back(std::move(placement));
    }
    return report;
  }

 private:
  struct Lists {
    std::string placement;
    std::set<std::string> shown, candidate, clicked;
  };

  void ask(const Engine& engine) {
    const Shown& shown = requests_[next_++];
    Tally& tally = tallies_[shown.request.placement];
    ++tally.sums.requests;
    const auto begin = std::chrono::steady_clock::now();
    const auto answer = engine.recommend(shown.request);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    if (!answer.ok()) {
      ++tally.sums.failed;
      if (first_failure_.empty()) first_failure_ = answer.error().message;
      return;
    }
    tally.milliseconds.push_back(took.count());
    tally.sums.degraded += answer->degraded.empty() ? 0 : 1;
    std::vector<std::string> ids;
    for (const AnsweredItem& item : answer->items) ids.push_back(item.id);
    Lists lists{shown.request.placement,
                {shown.items.begin(), shown.items.end()},
                {ids.begin(), ids.end()},
                {}};
    std::size_t both = 0;
    for (const std::string& id : lists.shown) both += lists.candidate.count(id);
    tally.sums.overlap += lists.shown.empty()
                              ? lists.candidate.empty()
                              : static_cast<double>(both) / static_cast<double>(lists.shown.size());
    const bool first = !ids.empty() && !shown.items.empty() && ids.front() == shown.items.front();
    tally.sums.first_kept += first ? 1 : 0;
    tally.sums.identical += ids == shown.items ? 1 : 0;
    if (!shown.slate.empty()) lists_.emplace(shown.slate, std::move(lists));
  }

  // An event that a replayed list led to; each item of a list counts once.
  void note_click(const LogRecord& record, const EventTypes& types, Event& event) {
    if (record.kind != RecordKind::kEvent || lists_.empty()) return;
    if (!decode_event(record.payload, types, event).ok() || event.slate.empty() ||
        event.type == EventType::kImpression)
      return;
    const auto found = lists_.find(event.slate);
    if (found == lists_.end() || !found->second.shown.contains(event.item)) return;
    if (!found->second.clicked.insert(event.item).second) return;
    ReplayedPlacement& sums = tallies_[found->second.placement].sums;
    ++sums.clicked;
    sums.clicks_kept += found->second.candidate.count(event.item);
  }

  const std::vector<Shown> requests_;
  std::size_t next_ = 0;
  std::map<std::string, Tally> tallies_;
  std::unordered_map<std::string, Lists> lists_;  // by slate id
  std::string first_failure_;
};

}  // namespace

Result<ReplayReport> Engine::replay(const Run& run, const Config& candidate,
                                    const ReplayOptions& options) const {
  VT_TRY(const auto log, state_->log_to_read());
  VT_TRY(EventTypes types, event_types(candidate));
  const std::string folder = options.slates.empty() ? state_->folder + "/slates" : options.slates;
  VT_TRY(KnownIds known, state_->known_ids());
  VT_TRY(KnownIds again, state_->known_ids());
  const std::uint64_t first = known.sequence;
  if (again.sequence != first) {
    return Error{Code::kUnavailable, "old events were dropped this moment; try again"};
  }
  VT_TRY(auto requests, read_slates(state_->files, folder, candidate, first, options.requests));
  Replay replay(std::move(requests));

  VT_TRY(Dataset data, build_dataset(run, *log, types, candidate,
                                     replay.requests().front().sequence, std::move(known)));
  const CheckpointFolder none(state_->files, state_->folder + "/checkpoints", 0);
  TrainRequest request;
  request.force = true;
  request.validate = false;
  VT_TRY(Trained trained, train_snapshot(run, candidate, std::move(data), nullptr, request, none));

  VT_TRY(const EventWeights weights, event_weights(candidate.histories, types));
  auto state = std::make_unique<State>(candidate, state_->files, OpenMode::kTool, state_->clock,
                                       std::move(types), weights);
  VT_TRY(state->live_state, Live::nothing(state->types, candidate, std::move(again)));
  Live& live = *state->live_state;
  state->live_ready.store(&live);
  state->serve(std::move(trained.snapshot));
  const Engine engine(std::move(state));
  VT_TRY(replay.walk(run, *log, engine.state_->types, first, live, engine));
  ReplayReport report = std::move(replay).report();
  for (const auto& [name, kind] : engine.state_->serving()->snapshot->manifest.models)
    report.models.push_back(name);
  return report;
}

Value ReplayReport::to_json() const {
  List rows;
  for (const ReplayedPlacement& p : placements) {
    rows.push_back(Table{{"placement", p.placement},
                         {"requests", p.requests},
                         {"failed", p.failed},
                         {"degraded", p.degraded},
                         {"identical", p.identical},
                         {"overlap", p.overlap},
                         {"first_kept", p.first_kept},
                         {"clicked", p.clicked},
                         {"clicks_kept", p.clicks_kept},
                         {"p50_ms", p.p50_ms},
                         {"p99_ms", p.p99_ms}});
  }
  return Table{{"first", first},
               {"last", last},
               {"trained_to", trained_to},
               {"models", List(models.begin(), models.end())},
               {"placements", std::move(rows)}};
}

}  // namespace vitrine

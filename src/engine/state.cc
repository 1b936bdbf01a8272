#include "engine/state.h"

#include <algorithm>

#include "engine/dataset.h"
#include "engine/limits.h"

namespace vitrine {
namespace {

// A snapshot of this shop's log: what its indexes mean is what they mean here.
Status check_belongs(const Snapshot& snapshot, const Live& live) {
  const Manifest& manifest = snapshot.manifest;
  if (manifest.items <= live.vocabulary().items.size() &&
      manifest.items_fingerprint == items_fingerprint(live.vocabulary(), manifest.items)) {
    return {};
  }
  return Error{Code::kInvalid,
               "snapshot " + manifest.name +
                   " was trained on another event log; `vitrine train` makes a new one"};
}

}  // namespace

Result<EventLog*> Engine::State::log_to_write() {
  std::lock_guard lock(log_mutex);
  if (!writer) {
    VT_TRY(auto opened, open_file_log(files, folder + "/log", config.log));
    VT_TRY(cut_known_ids(files, vocabulary_path(), opened->last_sequence()));
    writer = std::move(opened);
  }
  return writer.get();
}

// Opened anew each time: somebody else may have written meanwhile.
Result<std::shared_ptr<const EventLog>> Engine::State::log_to_read() {
  std::lock_guard lock(log_mutex);
  if (writer) return std::shared_ptr<const EventLog>(writer);
  auto opened = open_file_log_to_read(files, folder + "/log");
  if (!opened.ok() && opened.error().code == Code::kNotFound) {
    return Error{Code::kNotFound,
                 folder + "/log: there is no event log yet; `vitrine import` makes one"};
  }
  if (!opened.ok()) return opened.error();
  return std::shared_ptr<const EventLog>(std::move(opened).value());
}

Result<Live*> Engine::State::live() {
  if (Live* ready = live_ready.load()) return ready;
  std::unique_lock alone(live_building);
  if (Live* ready = live_ready.load()) return ready;
  VT_TRY(const auto log, log_to_read());
  if (writer) VT_TRY(writer->sync());  // what a running import has appended is part of the fold
  ThreadPool pool(1);
  QuietMonitor quiet;
  const Run run{Random(0), pool, quiet};
  VT_TRY(KnownIds known, known_ids());
  VT_TRY(live_state,
         Live::replay(run, *log, types, config, "memory:", checkpoint(), {}, std::move(known)));
  live_ready.store(live_state.get());
  return live_state.get();
}

Result<Pinned> Engine::State::pin(std::uint64_t min_sequence, std::optional<double> ms_left) {
  VT_TRY(const Live* now, live());
  if (mode == OpenMode::kTool && !serving()) VT_TRY(follow_current());
  const double wait_ms = std::clamp(ms_left.value_or(kSequenceWaitMs), 0., 1. * kSequenceWaitMs);
  // What was acknowledged is there already, or is about to be: an import may still be folded in.
  const bool near = min_sequence <= now->sequence() + kSequenceAheadMax;
  const bool there = near && now->wait_for(min_sequence, static_cast<std::int64_t>(wait_ms));
  if (!there && !ms_left) {
    return Error{Code::kUnavailable, "the state does not hold sequence " +
                                         std::to_string(min_sequence) + " yet, only up to " +
                                         std::to_string(now->sequence())};
  }
  const std::uint64_t sequence = now->sequence();
  return Pinned{now, serving(), now->catalogue(), sequence};
}

std::shared_ptr<const Serving> Engine::State::serving() const {
  std::lock_guard lock(serving_mutex);
  return serving_now;
}

Status Engine::State::load_snapshot(const std::string& name) {
  VT_TRY(auto snapshot, Snapshot::load(files, snapshots.path(name)));
  if (const Live* now = live_ready.load()) VT_TRY(check_belongs(*snapshot, *now));
  serve(std::move(snapshot));
  return {};
}

void Engine::State::serve(std::shared_ptr<const Snapshot> snapshot) {
  auto next = std::make_shared<Serving>();
  for (const PlacementOptions& placement : config.placements) {
    next->placements.emplace(placement.name, placement_sources(*snapshot, placement));
  }
  next->snapshot = std::move(snapshot);
  std::lock_guard lock(serving_mutex);
  serving_now = std::move(next);
}

Status Engine::State::follow_current() {
  VT_TRY(const std::string name, snapshots.current());
  const auto now = serving();
  if (name.empty() || (now && now->snapshot->manifest.name == name)) return {};
  return load_snapshot(name);
}

Result<std::shared_ptr<const Snapshot>> Engine::State::published_snapshot() {
  if (const auto now = serving()) return now->snapshot;
  VT_TRY(const std::string name, snapshots.current());
  if (name.empty()) return std::shared_ptr<const Snapshot>();
  return Snapshot::load(files, snapshots.path(name));
}

std::string Engine::State::next_slate_id() {
  constexpr char kDigits[] = "0123456789abcdef";
  std::uint64_t bits = Random(slate_key).bits(slate_counter.fetch_add(1));
  std::string id(16, '0');
  for (std::size_t i = id.size(); i-- > 0; bits >>= 4) id[i] = kDigits[bits & 15];
  return id;
}

}  // namespace vitrine

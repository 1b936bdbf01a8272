#include "engine/engine.h"

#include <algorithm>
#include <random>

#include "engine/diag.h"
#include "engine/limits.h"
#include "engine/state.h"
#include "engine/usage.h"

namespace vitrine {
namespace {

std::uint64_t entropy() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

// The published snapshot, or the newest older one that is whole. None at all is no error.
void Engine::State::load_any_snapshot() {
  const Status followed = follow_current();
  if (followed.ok()) return;
  diag(Level::kError, "the published snapshot cannot be served: " + followed.error().message);
  const auto names = snapshots.names();
  if (!names.ok()) return;
  for (auto name = names->rbegin(); name != names->rend(); ++name) {
    const auto manifest = load_manifest(files, snapshots.path(*name));
    if (!manifest.ok() || !manifest->publication.passed || !load_snapshot(*name).ok()) continue;
    diag(Level::kWarning, "serving the older snapshot " + *name);
    return;
  }
}

// 0 when there was none, or nobody knows.
double Engine::State::hours_since_training() const {
  const auto names = snapshots.names();
  if (!names.ok() || names->empty()) return 0;
  const auto newest = load_manifest(files, snapshots.path(names->back()));
  if (!newest.ok()) return 0;
  const double hour = static_cast<double>(kDay) / 24;
  return (static_cast<double>(clock()) - static_cast<double>(newest->publication.created)) / hour;
}

Status Engine::State::start_serving(const Run& run) {
  VT_TRY(files.make_folder(folder));
  VT_TRY(EventLog * log, log_to_write());
  VT_TRY(KnownIds known, known_ids());
  VT_TRY(live_state, Live::replay(run, *log, types, config, "rocksdb:" + folder + "/state",
                                  checkpoint(), {}, std::move(known)));
  live_ready.store(live_state.get());
  load_any_snapshot();
  slates = std::make_unique<SlateStream>(files, folder + "/slates", clock);
  Background::Work work;
  work.train = [this](const TrainRequest& request, const std::atomic<bool>& stop) {
    return train_in_background(request, stop);
  };
  // What cannot be followed is said once, not every time it is looked at.
  work.look = [this, log, retention = Retention(), said = std::string()]() mutable {
    const Status retained = retention.look(*log, config.log, checkpoint(),
                                           live_state->checkpointed(), vocabulary_path(), clock());
    if (!retained.ok()) diag(Level::kError, "dropping old events: " + retained.error().message);
    const Status followed = follow_current();
    std::string failure = followed.ok() ? "" : followed.error().message;
    if (!failure.empty() && failure != said) {
      diag(Level::kError, "the published snapshot cannot be served: " + failure);
    }
    said = std::move(failure);
  };
  background = std::make_unique<Background>(std::move(work), config.train.schedule_hours,
                                            Background::Retries{config.train.retries},
                                            hours_since_training());
  live_checkpoints = std::make_unique<CheckpointWriter>(
      CheckpointWriter::Work{[this, log] { return live_state->save(checkpoint(), *log); },
                             [this] { return live_state->sequence(); },
                             [this] { return live_state->checkpointed(); }},
      config.live.checkpoint_minutes);
  return {};
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::open(Config config, FileSystem& files, OpenMode mode,
                                             const Run& run, TimeOfDay clock) {
  VT_TRY(EventTypes types, event_types(config));
  VT_TRY(const EventWeights weights, event_weights(config.histories, types));
  auto state =
      std::make_unique<State>(std::move(config), files, mode, clock, std::move(types), weights);
  state->slate_key = mode == OpenMode::kServe ? entropy() : run.random.fork("slates").key();
  if (mode == OpenMode::kServe) VT_TRY(state->start_serving(run));
  return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

const Config& Engine::config() const { return state_->config; }
const EventTypes& Engine::types() const { return state_->types; }

Result<std::vector<Manifest>> Engine::snapshots() const {
  VT_TRY(const auto names, state_->snapshots.names());
  std::vector<Manifest> manifests;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    auto manifest = load_manifest(state_->files, state_->snapshots.path(*name));
    if (manifest.ok()) {
      manifests.push_back(std::move(manifest).value());
    } else {
      diag(Level::kWarning, "snapshot " + *name + ": " + manifest.error().message);
    }
  }
  return manifests;
}

Status Engine::publish(std::string_view snapshot) {
  const std::string name(snapshot);
  VT_TRY(const auto names, state_->snapshots.names());
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    return Error{Code::kNotFound,
                 "there is no snapshot '" + name + "'; `vitrine snapshot` lists those there are"};
  }
  VT_TRY(state_->load_snapshot(name));  // what cannot be loaded is not published
  return state_->snapshots.publish(name);
}

Status Engine::checkpoint() {
  VT_TRY(Live * live, state_->live());
  VT_TRY(EventLog * log, state_->log_to_write());
  return live->save(state_->checkpoint(), *log);
}

EngineStatus Engine::status() const {
  EngineStatus status;
  if (const auto serving = state_->serving()) {
    status.snapshot = serving->snapshot->manifest.name;
    status.snapshot_sequence = serving->snapshot->manifest.sequence;
  } else if (state_->mode == OpenMode::kTool) {
    status.snapshot = state_->snapshots.current().ok() ? *state_->snapshots.current() : "";
  }
  if (const Live* live = state_->live_ready.load()) {
    status.ready = !status.snapshot.empty() && live->whole().ok();
    status.sequence = live->sequence();
    status.users = live->vocabulary().users.size();
    status.items = live->vocabulary().items.size();
    status.incomplete_items = live->catalogue()->incomplete();
    status.events = live->events();
    status.persons_live = live->people().stats().persons;
  } else if (const auto log = state_->log_to_read(); log.ok()) {
    status.sequence = (*log)->last_sequence();
  }
  status.training = state_->background ? state_->background->status() : "idle";
  if (state_->slates) {
    status.slates_logged = state_->slates->logged();
    status.slates_dropped = state_->slates->dropped();
  }
  const NewItemStats fresh = state_->new_items.stats();
  status.new_items = fresh.items;
  status.new_items_shown = fresh.shown;
  status.new_item_seconds = fresh.seconds_to_exposure;
  status.memory_bytes = SystemUsage().now().memory_bytes;
  return status;
}

std::vector<std::string> Engine::some_users(std::size_t n) const {
  std::vector<std::string> ids;
  const auto live = state_->live();
  if (!live.ok() || n == 0) return ids;
  const std::uint32_t users = (*live)->vocabulary().users.size();
  const std::uint32_t step = std::max<std::uint32_t>(1, users / static_cast<std::uint32_t>(n));
  for (std::uint32_t i = 0; i < users && ids.size() < n; i += step) {
    const std::string_view id = (*live)->vocabulary().id(UserIndex{i});
    const auto history = (*live)->people().history({UserIndex{i}, {}});
    if (!id.empty() && history.ok() && !history->empty()) ids.emplace_back(id);
  }
  return ids;
}

void Engine::flush_slates() const {
  if (state_->slates) state_->slates->flush();
}

}  // namespace vitrine

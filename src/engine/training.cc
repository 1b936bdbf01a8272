// Long work: cleaning reports, evaluation, training and publication.
#include <chrono>
#include <thread>

#include "engine/dataset.h"
#include "engine/diag.h"
#include "engine/limits.h"
#include "engine/state.h"
#include "engine/trainer.h"
#include "engine/trainer_process.h"
#include "engine/usage.h"
#include "store/folder_lock.h"

namespace vitrine {
namespace {

// Of a training inside this process: costs are known, and stopping the engine cancels it.
class StopMonitor final : public Monitor {
 public:
  explicit StopMonitor(const std::atomic<bool>& stop) : stop_(stop) {}
  void begin(std::string_view, std::uint64_t, std::string_view) override {}
  Verdict advance(std::uint64_t) override {
    return stop_.load() ? Verdict::kCancel : Verdict::kContinue;
  }
  void end() override {}
  void note(std::string_view) override {}
  Usage usage() override { return usage_.now(); }

 private:
  const std::atomic<bool>& stop_;
  SystemUsage usage_;
};

int threads_of(const Config& config) {
  if (config.shop.threads > 0) return config.shop.threads;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

Random root_of(const Config& config) {
  return Random(static_cast<std::uint64_t>(config.shop.seed));
}

}  // namespace

Result<CleaningReport> Engine::clean(const Run& run) const {
  VT_TRY(const auto log, state_->log_to_read());
  VT_TRY(KnownIds known, state_->known_ids());
  VT_TRY(const RawDataset raw,
         read_dataset(run, *log, state_->types, kWholeLog, state_->config.live, std::move(known)));
  VT_TRY(CleanView view, vitrine::clean(run, raw.table, raw.vocabulary, raw.catalogue,
                                        state_->types, state_->config.cleaning));
  return std::move(view.report);
}

Result<EvaluationTable> Engine::evaluate(const Run& run, const SplitOptions& split,
                                         const EvaluateOptions& options,
                                         const std::vector<std::string>& models,
                                         const std::string& dump_folder) const {
  VT_TRY(const auto log, state_->log_to_read());
  VT_TRY(KnownIds known, state_->known_ids());
  VT_TRY(const Dataset data,
         build_dataset(run, *log, state_->types, state_->config, kWholeLog, std::move(known)));
  return evaluate_models(run, state_->config, data, state_->files, split, options, models,
                         dump_folder);
}

Result<TuneReport> Engine::tune(const Run& run, const TuneOptions& options,
                                const std::vector<std::string>& models) const {
  VT_TRY(const auto log, state_->log_to_read());
  VT_TRY(KnownIds known, state_->known_ids());
  VT_TRY(const Dataset data,
         build_dataset(run, *log, state_->types, state_->config, kWholeLog, std::move(known)));
  return tune_configured(run, state_->config, data, state_->files, options, models);
}

Result<TrainReport> Engine::train(const Run& run, const TrainRequest& request) {
  return state_->train(run, request);
}

Result<TrainReport> Engine::State::train(const Run& run, const TrainRequest& request) {
  VT_TRY(const auto log, log_to_read());
  const std::string place = folder + "/snapshots";
  VT_TRY(files.make_folder(place));
  const auto lock = FolderLock::take(place, "is training");
  if (!lock.ok()) return lock.error();
  VT_TRY(const std::string published, snapshots.current());
  auto champion = published_snapshot();
  if (!champion.ok()) {
    run.monitor.note("the published snapshot is not compared with: " + champion.error().message);
    champion = std::shared_ptr<const Snapshot>();
  }
  VT_TRY(KnownIds known, known_ids());
  VT_TRY(Dataset data, build_dataset(run, *log, types, config, kWholeLog, std::move(known)));
  const CheckpointFolder checkpoints(files, folder + "/checkpoints",
                                     config.train.checkpoint_minutes);
  VT_TRY(Trained trained,
         train_snapshot(run, config, std::move(data), champion->get(), request, checkpoints));
  Manifest& manifest = trained.snapshot->manifest;
  VT_TRY(const std::string published_now, snapshots.current());
  if (manifest.publication.passed && published_now != published) {
    manifest.publication.passed = false;
    manifest.publication.verdict = "not published: " + published_now +
                                   " was, while this one was trained; `vitrine snapshot publish` "
                                   "takes this one all the same";
  }
  VT_TRY(manifest.name, snapshots.next_name(manifest.sequence));
  manifest.publication.created = clock();
  VT_TRY(Snapshot::save(files, snapshots.path(manifest.name), *trained.snapshot));
  VT_TRY(manifest, load_manifest(files, snapshots.path(manifest.name)));  // with its searches
  trained.report.manifest = manifest;
  trained.report.verdict = manifest.publication.verdict;
  trained.report.published = manifest.publication.passed;
  if (manifest.publication.passed) {
    VT_TRY(load_snapshot(manifest.name));  // what cannot be loaded is not published
    VT_TRY(snapshots.publish(manifest.name));
  }
  VT_TRY(snapshots.prune(config.train.snapshots_kept));
  if (const Status cleared = checkpoints.clear(); !cleared.ok())
    run.monitor.note(cleared.error().message);
  return std::move(trained.report);
}

Status Engine::start_training(const TrainRequest& request) {
  if (!state_->background) {
    return Error{Code::kUnsupported, "training in the background needs an engine that serves"};
  }
  return state_->background->start(request);
}

Status Engine::State::train_in_background(const TrainRequest& request,
                                          const std::atomic<bool>& stop) {
  const auto before = serving();
  if (config.trainer.empty()) {
    ThreadPool pool(threads_of(config));
    StopMonitor monitor(stop);
    VT_TRY(const TrainReport report, train(Run{root_of(config), pool, monitor}, request));
    if (!report.published) return Error{Code::kInvalid, "not published: " + report.verdict};
  } else {
    std::vector<std::string> command = config.trainer;
    if (!request.validate) command.emplace_back("--no-validate");
    if (request.force) command.emplace_back("--force");
    if (!request.reason.empty()) command.push_back("--reason=" + request.reason);
    const TrainerLimits limits{static_cast<std::uint64_t>(config.train.memory_limit_mb) << 20,
                               config.train.time_limit_minutes, config.train.cores};
    // Somebody may publish meanwhile. What cannot be followed is said when the training has ended.
    const auto look = [this, last = std::chrono::steady_clock::now()]() mutable {
      const auto now = std::chrono::steady_clock::now();
      if (now - last < std::chrono::seconds(kSnapshotPollSeconds)) return;
      last = now;
      (void)follow_current().ok();
    };
    VT_TRY(run_trainer(command, limits, stop, look));
    VT_TRY(follow_current());
  }
  if (const auto now = serving(); now && now != before) {
    diag(Level::kInfo, "snapshot " + now->snapshot->manifest.name + " is served");
  }
  return {};
}

}  // namespace vitrine

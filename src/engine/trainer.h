// From a data set to a snapshot: choose, measure on held-out events, fit again on everything,
// judge.
#pragma once

#include <memory>
#include <string>

#include "engine/checkpoints.h"
#include "engine/dataset.h"
#include "engine/engine.h"
#include "engine/snapshot.h"

namespace vitrine {

struct Trained {
  std::shared_ptr<Snapshot> snapshot;  // without a name; publication.passed is the gate's verdict
  TrainReport report;
};

// `champion`: the published snapshot, or null. Deterministic for one data set, configuration, seed
// and thread count as long as choosing does not run out of its time budget. `data` is used up.
// After a kill, a long fit goes on from `checkpoints` where it is the same fit, to the same bytes.
Result<Trained> train_snapshot(const Run& run, const Config& config, Dataset data,
                               const Snapshot* champion, const TrainRequest& request,
                               const CheckpointFolder& checkpoints);

// Fits and measures the named models (all when empty) and the popularity baselines:
// Engine::evaluate.
Result<EvaluationTable> evaluate_models(const Run& run, const Config& config, const Dataset& data,
                                        FileSystem& files, const SplitOptions& split,
                                        const EvaluateOptions& options,
                                        const std::vector<std::string>& models,
                                        const std::string& dump_folder);

}  // namespace vitrine

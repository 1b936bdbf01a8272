// Where a training keeps the state of its long fits: FOLDER/MODEL-STAGE.vta (docs/formats.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/checkpoint.h"

namespace vitrine {

// Not for two trainings at once: the lock of the snapshots keeps them apart.
class CheckpointFolder {
 public:
  // `minutes` between two writings; 0: never.
  CheckpointFolder(FileSystem& files, std::string folder, double minutes)
      : files_(files), folder_(std::move(folder)), minutes_(minutes) {}

  // Nothing where fits keep no state. It is kept when its fit has ended: a training that is killed
  // later goes on with the next one.
  std::optional<Checkpoint> of(std::string_view model, std::string_view stage) const;
  // After a training that succeeded: removes all, whoever left it.
  Status clear() const;

 private:
  FileSystem& files_;
  std::string folder_;
  double minutes_;
};

}  // namespace vitrine

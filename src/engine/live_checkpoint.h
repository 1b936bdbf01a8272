// The checkpoint of the live state: the file `checkpoint` of a shop's folder, docs/formats.md. It
// holds the fold of the log up to one sequence, so that a start replays only what came later. It is
// replaced whole, by a rename; what is damaged, or was made with other settings or from another
// log, is refused.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "base/file.h"
#include "engine/known_ids.h"
#include "engine/worker.h"

namespace vitrine {

struct CheckpointPlace {
  FileSystem* files = nullptr;  // null: no checkpoints
  std::string path;
};

// The vocabulary of a checkpoint, which is there.
Result<KnownIds> checkpointed_ids(const CheckpointPlace& place);

// Writes checkpoints while a shop is served: so many minutes after the last one, or after
// kCheckpointRecords, if anything has changed, and when it is destroyed. Thread-safe.
class CheckpointWriter {
 public:
  struct Work {
    std::function<Status()> save;
    std::function<std::uint64_t()> sequence;  // of the state
    std::function<std::uint64_t()> saved;     // of the last checkpoint
  };
  CheckpointWriter(Work work, double minutes);
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

 private:
  Status save();
  void loop();

  const Work work_;
  const double minutes_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  Worker thread_;
};

}  // namespace vitrine

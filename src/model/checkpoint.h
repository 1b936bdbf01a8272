// The state of a long fit on the disk, so that a kill costs minutes: written now and then while
// fitting, read at the start of the next fit of the same thing, removed when there is a model.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/archive.h"
#include "base/file.h"

namespace vitrine {

// One file. Not thread-safe.
class Checkpoint {
 public:
  // What becomes of it when there is a model. kKept is for one of several fits, whose owner removes
  // all when the last has ended, so that none is done again from its beginning.
  enum class Afterwards { kRemoved, kKept };

  // `path` ends in .vta. `every_s`: seconds of a run between two writings; 0: whenever asked.
  // `files` must outlive it.
  Checkpoint(FileSystem& files, std::string path, double every_s,
             Afterwards afterwards = Afterwards::kRemoved)
      : files_(&files), path_(std::move(path)), every_s_(every_s), afterwards_(afterwards) {}

  // Of a part of the fit, such as a member of a blend: "fit.sasrec.vta" beside "fit.vta".
  Checkpoint of_part(std::string_view name) const;

  // Whether it is time, counted from the first call; `elapsed_s` of the run's monitor.
  bool due(double elapsed_s);
  // Replaces the file, whole or not at all. `fingerprint` tells what is being fitted: data,
  // options, seed and whatever else the bytes depend on.
  Status save(std::string_view fingerprint, const std::function<void(ArchiveWriter&)>& write) const;
  // Null where there is none. One with another fingerprint, or damaged, is no error: it is of no
  // use any more, `why` says so, and the next save() or remove() takes it away.
  Result<std::unique_ptr<ArchiveReader>> open(std::string_view fingerprint, std::string& why) const;
  // There is a model.
  Status end() const { return afterwards_ == Afterwards::kKept ? Status() : remove(); }
  Status remove() const;  // with what a kill left half-written; fine where there is none
  const std::string& path() const { return path_; }

 private:
  FileSystem* files_;
  std::string path_;
  double every_s_;
  Afterwards afterwards_;
  std::optional<double> last_s_;
};

}  // namespace vitrine

// One process at a time: a lock on the file `<folder>/lock`, held as long as the object lives and
// gone with the process, however it ends.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace vitrine {

class FolderLock {
 public:
  // kUnavailable when somebody else holds it; the message names the file and the other process,
  // which `does` something ("has this log open").
  static Result<std::unique_ptr<FolderLock>> take(const std::string& folder, std::string_view does);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace vitrine

// The slate stream read back: lists that were shown.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"
#include "engine/engine.h"

namespace vitrine {

// One line of a slate file.
struct Shown {
  std::string slate, time, snapshot;
  std::uint64_t sequence = 0;  // of the state that answered
  RecommendRequest request;    // user, session, placement, item, n and now
  std::vector<std::string> items;
};

// Every recommendation in a folder of slate files that names its person, by sequence, of equal ones
// the earlier first. Popular and similar lists, later pages, lists that were narrowed by more than
// the line says, and lines that are none of ours, are left out.
Result<std::vector<Shown>> read_shown(FileSystem& files, const std::string& folder);

}  // namespace vitrine

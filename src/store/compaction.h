// Compaction: rewrites old segments without what is no longer wanted. Sequences stay as they are.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "store/segment_files.h"

namespace vitrine {

// What is dropped: see EventLog::compact.
struct CompactionRule {
  Timestamp received_before = kNoTime;
  KeyOf key_of;
};

// Reads `segments`, whole ones that follow each other up to before `end_sequence`, and writes what
// is kept of each run of neighbours that fits into `bytes_max` into the file `temporary`, synced,
// if anything of the run is dropped. `replace` is to put it into the place of the run. Memory: a
// bit a record, and about 60 bytes for each key.
Status compact_segments(FileSystem& files, std::span<const SegmentFile> segments,
                        std::uint64_t end_sequence, std::uint64_t bytes_max,
                        const CompactionRule& rule, const std::string& temporary,
                        const std::function<Status(std::span<const SegmentFile> run)>& replace);

}  // namespace vitrine

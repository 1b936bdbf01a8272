// The segments of an event log folder, as files: listing, walking, and what damage in them means.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "store/segment.h"

namespace vitrine {

struct SegmentFile {
  std::uint64_t first_sequence = 0;
  std::string path;
  std::shared_ptr<const MappedFile> map;  // maybe null: to be opened when it is read
};

// In order of their sequences, mapped: they fit together even if they are compacted meanwhile.
// kNotFound when one was dropped meanwhile. Other files in the folder are left alone.
struct Segments {
  std::vector<SegmentFile> files;
  std::vector<std::string> leftovers;  // paths of those that a compacted one replaces
};
Result<Segments> list_segments(FileSystem& files, const std::string& folder);

// The bytes of a segment, mapped now unless they were.
Result<std::shared_ptr<const MappedFile>> map_segment(FileSystem& files, const SegmentFile& file);

struct Walk {
  // Behind the last whole frame; of a whole compacted segment what follows it.
  std::uint64_t next_sequence = 0;
  std::uint64_t end = 0;  // offset behind it; short of the bytes given: something else follows
  bool compacted = false;
};

// Visits the whole, verified frames in order, from the one that holds `from`; earlier ones are
// skipped by their headers. Stops at the first that is not whole. An error is kCorrupt, naming path
// and offset, or comes from `visit`.
Result<Walk> walk_segment(const SegmentFile& file, std::span<const std::byte> bytes,
                          std::uint64_t from, const std::function<Status(const Frame&)>& visit);

// The error for bytes at `offset` that are no frame although they were one.
Error damaged(const SegmentFile& file, std::uint64_t offset);
// The error for a segment that does not go on where the one before it ends.
Error out_of_order(const SegmentFile& file, std::uint64_t expected_sequence);

}  // namespace vitrine

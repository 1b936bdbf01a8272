#include "store/segment_files.h"

#include <fmt/format.h>

namespace vitrine {

Result<std::vector<SegmentFile>> list_segments(FileSystem& files, const std::string& folder) {
  std::vector<SegmentFile> segments;
  VT_TRY(const auto names, files.list(folder));
  for (const std::string& name : names)
    if (const auto first = parse_segment_name(name))
      segments.push_back({*first, folder + "/" + name});
  return segments;
}

Result<Walk> walk_segment(const SegmentFile& file, std::span<const std::byte> bytes,
                          std::uint64_t from, const std::function<Status(const Frame&)>& visit) {
  if (auto header = check_segment_header(bytes, file.first_sequence); !header.ok())
    return header.error().prefixed(file.path);
  Walk walk{file.first_sequence, kSegmentHeaderBytes};
  Frame frame;
  while (walk.end < bytes.size() && read_frame_header(bytes, walk.end, frame)) {
    if (frame.first_sequence != walk.next_sequence || frame.durable > walk.end)
      return damaged(file, walk.end);
    if (frame.last_sequence() >= from) {
      if (!verify_body(bytes, walk.end, frame)) break;
      VT_TRY(visit(frame));
    }
    walk.next_sequence += frame.count;
    walk.end = frame.end;
  }
  return walk;
}

Error damaged(const SegmentFile& file, std::uint64_t offset) {
  return Error{
      Code::kCorrupt,
      fmt::format("{}: damaged at offset {}; put this file back from a backup, or move it and "
                  "every later .log file away to go on with what lies before it",
                  file.path, offset)};
}

Error out_of_order(const SegmentFile& file, std::uint64_t expected_sequence) {
  return Error{Code::kCorrupt,
               fmt::format("{}: starts at sequence {}, but the segment before it ends at {}; one "
                           "between them is missing or was cut short",
                           file.path, file.first_sequence, expected_sequence - 1)};
}

}  // namespace vitrine

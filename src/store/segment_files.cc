#include "store/segment_files.h"

#include <fmt/format.h>

namespace vitrine {

Result<Segments> list_segments(FileSystem& files, const std::string& folder) {
  Segments segments;
  std::uint64_t covered = 0;  // sequences before it are in the compacted segments seen so far
  VT_TRY(const auto names, files.list(folder));
  for (const std::string& name : names) {
    const auto first = parse_segment_name(name);
    if (!first) continue;
    const std::string path = folder + "/" + name;
    if (*first < covered) {
      segments.leftovers.push_back(path);
      continue;
    }
    VT_TRY(auto map, files.map(path));
    const auto header = read_segment_header(map->bytes(), *first);  // who reads it sees damage
    if (header.ok()) covered = header->next_sequence;
    segments.files.push_back({*first, path, std::move(map)});
  }
  return segments;
}

Result<std::shared_ptr<const MappedFile>> map_segment(FileSystem& files, const SegmentFile& file) {
  if (file.map) return file.map;
  return files.map(file.path);
}

Result<Walk> walk_segment(const SegmentFile& file, std::span<const std::byte> bytes,
                          std::uint64_t from, const std::function<Status(const Frame&)>& visit) {
  const auto header = read_segment_header(bytes, file.first_sequence);
  if (!header.ok()) return header.error().prefixed(file.path);
  const std::uint64_t end = header->next_sequence;
  Walk walk{file.first_sequence, header->bytes, end != 0};
  Frame frame;
  while (walk.end < bytes.size() && read_frame_header(bytes, walk.end, frame)) {
    const bool fits = walk.compacted ? frame.first_sequence >= walk.next_sequence &&
                                           frame.last_sequence() >= frame.first_sequence &&
                                           frame.last_sequence() < end
                                     : frame.first_sequence == walk.next_sequence;
    if (!fits || frame.durable > walk.end) return damaged(file, walk.end);
    if (frame.last_sequence() >= from) {
      if (!verify_body(bytes, walk.end, frame)) break;
      VT_TRY(visit(frame));
    }
    walk.next_sequence = frame.last_sequence() + 1;
    walk.end = frame.end;
  }
  if (walk.compacted && walk.end == bytes.size()) walk.next_sequence = end;
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
                           "between them is missing or was cut short: put it back from a backup, "
                           "or move this and every later .log file away",
                           file.path, file.first_sequence, expected_sequence - 1)};
}

}  // namespace vitrine

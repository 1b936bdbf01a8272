// The bytes of an event log segment: a header, then frames. One append is one frame, so that a
// batch is there as a whole or not at all. Specified in docs/formats.md, "Event log". Pure
// functions on bytes; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/event_log.h"

namespace vitrine {

// 128 bits of XXH3 over a record's id; all zero: the record has none.
struct IdHash {
  std::uint64_t low = 0, high = 0;
  explicit operator bool() const { return (low | high) != 0; }
  friend bool operator==(const IdHash&, const IdHash&) = default;
};
IdHash hash_id(std::string_view id);  // of an empty id: all zero

inline constexpr std::size_t kSegmentHeaderBytes = 32;
inline constexpr std::size_t kCompactedHeaderBytes = 40;
inline constexpr std::size_t kFrameHeaderBytes = 40;
inline constexpr std::size_t kRecordHeaderBytes = 33;

std::string segment_name(std::uint64_t first_sequence);                  // "<20 digits>.log"
std::optional<std::uint64_t> parse_segment_name(std::string_view name);  // empty for other files

struct SegmentHeader {
  std::uint64_t first_sequence = 0;
  std::uint64_t next_sequence = 0;  // of a compacted segment: what follows it; else 0
  std::size_t bytes = kSegmentHeaderBytes;
};
void append_segment_header(std::uint64_t first_sequence, std::string& out);
void append_compacted_header(std::uint64_t first_sequence, std::uint64_t next_sequence,
                             std::string& out);
// kCorrupt, or kUnsupported for a version that we do not know. `first_sequence` is what the name
// says.
Result<SegmentHeader> read_segment_header(std::span<const std::byte> segment,
                                          std::uint64_t first_sequence);

// Builds one frame at the end of `out`. The offset of the frame in its file must be a multiple
// of 8.
class FrameBuilder {
 public:
  explicit FrameBuilder(std::string& out);
  void add(const NewRecord& record, const IdHash& id);
  std::uint32_t count() const { return count_; }
  // `durable`: how many bytes of the file had reached the disk when the frame was built. With no
  // record added, `out` is as it was.
  void finish(std::uint64_t first_sequence, std::uint64_t durable);

 private:
  std::string& out_;
  std::size_t begin_;
  std::uint32_t count_ = 0;
};

struct Frame {
  std::uint64_t first_sequence = 0;
  std::uint64_t durable = 0;
  std::uint32_t count = 0;
  std::uint64_t end = 0;            // offset of the next frame
  std::span<const std::byte> body;  // the records, not yet looked at
  std::uint64_t last_sequence() const { return first_sequence + count - 1; }
};

// The frame at `offset`, false unless its header is whole. The body is inside `segment` then,
// unverified.
bool read_frame_header(std::span<const std::byte> segment, std::uint64_t offset, Frame& frame);
bool verify_body(std::span<const std::byte> segment, std::uint64_t offset, const Frame& frame);

struct FrameRecord {
  LogRecord record;
  IdHash id;
};
// Takes the first record off `body`; false when the rest holds no whole record.
bool next_record(std::span<const std::byte>& body, FrameRecord& out);

// Of bytes that are no whole frame at `offset` of the newest segment: true when a crash can have
// left them, false when they had been durable, which a whole frame behind them proves.
bool can_be_torn(std::span<const std::byte> segment, std::uint64_t offset);

}  // namespace vitrine

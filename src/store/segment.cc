#include "store/segment.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <bit>
#include <cstring>

namespace vitrine {
namespace {

static_assert(std::endian::native == std::endian::little, "segments are little-endian");

constexpr std::string_view kMagic{"VTRLOG\r\n", 8};
constexpr std::uint32_t kVersion = 1, kCompactedVersion = 2;
constexpr std::uint32_t kFrameMagic = 0x46525456;  // "VTRF"

template <class T>
void put(char* at, T value) {
  std::memcpy(at, &value, sizeof value);
}
template <class T>
T get(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

constexpr std::uint64_t padded(std::uint64_t bytes) { return (bytes + 7) & ~std::uint64_t{7}; }

std::uint32_t header_checksum(const void* frame) {
  const char* bytes = static_cast<const char*>(frame);
  return static_cast<std::uint32_t>(XXH3_64bits(bytes + 8, kFrameHeaderBytes - 8));
}

}  // namespace

IdHash hash_id(std::string_view id) {
  if (id.empty()) return {};
  const XXH128_hash_t hash = XXH3_128bits(id.data(), id.size());
  // All zero means "no id"; a real id that hashes to it gets a neighbour.
  return {hash.low64 | (hash.low64 == 0 && hash.high64 == 0 ? 1 : 0), hash.high64};
}

std::string segment_name(std::uint64_t first_sequence) {
  return fmt::format("{:020}.log", first_sequence);
}

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
  if (name.size() != 24 || name.substr(20) != ".log") return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : name.substr(0, 20)) {
    if (c < '0' || c > '9' || value > (~std::uint64_t{0} - 9) / 10) return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value == 0 ? std::nullopt : std::optional(value);
}

void append_segment_header(std::uint64_t first_sequence, std::string& out) {
  char header[kSegmentHeaderBytes] = {};
  std::memcpy(header, kMagic.data(), kMagic.size());
  put(header + 8, kVersion);
  put(header + 16, first_sequence);
  put(header + 24, static_cast<std::uint64_t>(XXH3_64bits(header, 24)));
  out.append(header, sizeof header);
}

void append_compacted_header(std::uint64_t first_sequence, std::uint64_t next_sequence,
                             std::string& out) {
  char header[kCompactedHeaderBytes] = {};
  std::memcpy(header, kMagic.data(), kMagic.size());
  put(header + 8, kCompactedVersion);
  put(header + 16, first_sequence);
  put(header + 24, next_sequence);
  put(header + 32, static_cast<std::uint64_t>(XXH3_64bits(header, 32)));
  out.append(header, sizeof header);
}

Result<SegmentHeader> read_segment_header(std::span<const std::byte> segment,
                                          std::uint64_t first_sequence) {
  const std::byte* p = segment.data();
  if (segment.size() < kSegmentHeaderBytes || std::memcmp(p, kMagic.data(), kMagic.size()) != 0)
    return Error{Code::kCorrupt, "offset 0: not a segment of an event log"};
  const auto version = get<std::uint32_t>(p + 8);
  if (version != kVersion && version != kCompactedVersion)
    return Error{Code::kUnsupported,
                 fmt::format("offset 8: written by a newer program (format {}, this one reads {})",
                             version, kCompactedVersion)};
  SegmentHeader header;
  const bool compacted = version == kCompactedVersion;
  if (compacted) header.bytes = kCompactedHeaderBytes;
  const std::size_t checksum = header.bytes - 8;
  if (segment.size() < header.bytes || get<std::uint64_t>(p + checksum) != XXH3_64bits(p, checksum))
    return Error{Code::kCorrupt,
                 fmt::format("offset {}: the header does not match its checksum", checksum)};
  header.first_sequence = get<std::uint64_t>(p + 16);
  if (compacted) header.next_sequence = get<std::uint64_t>(p + 24);
  if (header.first_sequence != first_sequence)
    return Error{Code::kCorrupt,
                 fmt::format("offset 16: starts at sequence {}, which is not its name",
                             header.first_sequence)};
  if (compacted && header.next_sequence <= first_sequence)
    return Error{Code::kCorrupt, "offset 24: ends before it starts"};
  return header;
}

FrameBuilder::FrameBuilder(std::string& out) : out_(out), begin_(out.size()) {
  out_.append(kFrameHeaderBytes, '\0');
}

void FrameBuilder::add(const NewRecord& record, const IdHash& id) {
  char header[kRecordHeaderBytes];
  put(header, static_cast<std::uint32_t>(record.payload.size()));
  put(header + 4, record.key_id);
  put(header + 8, record.received);
  put(header + 16, id.low);
  put(header + 24, id.high);
  put(header + 32, record.kind);
  out_.append(header, sizeof header);
  out_.append(as_text(record.payload));
  ++count_;
}

void FrameBuilder::finish(std::uint64_t first_sequence, std::uint64_t durable) {
  if (count_ == 0) {
    out_.resize(begin_);
    return;
  }
  const std::size_t bytes = out_.size() - begin_ - kFrameHeaderBytes;
  out_.append(padded(bytes) - bytes, '\0');
  char* frame = out_.data() + begin_;
  put(frame, kFrameMagic);
  put(frame + 8, static_cast<std::uint32_t>(bytes));
  put(frame + 12, count_);
  put(frame + 16, first_sequence);
  put(frame + 24, durable);
  put(frame + 32,
      static_cast<std::uint64_t>(XXH3_64bits(frame + kFrameHeaderBytes, padded(bytes))));
  put(frame + 4, header_checksum(frame));
}

bool read_frame_header(std::span<const std::byte> segment, std::uint64_t offset, Frame& frame) {
  if (offset > segment.size() || segment.size() - offset < kFrameHeaderBytes) return false;
  const std::byte* p = segment.data() + offset;
  if (get<std::uint32_t>(p) != kFrameMagic || get<std::uint32_t>(p + 4) != header_checksum(p))
    return false;
  const std::uint64_t bytes = get<std::uint32_t>(p + 8);
  const std::uint64_t body = offset + kFrameHeaderBytes;
  frame.count = get<std::uint32_t>(p + 12);
  frame.first_sequence = get<std::uint64_t>(p + 16);
  frame.durable = get<std::uint64_t>(p + 24);
  if (frame.count == 0 || frame.first_sequence == 0 || segment.size() - body < padded(bytes))
    return false;
  frame.body = segment.subspan(body, bytes);
  frame.end = body + padded(bytes);
  return true;
}

bool verify_body(std::span<const std::byte> segment, std::uint64_t offset, const Frame& frame) {
  const std::byte* p = segment.data() + offset;
  return get<std::uint64_t>(p + 32) ==
         XXH3_64bits(p + kFrameHeaderBytes, frame.end - offset - kFrameHeaderBytes);
}

bool next_record(std::span<const std::byte>& body, FrameRecord& out) {
  if (body.size() < kRecordHeaderBytes) return false;
  const std::byte* p = body.data();
  const std::size_t bytes = get<std::uint32_t>(p);
  if (body.size() - kRecordHeaderBytes < bytes) return false;
  out.record.key_id = get<std::uint32_t>(p + 4);
  out.record.received = get<Timestamp>(p + 8);
  out.id = {get<std::uint64_t>(p + 16), get<std::uint64_t>(p + 24)};
  out.record.kind = static_cast<RecordKind>(p[32]);
  out.record.payload = body.subspan(kRecordHeaderBytes, bytes);
  body = body.subspan(kRecordHeaderBytes + bytes);
  return true;
}

bool can_be_torn(std::span<const std::byte> segment, std::uint64_t offset) {
  Frame frame;
  for (std::uint64_t at = offset + 8; at + kFrameHeaderBytes <= segment.size(); at += 8)
    if (read_frame_header(segment, at, frame) && frame.durable > offset &&
        verify_body(segment, at, frame))
      return false;
  return true;
}

}  // namespace vitrine

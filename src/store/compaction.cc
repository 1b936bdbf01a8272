#include "store/compaction.h"

#include <optional>
#include <unordered_map>

#include "store/limits.h"

namespace vitrine {
namespace {

bool is_erasure(RecordKind kind) {
  return kind == RecordKind::kEraseItem || kind == RecordKind::kEraseUser;
}

bool ages(RecordKind kind) { return kind == RecordKind::kEvent || kind == RecordKind::kMerge; }

// What is known of all records when the first of them is decided on.
class Latest {
 public:
  explicit Latest(const CompactionRule& rule) : rule_(rule) {}

  void note(const LogRecord& record) {
    if (record.kind == RecordKind::kEvent && first_kept_ == 0 && young(record))
      first_kept_ = record.sequence;
    const IdHash key = key_of(record);
    if (!key) return;
    Of& of = latest_[key];
    (is_erasure(record.kind) ? of.erased : of.put) = record.sequence;
  }

  bool keeps(const LogRecord& record) const {
    if (record.kind == RecordKind::kMerge && first_kept_ != 0 && first_kept_ < record.sequence)
      return true;  // it says whose that event is
    if (ages(record.kind)) return young(record);
    const IdHash key = key_of(record);
    if (!key) return true;
    const Of& of = latest_.at(key);
    if (is_erasure(record.kind)) return record.sequence == of.erased;
    return record.sequence == of.put && record.sequence > of.erased;
  }

 private:
  struct Of {
    std::uint64_t put = 0, erased = 0;
  };
  bool young(const LogRecord& record) const {
    return record.received == kNoTime || record.received >= rule_.received_before;
  }
  struct Hash {
    std::size_t operator()(const IdHash& id) const { return id.low; }
  };

  IdHash key_of(const LogRecord& record) const {
    return ages(record.kind) ? IdHash{} : hash_id(rule_.key_of(record));
  }

  const CompactionRule& rule_;
  std::uint64_t first_kept_ = 0;  // of the events
  std::unordered_map<IdHash, Of, Hash> latest_;
};

// The records of a whole segment.
Status read_segment(FileSystem& files, const SegmentFile& file, std::uint64_t next_sequence,
                    const std::function<Status(const FrameRecord&)>& visit) {
  VT_TRY(const auto map, files.map(file.path));
  VT_TRY(const Walk walk, walk_segment(file, map->bytes(), 0, [&](const Frame& frame) -> Status {
           FrameRecord record;
           record.record.sequence = frame.first_sequence;
           for (auto body = frame.body; next_record(body, record); ++record.record.sequence)
             VT_TRY(visit(record));
           return record.record.sequence == frame.last_sequence() + 1 ? Status()
                                                                      : damaged(file, frame.end);
         }));
  if (walk.end != map->bytes().size() || walk.next_sequence != next_sequence)
    return damaged(file, walk.end);
  return {};
}

// A compacted segment, being written: one frame for each run of sequences.
class Writer {
 public:
  explicit Writer(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}

  void begin(std::uint64_t first_sequence, std::uint64_t next_sequence) {
    append_compacted_header(first_sequence, next_sequence, buffer_);
  }

  Status add(const FrameRecord& record) {
    const std::uint64_t sequence = record.record.sequence;
    if (frame_ && (sequence != next_ || buffer_.size() - begin_ >= kCompactedFrameBytes))
      VT_TRY(end_frame());
    if (!frame_) {
      begin_ = buffer_.size();
      first_ = sequence;
      frame_.emplace(buffer_);
    }
    const LogRecord& from = record.record;
    frame_->add({from.kind, {}, from.payload, from.received, from.key_id}, record.id);
    next_ = sequence + 1;
    return {};
  }

  Status finish() {
    VT_TRY(end_frame());
    VT_TRY(flush());
    return file_->sync();
  }

 private:
  Status end_frame() {
    if (!frame_) return {};
    frame_->finish(first_, written_ + begin_);
    frame_.reset();
    return buffer_.size() < kCompactedFrameBytes ? Status() : flush();
  }

  Status flush() {
    VT_TRY(file_->append(as_bytes(buffer_)));
    written_ += buffer_.size();
    buffer_.clear();
    return {};
  }

  std::unique_ptr<WritableFile> file_;
  std::string buffer_;
  std::optional<FrameBuilder> frame_;
  std::size_t begin_ = 0;               // of the frame in the buffer
  std::uint64_t first_ = 0, next_ = 0;  // sequences of the frame
  std::uint64_t written_ = 0;
};

struct Plan {
  std::vector<bool> keeps;  // by place in the segment
  std::uint64_t bytes = 0;  // that are kept
  bool drops = false;
};

std::uint64_t next_of(std::span<const SegmentFile> segments, std::size_t i, std::uint64_t end) {
  return i + 1 < segments.size() ? segments[i + 1].first_sequence : end;
}

Result<std::vector<Plan>> make_plans(FileSystem& files, std::span<const SegmentFile> segments,
                                     std::uint64_t end, const CompactionRule& rule) {
  Latest latest(rule);
  for (std::size_t i = 0; i < segments.size(); ++i)
    VT_TRY(read_segment(files, segments[i], next_of(segments, i, end),
                        [&](const FrameRecord& record) -> Status {
                          latest.note(record.record);
                          return {};
                        }));
  std::vector<Plan> plans(segments.size());
  for (std::size_t i = 0; i < segments.size(); ++i)
    VT_TRY(read_segment(files, segments[i], next_of(segments, i, end),
                        [&](const FrameRecord& record) -> Status {
                          const bool keeps = latest.keeps(record.record);
                          plans[i].keeps.push_back(keeps);
                          plans[i].drops |= !keeps;
                          if (keeps)
                            plans[i].bytes += kRecordHeaderBytes + record.record.payload.size();
                          return {};
                        }));
  return plans;
}

Status write_run(FileSystem& files, std::span<const SegmentFile> run, std::span<const Plan> plans,
                 std::uint64_t end, const std::string& temporary) {
  VT_TRY(auto file, files.create(temporary));
  Writer writer(std::move(file));
  writer.begin(run.front().first_sequence, end);
  for (std::size_t i = 0; i < run.size(); ++i) {
    std::size_t at = 0;
    VT_TRY(
        read_segment(files, run[i], next_of(run, i, end), [&](const FrameRecord& record) -> Status {
          return plans[i].keeps[at++] ? writer.add(record) : Status();
        }));
  }
  return writer.finish();
}

}  // namespace

Status compact_segments(FileSystem& files, std::span<const SegmentFile> segments,
                        std::uint64_t end_sequence, std::uint64_t bytes_max,
                        const CompactionRule& rule, const std::string& temporary,
                        const std::function<Status(std::span<const SegmentFile> run)>& replace) {
  VT_TRY(const auto plans, make_plans(files, segments, end_sequence, rule));
  for (std::size_t begin = 0; begin < segments.size();) {
    std::uint64_t bytes = 0;
    bool drops = false;
    std::size_t end = begin;
    do {
      bytes += plans[end].bytes;
      drops |= plans[end].drops;
      ++end;
    } while (end < segments.size() && bytes + plans[end].bytes <= bytes_max);
    if (drops) {
      const auto run = segments.subspan(begin, end - begin);
      VT_TRY(write_run(files, run, std::span(plans).subspan(begin, end - begin),
                       next_of(segments, end - 1, end_sequence), temporary));
      VT_TRY(replace(run));
    }
    begin = end;
  }
  return {};
}

}  // namespace vitrine

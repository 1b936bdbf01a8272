// The embedded event log. Appends queue up; the one in front writes for all that wait (group
// commit): only it touches the members under "of the leader", everything else is under mutex_.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <shared_mutex>

#include "store/compaction.h"
#include "store/event_log.h"
#include "store/folder_lock.h"
#include "store/limits.h"
#include "store/segment_files.h"
#include "store/syncer.h"
#include "store/window.h"

namespace vitrine {
namespace {

constexpr const char* kTemporary = "compacted.tmp";

// Appends, or nothing but a sync when it has no records.
struct Request {
  std::span<const NewRecord> records;
  bool durable = true;
  std::vector<IdHash> ids;
  std::size_t bytes = 0;  // at most so many in a segment
  Appended appended;
  Status status;
  bool done = false;
  std::condition_variable wake;
};

class FileEventLog final : public EventLog {
 public:
  FileEventLog(FileSystem& files, std::string folder, const EventLogOptions& options,
               std::unique_ptr<FolderLock> lock)
      : files_(files),
        folder_(std::move(folder)),
        segment_bytes_(static_cast<std::uint64_t>(options.segment_bytes)),
        lock_(std::move(lock)),
        waits_(options.durability == "sync"),
        window_(static_cast<std::uint64_t>(options.window)) {
    group_.reserve(kLogGroupMax);
  }
  ~FileEventLog() override {
    if (!syncer_) return;
    syncer_.reset();
    (void)sync().ok();
  }

  // Both before anything else. recover() also cuts a torn tail off; look() changes nothing.
  Status recover(std::uint64_t window);
  Status look();
  void sync_every(int milliseconds) {  // after recover(), unless append() waits
    if (!waits_) syncer_ = std::make_unique<Syncer>([this] { (void)sync().ok(); }, milliseconds);
  }

  Result<Appended> append(std::span<const NewRecord> records) override {
    return submit(records, waits_);
  }
  Result<Appended> append_unsynced(std::span<const NewRecord> records) override {
    return submit(records, false);
  }
  Status sync() override {
    auto done = submit({}, true);
    return done.ok() ? Status() : done.error();
  }
  Status read(std::uint64_t from,
              const std::function<Status(const LogRecord&)>& visit) const override;
  Status trim(std::uint64_t before) override;
  Status compact(std::uint64_t before, Timestamp received_before, const KeyOf& key_of) override;
  std::uint64_t first_sequence() const override;
  std::uint64_t last_sequence() const override;

 private:
  Status look_once();
  Status list();
  std::size_t count_before(std::uint64_t before) const;
  Status replace(std::span<const SegmentFile> run);
  Result<Walk> load_segment(std::size_t index, std::uint64_t from);
  Status recover_last(const Walk& walk);
  Result<Appended> submit(std::span<const NewRecord> records, bool durable);
  void take_group();
  Status commit();
  Status commit_or_throw();
  Status stage_group(std::size_t records);
  void stage(Request& request);
  Status write_staged();
  Status roll();
  Status sync_active();
  Status restore(Error error);
  Error refuse(const Error& error);

  FileSystem& files_;
  const std::string folder_;
  const std::uint64_t segment_bytes_;
  const std::unique_ptr<FolderLock> lock_;  // null: opened to read
  const bool waits_;                        // append() waits for the disk

  mutable std::mutex mutex_;
  std::deque<Request*> queue_;
  std::vector<SegmentFile> segments_;
  std::uint64_t durable_sequence_ = 0;  // what readers see, and
  std::uint64_t durable_bytes_ = 0;     // where that ends in the last segment
  std::mutex dropping_;  // held by the one that drops or replaces segments; before trimming_
  mutable std::shared_mutex
      trimming_;  // shared while files are being opened to read; before mutex_

  // Of the leader.
  std::vector<Request*> group_;  // what it writes; has room for all
  IdWindow window_;
  IdBatch batch_;
  std::string buffer_;
  std::unique_ptr<WritableFile> active_;
  std::string active_path_;
  std::uint64_t size_ = 0;            // of the active segment
  std::atomic<bool> closing_{false};  // it is to be closed whatever its size
  std::uint64_t next_sequence_ = 1;
  std::optional<Error> refused_;  // after a sync failed nothing is known of the disk

  std::unique_ptr<Syncer> syncer_;  // unless append() waits
};

// Finishes a compaction that a crash cut off: what replaced segments is durable before they go.
Status FileEventLog::list() {
  VT_TRY(auto listed, list_segments(files_, folder_));
  segments_ = std::move(listed.files);
  for (SegmentFile& file : segments_) file.map.reset();
  if (const std::string path = folder_ + "/" + kTemporary; file_exists(files_, path))
    VT_TRY(files_.remove(path));
  if (listed.leftovers.empty()) return {};
  VT_TRY(files_.sync_folder(folder_));
  for (const std::string& path : listed.leftovers) VT_TRY(files_.remove(path));
  return {};
}

Status FileEventLog::recover(std::uint64_t window) {
  VT_TRY(list());
  if (segments_.empty()) return {};
  // Older segments than the window reaches are not read: their damage is found by read().
  const std::uint64_t newest = segments_.back().first_sequence;
  const std::uint64_t oldest = newest > window ? newest - window : 1;
  Walk walk;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const bool last = i + 1 == segments_.size();
    if (!last && segments_[i + 1].first_sequence <= oldest) continue;
    const std::uint64_t expected = walk.next_sequence;
    if (expected != 0 && segments_[i].first_sequence != expected)
      return out_of_order(segments_[i], expected);
    VT_TRY(walk, load_segment(i, 0));
  }
  return recover_last(walk);
}

// Fills the window from one segment. Only the last one may end in something that is no frame.
Result<Walk> FileEventLog::load_segment(std::size_t index, std::uint64_t from) {
  const SegmentFile& file = segments_[index];
  const bool last = index + 1 == segments_.size();
  VT_TRY(const auto map, map_segment(files_, file));
  const auto bytes = map->bytes();
  // The header reaches the disk before anything else: a file that holds no more may be torn within
  // it.
  if (last && bytes.size() <= kSegmentHeaderBytes &&
      !read_segment_header(bytes, file.first_sequence).ok())
    return Walk{file.first_sequence, 0};
  std::vector<IdHash> ids;
  VT_TRY(const Walk walk, walk_segment(file, bytes, from, [&](const Frame& frame) -> Status {
           ids.clear();
           FrameRecord record;
           for (auto body = frame.body; next_record(body, record);) ids.push_back(record.id);
           if (ids.size() != frame.count) return damaged(file, frame.end);
           window_.add(frame.first_sequence, ids);
           return {};
         }));
  const bool torn = last && !walk.compacted && can_be_torn(bytes, walk.end);
  if (walk.end != bytes.size() && !torn) return damaged(file, walk.end);
  return walk;
}

// What was read may only be in the page cache: it is durable after a sync.
Status FileEventLog::recover_last(const Walk& walk) {
  const SegmentFile& file = segments_.back();
  next_sequence_ = walk.next_sequence;
  if (walk.compacted) {  // somebody took the later ones away: the next append begins one
    durable_bytes_ = walk.end;
    durable_sequence_ = next_sequence_ - 1;
    return {};
  }
  size_ = walk.end;
  active_path_ = file.path;
  if (walk.end == 0) {
    std::string header;
    append_segment_header(file.first_sequence, header);
    VT_TRY(active_, files_.create(file.path));
    VT_TRY(active_->append(as_bytes(header)));
    size_ = header.size();
  } else {
    VT_TRY(files_.truncate(file.path, walk.end));
    VT_TRY(active_, files_.append_to(file.path));
  }
  VT_TRY(active_->sync());
  VT_TRY(files_.sync_folder(folder_));
  durable_bytes_ = size_;
  durable_sequence_ = next_sequence_ - 1;
  return {};
}

// The writer may replace and drop segments beside it: then it looks again.
Status FileEventLog::look() {
  refused_ = Error{Code::kUnsupported, folder_ + ": opened to read only"};
  for (int tries = 1;; ++tries) {
    const Status looked = look_once();
    if (looked.ok() || looked.error().code != Code::kNotFound || tries == kLookTries) return looked;
  }
}

Status FileEventLog::look_once() {
  VT_TRY(auto listed, list_segments(files_, folder_));
  segments_ = std::move(listed.files);
  if (segments_.empty()) return {};
  VT_TRY(const Walk walk, load_segment(segments_.size() - 1, 0));
  // What was read may only be in the page cache, and a snapshot made from it must not outlive it.
  // Where the file may not be written, nobody writes beside us either; one without a frame may be
  // about to be removed again.
  if (walk.end > kSegmentHeaderBytes) {
    if (auto file = files_.append_to(segments_.back().path); file.ok()) VT_TRY((*file)->sync());
  }
  durable_bytes_ = walk.end;
  durable_sequence_ = walk.next_sequence - 1;
  if (walk.end == 0) {  // being made this moment: the log ends with the segment before
    segments_.pop_back();
    durable_bytes_ = ~std::uint64_t{0};
  }
  return {};
}

Result<Appended> FileEventLog::submit(std::span<const NewRecord> records, bool durable) {
  Request request;
  request.records = records;
  request.durable = durable;
  request.bytes = kFrameHeaderBytes;
  request.ids.reserve(records.size());
  for (const NewRecord& record : records) {
    request.ids.push_back(hash_id(record.id));
    request.bytes += kRecordHeaderBytes + record.payload.size();
  }
  if (request.bytes > kLogBatchBytesMax)
    return Error{
        Code::kExhausted,
        fmt::format("{} records of together {} bytes in one batch, the event log takes {}; "
                    "send smaller batches",
                    records.size(), request.bytes, kLogBatchBytesMax)};
  std::unique_lock lock(mutex_);
  queue_.push_back(&request);
  request.wake.wait(lock, [&] { return request.done || queue_.front() == &request; });
  if (!request.done) {
    take_group();
    lock.unlock();
    const Status status = commit();
    lock.lock();
    for (Request* each : group_) {
      queue_.pop_front();
      each->status = status;
      each->done = true;
      each->wake.notify_one();
    }
    if (!queue_.empty()) queue_.front()->wake.notify_one();
  }
  VT_TRY(request.status);
  return std::move(request.appended);
}

void FileEventLog::take_group() {
  group_.clear();
  std::size_t bytes = 0;
  for (Request* request : queue_) {
    bytes += request->bytes;
    if (!group_.empty() && (bytes > kLogGroupBytesMax || group_.size() == kLogGroupMax)) break;
    group_.push_back(request);
  }
}

// Those who wait are told, whatever happens. Memory that runs out when something may be written
// already leaves the disk unknown.
Status FileEventLog::commit() {
  try {
    return commit_or_throw();
  } catch (const std::bad_alloc&) {
    return refuse(Error{Code::kExhausted, "out of memory"});
  }
}

Status FileEventLog::commit_or_throw() {
  if (refused_) return *refused_;
  std::size_t records = 0, bytes = 0;
  bool durable = false;
  for (const Request* request : group_) {
    records += request->records.size();
    bytes += request->bytes + 7;
    durable |= request->durable;
  }
  if (records > 0) {
    const bool full = size_ + bytes > segment_bytes_ || closing_.exchange(false);
    if (!active_ || (full && size_ > kSegmentHeaderBytes)) VT_TRY(roll());
    VT_TRY(stage_group(records));
    VT_TRY(write_staged());
  }
  if (durable) return sync_active();
  if (syncer_ && records > 0) syncer_->wrote();
  return {};
}

// What the group takes of memory, it takes here: nothing is changed when there is too little.
Status FileEventLog::stage_group(std::size_t records) {
  try {
    buffer_.clear();
    batch_.start(next_sequence_, records);
    for (Request* request : group_) stage(*request);
    window_.reserve(next_sequence_, batch_.ids().size());
    return {};
  } catch (const std::bad_alloc&) {
    return Error{Code::kExhausted, folder_ + ": out of memory; nothing was written"};
  }
}

void FileEventLog::stage(Request& request) {
  Appended& appended = request.appended;
  appended.is_repeated.resize(request.records.size());
  for (std::size_t i = 0; i < std::min<std::size_t>(8, request.ids.size()); ++i)
    window_.prefetch(request.ids[i]);
  FrameBuilder frame(buffer_);
  const std::uint64_t first = batch_.next_sequence();
  for (std::size_t i = 0; i < request.records.size(); ++i) {
    if (i + 8 < request.ids.size()) window_.prefetch(request.ids[i + 8]);
    const IdHash& id = request.ids[i];
    std::uint64_t sequence = window_.find(id);
    if (sequence == 0) sequence = batch_.find(id);
    if (sequence != 0) {
      appended.is_repeated[i] = true;
      ++appended.repeated;
    } else {
      sequence = batch_.next_sequence();
      frame.add(request.records[i], id);
      batch_.add(id);
      ++appended.accepted;
    }
    appended.last_sequence = std::max(appended.last_sequence, sequence);
  }
  frame.finish(first, durable_bytes_);
}

// All that was staged, or nothing of it.
Status FileEventLog::write_staged() {
  if (buffer_.empty()) return {};
  if (auto written = active_->append(as_bytes(buffer_)); !written.ok())
    return restore(written.error());
  size_ += buffer_.size();
  window_.add(next_sequence_, batch_.ids());
  next_sequence_ = batch_.next_sequence();
  return {};
}

// Begins a segment. The old one is durable before the new one exists, and the new one's header
// before its first frame: only the newest segment can be torn.
Status FileEventLog::roll() {
  if (active_) VT_TRY(sync_active());
  SegmentFile file{next_sequence_, folder_ + "/" + segment_name(next_sequence_), nullptr};
  std::string header;
  append_segment_header(file.first_sequence, header);
  auto begin = [&]() -> Result<std::unique_ptr<WritableFile>> {
    VT_TRY(auto created, files_.create(file.path));
    VT_TRY(created->append(as_bytes(header)));
    VT_TRY(created->sync());
    VT_TRY(files_.sync_folder(folder_));
    return created;
  };
  auto created = begin();
  if (!created.ok()) {
    // Left behind, the file would be taken for the end of the log, which goes on in the old one.
    if (auto removed = files_.remove(file.path); !removed.ok()) return refuse(removed.error());
    return created.error();
  }
  const std::lock_guard lock(mutex_);
  segments_.push_back(file);
  active_ = std::move(*created);
  active_path_ = std::move(file.path);
  size_ = durable_bytes_ = header.size();
  return {};
}

Status FileEventLog::sync_active() {
  if (!active_ || durable_bytes_ == size_) return {};
  if (auto synced = active_->sync(); !synced.ok()) return refuse(synced.error());
  const std::lock_guard lock(mutex_);
  durable_bytes_ = size_;
  durable_sequence_ = next_sequence_ - 1;
  return {};
}

// After a failed write: the segment ends where it ended before. Durably, for a crash must not bring
// back what was reported as failed.
Status FileEventLog::restore(Error error) {
  active_.reset();
  auto cut = [&]() -> Status {
    VT_TRY(files_.truncate(active_path_, size_));
    VT_TRY(active_, files_.append_to(active_path_));
    return active_->sync();
  };
  if (auto restored = cut(); !restored.ok()) return refuse(restored.error());
  return error;
}

// A failed sync leaves unknown what the disk holds, and a second one would wrongly report success.
// What was not durable is cut off, so that opening again does not find it in the page cache.
Error FileEventLog::refuse(const Error& error) {
  active_.reset();
  if (!active_path_.empty()) (void)files_.truncate(active_path_, durable_bytes_).ok();
  refused_ =
      Error{Code::kIo, fmt::format("{}: takes no more records until it is opened again, because "
                                   "the disk failed: {}",
                                   folder_, error.message)};
  return *refused_;
}

Status FileEventLog::read(std::uint64_t from,
                          const std::function<Status(const LogRecord&)>& visit) const {
  std::vector<SegmentFile> segments;
  std::vector<std::shared_ptr<const MappedFile>> maps;
  std::uint64_t end = 0, durable_sequence = 0;
  {
    const std::shared_lock no_trim(trimming_);
    {
      const std::lock_guard lock(mutex_);
      segments = segments_;
      end = durable_bytes_;
      durable_sequence = durable_sequence_;
    }
    if (segments.empty() || from > durable_sequence) return {};
    std::size_t skip = 0;
    while (skip + 1 < segments.size() && segments[skip + 1].first_sequence <= from) ++skip;
    segments.erase(segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(skip));
    for (const SegmentFile& file : segments) {
      VT_TRY(maps.emplace_back(), map_segment(files_, file));
    }
  }
  std::uint64_t expected = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const SegmentFile& file = segments[i];
    if (expected != 0 && file.first_sequence != expected) return out_of_order(file, expected);
    auto bytes = maps[i]->bytes();
    if (i + 1 == segments.size() && end < bytes.size()) bytes = bytes.first(end);
    auto visit_frame = [&](const Frame& frame) -> Status {
      FrameRecord record;
      record.record.sequence = frame.first_sequence;
      for (auto body = frame.body; next_record(body, record); ++record.record.sequence)
        if (record.record.sequence >= from) VT_TRY(visit(record.record));
      return record.record.sequence == frame.last_sequence() + 1 ? Status()
                                                                 : damaged(file, frame.end);
    };
    VT_TRY(const Walk walk, walk_segment(file, bytes, from, visit_frame));
    if (walk.end != bytes.size()) return damaged(file, walk.end);
    expected = walk.next_sequence;
    maps[i].reset();
  }
  if (expected != durable_sequence + 1) return damaged(segments.back(), end);
  return {};
}

// Whole segments before it, never the one that is written to. Under mutex_.
std::size_t FileEventLog::count_before(std::uint64_t before) const {
  std::size_t count = 0;
  while (count + 1 < segments_.size() && segments_[count + 1].first_sequence <= before) ++count;
  return count;
}

Status FileEventLog::trim(std::uint64_t before) {
  const std::lock_guard alone(dropping_);
  const std::unique_lock no_read(trimming_);
  std::vector<SegmentFile> dropped;
  {
    const std::lock_guard lock(mutex_);
    const auto end = segments_.begin() + static_cast<std::ptrdiff_t>(count_before(before));
    dropped.assign(segments_.begin(), end);
    segments_.erase(segments_.begin(), end);
  }
  // Oldest first: whenever this stops, what is left has no hole.
  for (const SegmentFile& file : dropped) VT_TRY(files_.remove(file.path));
  return dropped.empty() ? Status() : files_.sync_folder(folder_);
}

Status FileEventLog::compact(std::uint64_t before, Timestamp received_before, const KeyOf& key_of) {
  if (!lock_) return Error{Code::kUnsupported, folder_ + ": opened to read only"};
  const std::lock_guard alone(dropping_);
  std::vector<SegmentFile> old;
  std::uint64_t end = 0;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t count = count_before(before);
    if (!segments_.empty() && segments_.back().first_sequence < before) closing_.store(true);
    if (count == 0) return {};
    old.assign(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(count));
    end = segments_[count].first_sequence;
  }
  const std::string temporary = folder_ + "/" + kTemporary;
  auto done = compact_segments(files_, old, end, segment_bytes_, {received_before, key_of},
                               temporary, [&](auto run) { return replace(run); });
  if (!done.ok()) (void)files_.remove(temporary).ok();  // the disk may be full
  return done;
}

// The new file takes the name of the first. From then on it counts, also at the next open, which
// removes the others if nobody else does.
Status FileEventLog::replace(std::span<const SegmentFile> run) {
  const std::unique_lock no_read(trimming_);
  VT_TRY(files_.rename(folder_ + "/" + kTemporary, run.front().path));
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(segments_, [&](const SegmentFile& file) {
      return file.first_sequence > run.front().first_sequence &&
             file.first_sequence <= run.back().first_sequence;
    });
  }
  VT_TRY(files_.sync_folder(folder_));
  for (const SegmentFile& file : run.subspan(1)) VT_TRY(files_.remove(file.path));
  return run.size() == 1 ? Status() : files_.sync_folder(folder_);
}

std::uint64_t FileEventLog::first_sequence() const {
  const std::lock_guard lock(mutex_);
  return segments_.empty() ? 1 : segments_.front().first_sequence;
}

std::uint64_t FileEventLog::last_sequence() const {
  const std::lock_guard lock(mutex_);
  return durable_sequence_;
}

}  // namespace

Result<std::unique_ptr<EventLog>> open_file_log(FileSystem& files, const std::string& folder,
                                                const EventLogOptions& options) {
  VT_TRY(files.make_folder(folder));
  VT_TRY(auto lock, FolderLock::take(folder, "has this event log open for writing"));
  auto log = std::make_unique<FileEventLog>(files, folder, options, std::move(lock));
  VT_TRY(log->recover(static_cast<std::uint64_t>(options.window)));
  log->sync_every(options.interval_ms);
  return log;
}

Result<std::unique_ptr<const EventLog>> open_file_log_to_read(FileSystem& files,
                                                              const std::string& folder) {
  EventLogOptions options;
  options.window = 0;
  auto log = std::make_unique<FileEventLog>(files, folder, options, nullptr);
  VT_TRY(log->look());
  return log;
}

}  // namespace vitrine

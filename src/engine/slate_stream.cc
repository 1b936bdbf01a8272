#include "engine/slate_stream.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "engine/diag.h"
#include "engine/limits.h"

namespace vitrine {

SlateStream::SlateStream(FileSystem& files, std::string folder, TimeOfDay clock)
    : files_(files), folder_(std::move(folder)), clock_(clock), thread_([this] { loop(); }) {}

SlateStream::~SlateStream() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

// The thread is woken for the first of a batch and for a full one, not for every slate.
void SlateStream::add(std::string line) {
  std::size_t waiting = 0;
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() >= kSlateQueueMax) {
      dropped_.fetch_add(1);
      return;
    }
    queue_.push_back(std::move(line));
    waiting = queue_.size();
  }
  if (waiting == 1 || waiting == kSlateBatch) wake_.notify_one();
}

void SlateStream::flush() {
  std::unique_lock lock(mutex_);
  ++flushing_;
  wake_.notify_one();
  idle_.wait(lock, [&] { return queue_.empty() && !writing_; });
  --flushing_;
}

void SlateStream::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    wake_.wait_for(lock, std::chrono::milliseconds(kSlateDelayMs),
                   [&] { return stopping_ || flushing_ > 0 || queue_.size() >= kSlateBatch; });
    std::deque<std::string> lines;
    lines.swap(queue_);
    writing_ = true;
    lock.unlock();
    write(lines);
    lock.lock();
    writing_ = false;
    idle_.notify_all();
  }
}

Status SlateStream::append(const std::deque<std::string>& lines) {
  std::string block;
  try {
    for (const std::string& line : lines) {
      block += line;
      block += '\n';
    }
  } catch (const std::bad_alloc&) {
    return Error{Code::kExhausted, "out of memory"};
  }
  if (file_bytes_ + block.size() > kSlateFileBytes) file_.reset();
  if (!file_) VT_TRY(open_file());
  VT_TRY(file_->append(as_bytes(block)));
  file_bytes_ += block.size();
  return {};
}

void SlateStream::write(const std::deque<std::string>& lines) {
  const Status written = append(lines);
  if (written.ok()) {
    logged_.fetch_add(lines.size());
    failing_ = false;
    return;
  }
  file_.reset();
  dropped_.fetch_add(lines.size());
  if (!failing_) diag(Level::kError, "slates are not written: " + written.error().message);
  failing_ = true;
}

// Names are times, so they sort by age: 00001763848123456.jsonl. They rise even when the clock was
// set back, or the newest would be removed as the oldest.
Status SlateStream::open_file() {
  VT_TRY(files_.make_folder(folder_));
  VT_TRY(const auto names, files_.list(folder_));
  const Timestamp last = names.empty() ? 0 : std::atoll(names.back().c_str());
  std::string name = std::to_string(std::max(clock_(), last + 1));
  name.insert(0, name.size() < 17 ? 17 - name.size() : 0, '0');
  VT_TRY(file_, files_.append_to(folder_ + "/" + name + ".jsonl"));
  file_bytes_ = 0;
  prune();
  return {};
}

void SlateStream::prune() {
  auto names = files_.list(folder_);
  if (!names.ok()) return;
  for (std::size_t i = 0; i + kSlateFilesMax < names->size(); ++i) {
    const auto removed = files_.remove(folder_ + "/" + (*names)[i]);
    if (!removed.ok()) diag(Level::kWarning, "an old slate file stays: " + removed.error().message);
  }
}

}  // namespace vitrine

// The slate stream: every answered list, written as JSON Lines by a thread of its own, never before
// the answer and never in its way. A full queue drops and counts. Files rotate by size:
// docs/formats.md. Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "base/file.h"
#include "engine/clock.h"
#include "engine/worker.h"

namespace vitrine {

class SlateStream {
 public:
  // Starts the thread; the folder is made on first use.
  SlateStream(FileSystem& files, std::string folder, TimeOfDay clock = wall_clock);
  ~SlateStream();  // writes what is queued
  SlateStream(const SlateStream&) = delete;
  SlateStream& operator=(const SlateStream&) = delete;

  void add(std::string line);  // one JSON object without line break
  void flush();                // waits until everything added before is in the file
  std::uint64_t logged() const { return logged_.load(); }
  std::uint64_t dropped() const { return dropped_.load(); }  // queue full, or a write failed

 private:
  void loop();
  void write(const std::deque<std::string>& lines);
  Status append(const std::deque<std::string>& lines);
  Status open_file();
  void prune();

  FileSystem& files_;
  const std::string folder_;
  const TimeOfDay clock_;
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<std::string> queue_;
  int flushing_ = 0;  // who waits in flush()
  bool writing_ = false, stopping_ = false;
  std::unique_ptr<WritableFile> file_;  // of the thread
  std::uint64_t file_bytes_ = 0;
  bool failing_ = false;  // one diagnostic per failure, not per slate
  std::atomic<std::uint64_t> logged_{0}, dropped_{0};
  Worker thread_;
};

}  // namespace vitrine

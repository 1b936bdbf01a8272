// The one seam to the operating system's files. Everything durable goes through FileSystem, so that
// tests can make any call fail, drop what was not synced, or run out of space.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vitrine {

// An append-only file. Not thread-safe. Closing does not sync.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual Status append(std::span<const std::byte> bytes) = 0;  // all or an error
  virtual Status sync() = 0;                                    // fdatasync
};

// A read-only mapping of a whole file, starting at a multiple of 64; bytes stay valid as long as it
// lives. The file must not be shortened meanwhile: files that are mapped are replaced by rename,
// never rewritten.
class MappedFile {
 public:
  virtual ~MappedFile() = default;
  virtual std::span<const std::byte> bytes() const = 0;
};

// A file read from front to back.
class SequentialFile {
 public:
  virtual ~SequentialFile() = default;
  virtual Result<std::size_t> read(std::span<std::byte> into) = 0;  // 0 = end
};

// Thread-safe. Every error names the path and the operating system's reason.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<WritableFile>> create(const std::string& path) = 0;  // truncates
  virtual Result<std::unique_ptr<WritableFile>> append_to(const std::string& path) = 0;
  virtual Result<std::unique_ptr<SequentialFile>> read(const std::string& path) = 0;
  virtual Result<std::shared_ptr<const MappedFile>> map(const std::string& path) = 0;
  virtual Status truncate(const std::string& path, std::uint64_t size) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;  // atomic, replaces
  virtual Status remove(const std::string& path) = 0;  // a file or an empty folder; absent is fine
  virtual Status make_folder(const std::string& path) = 0;                       // with parents
  virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;  // names, sorted
  virtual Status sync_folder(const std::string& folder) = 0;
};

FileSystem& real_files();

// The folder that holds `path`: "a" of "a/b", "." of "b", "/" of "/b".
std::string folder_of(const std::string& path);
// Also true of a file that may not be read; false of a folder.
bool file_exists(FileSystem& files, const std::string& path);
Result<std::string> read_file(FileSystem& files, const std::string& path);
// Writes beside, syncs, renames over, syncs the folder: afterwards the file is the old one or the
// new one.
Status write_file_atomically(FileSystem& files, const std::string& path, std::string_view bytes);

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace vitrine

// A FileSystem in memory, for fuzzers and tests of all modules: no disk, no waiting. Folders come
// by themselves; errors have the codes of the real one; FaultFiles can stand on it. Handles,
// readers and maps stay valid whatever happens to the name. One thread at a time uses one file.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"

namespace vitrine {

class MemoryFiles final : public FileSystem {
 public:
  // Puts a file there, whatever its folder.
  void put(const std::string& path, std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    files_[path] = std::make_shared<std::string>(bytes);
  }

  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    return open(path, std::make_shared<std::string>());
  }
  Result<std::unique_ptr<WritableFile>> append_to(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(path);
    return open(path, found != files_.end() ? found->second : std::make_shared<std::string>());
  }

  Result<std::unique_ptr<SequentialFile>> read(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    VT_TRY(auto bytes, find(path));
    return std::unique_ptr<SequentialFile>(new Reader(*bytes));
  }
  Result<std::shared_ptr<const MappedFile>> map(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    VT_TRY(auto bytes, find(path));
    return std::shared_ptr<const MappedFile>(std::make_shared<Mapping>(*bytes));
  }

  Status truncate(const std::string& path, std::uint64_t size) override {
    const std::lock_guard lock(mutex_);
    VT_TRY(auto bytes, find(path));
    bytes->resize(size);
    return {};
  }
  Status rename(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    if (folders_.contains(from)) return rename_folder(from, to);
    VT_TRY(auto bytes, find(from));
    files_.erase(from);
    files_[to] = std::move(bytes);
    return {};
  }
  Status remove(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    files_.erase(path);
    folders_.erase(path);
    return {};
  }

  Status make_folder(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    add_folder(path);
    return {};
  }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    const std::lock_guard lock(mutex_);
    if (!folders_.contains(folder)) return absent(folder);
    std::set<std::string> names;
    const auto add = [&](const std::string& path) {
      if (path != folder && folder_of(path) == folder)
        names.insert(path.substr(path.rfind('/') + 1));
    };
    for (const auto& entry : files_) add(entry.first);
    for (const std::string& path : folders_) add(path);
    return std::vector<std::string>(names.begin(), names.end());
  }
  Status sync_folder(const std::string& folder) override {
    const std::lock_guard lock(mutex_);
    if (!folders_.contains(folder)) return absent(folder);
    return {};
  }

 private:
  class Writer final : public WritableFile {
   public:
    Writer(std::shared_ptr<std::string> bytes, std::mutex& mutex)
        : bytes_(std::move(bytes)), mutex_(mutex) {}
    Status append(std::span<const std::byte> more) override {
      const std::lock_guard lock(mutex_);
      bytes_->append(as_text(more));
      return {};
    }
    Status sync() override { return {}; }

   private:
    std::shared_ptr<std::string> bytes_;
    std::mutex& mutex_;
  };

  class Reader final : public SequentialFile {
   public:
    explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}
    Result<std::size_t> read(std::span<std::byte> into) override {
      const std::size_t n = std::min(into.size(), bytes_.size() - at_);
      if (n > 0) std::memcpy(into.data(), bytes_.data() + at_, n);
      at_ += n;
      return n;
    }

   private:
    std::string bytes_;
    std::size_t at_ = 0;
  };

  // A copy that ends where its memory ends, so that the address sanitizer sees every read behind
  // it.
  class Mapping final : public MappedFile {
   public:
    explicit Mapping(std::string_view bytes) : size_(bytes.size()) {
      if (size_ == 0) return;
      void* start = nullptr;
      VT_CHECK(::posix_memalign(&start, 64, size_) == 0);
      std::memcpy(start, bytes.data(), size_);
      start_.reset(static_cast<std::byte*>(start));
    }
    std::span<const std::byte> bytes() const override { return {start_.get(), size_}; }

   private:
    struct Free {
      void operator()(std::byte* p) const { std::free(p); }
    };
    std::unique_ptr<std::byte, Free> start_;
    std::size_t size_;
  };

  void add_folder(const std::string& path) {
    for (std::string part = path; folders_.insert(part).second;) part = folder_of(part);
  }

  Status rename_folder(const std::string& from, const std::string& to) {
    const auto moved = [&](const std::string& path) {
      return path == from || path.starts_with(from + "/") ? to + path.substr(from.size()) : path;
    };
    std::map<std::string, std::shared_ptr<std::string>> files;
    std::set<std::string> folders;
    for (auto& entry : files_) files[moved(entry.first)] = entry.second;
    for (const std::string& path : folders_) folders.insert(moved(path));
    files_ = std::move(files);
    folders_ = std::move(folders);
    return {};
  }

  static Error absent(const std::string& path) {
    return Error{Code::kNotFound, path + ": cannot open: No such file or directory"};
  }
  Result<std::shared_ptr<std::string>> find(const std::string& path) const {
    const auto found = files_.find(path);
    if (found == files_.end()) return absent(path);
    return found->second;
  }
  Result<std::unique_ptr<WritableFile>> open(const std::string& path,
                                             std::shared_ptr<std::string> bytes) {
    add_folder(folder_of(path));
    files_[path] = bytes;
    return std::unique_ptr<WritableFile>(new Writer(std::move(bytes), mutex_));
  }

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<std::string>> files_;
  std::set<std::string> folders_ = {".", "/"};
};

}  // namespace vitrine

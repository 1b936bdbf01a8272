// A FileSystem in memory, for fuzzers and for tests that open thousands of files. Folders need not
// be made. Handles, readers and maps stay valid whatever happens to the name; the latter two hold
// copies. One thread at a time uses one file.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/file.h"

namespace vitrine {

class MemoryFiles final : public FileSystem {
 public:
  // Puts a file there.
  void put(const std::string& path, std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    files_[path] = std::make_shared<std::string>(bytes);
  }

  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    auto& bytes = files_[path] = std::make_shared<std::string>();
    return std::unique_ptr<WritableFile>(new Writer(bytes, mutex_));
  }
  Result<std::unique_ptr<WritableFile>> append_to(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    auto& bytes = files_[path];
    if (!bytes) bytes = std::make_shared<std::string>();
    return std::unique_ptr<WritableFile>(new Writer(bytes, mutex_));
  }
  Result<std::unique_ptr<SequentialFile>> read(const std::string& path) override {
    VT_TRY(auto bytes, find(path));
    return std::unique_ptr<SequentialFile>(new Reader(*bytes));
  }
  Result<std::shared_ptr<const MappedFile>> map(const std::string& path) override {
    VT_TRY(auto bytes, find(path));
    return std::shared_ptr<const MappedFile>(std::make_shared<Map>(*bytes));
  }
  Status truncate(const std::string& path, std::uint64_t size) override {
    VT_TRY(auto bytes, find(path));
    const std::lock_guard lock(mutex_);
    bytes->resize(size);
    return {};
  }
  Status rename(const std::string& from, const std::string& to) override {
    VT_TRY(auto bytes, find(from));
    const std::lock_guard lock(mutex_);
    files_[to] = std::move(bytes);
    files_.erase(from);
    return {};
  }
  Status remove(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    files_.erase(path);
    return {};
  }
  Status make_folder(const std::string&) override { return {}; }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& file : files_)
      if (folder_of(file.first) == folder) names.push_back(file.first.substr(folder.size() + 1));
    return names;
  }
  Status sync_folder(const std::string&) override { return {}; }

 private:
  using Bytes = std::shared_ptr<std::string>;

  class Writer final : public WritableFile {
   public:
    Writer(Bytes bytes, std::mutex& mutex) : bytes_(std::move(bytes)), mutex_(mutex) {}
    Status append(std::span<const std::byte> more) override {
      const std::lock_guard lock(mutex_);
      bytes_->append(as_text(more));
      return {};
    }
    Status sync() override { return {}; }

   private:
    Bytes bytes_;
    std::mutex& mutex_;
  };

  // Both copy: what happens to the file later is not theirs.
  class Reader final : public SequentialFile {
   public:
    explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}
    Result<std::size_t> read(std::span<std::byte> into) override {
      const std::size_t size = std::min(into.size(), bytes_.size() - at_);
      if (size > 0) std::memcpy(into.data(), bytes_.data() + at_, size);
      at_ += size;
      return size;
    }

   private:
    std::string bytes_;
    std::size_t at_ = 0;
  };
  class Map final : public MappedFile {
   public:
    explicit Map(std::string bytes) : bytes_(std::move(bytes)) {}
    std::span<const std::byte> bytes() const override { return as_bytes(bytes_); }

   private:
    std::string bytes_;
  };

  Result<Bytes> find(const std::string& path) {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(path);
    if (found == files_.end()) return Error{Code::kNotFound, path + ": no such file"};
    return found->second;
  }

  std::mutex mutex_;
  std::map<std::string, Bytes> files_;
};

}  // namespace vitrine

// A FileSystem for tests: real files that can fail at any call, run out of space, write only half,
// and lose what was not synced. Thread-safe, except that crash() wants no call in progress.
//
//   FaultFiles files;
//   files.fail_call(3, Error{Code::kIo, "injected"});   // the third mutating call from now on
//   fails files.set_space(1000);                              // the disk is full after 1000 more
//   bytes files.crash();                                      // power cut: only what was synced
//   survives
//
// What survives a crash is the strict reading of POSIX: the bytes of a file up to its last sync(),
// and of a folder the names as of its last sync_folder(). Folders themselves survive. Handles
// opened before a crash fail ever after. Files that were there before the FaultFiles are taken as
// synced.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"

namespace vitrine {

class FaultFiles final : public FileSystem {
 public:
  static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

  explicit FaultFiles(FileSystem& under = real_files()) : under_(under) {}

  // The n-th mutating call from now on (1 = the next) fails with `error`, and `count` - 1 after it.
  // A failing append leaves the first `torn` of its bytes in the file, a failing call of another
  // kind does nothing. n = 0: no failure.
  void fail_call(std::uint64_t n, Error error, std::uint64_t count = 1, std::uint64_t torn = 0) {
    const std::lock_guard lock(mutex_);
    fail_from_ = n == 0 ? kUnlimited : calls_ + n;
    fail_count_ = count;
    failure_ = std::move(error);
    torn_ = torn;
  }

  // So many more bytes can be appended: then appends write what fits and fail with kExhausted.
  void set_space(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    space_ = bytes;
  }

  // Mutating calls so far: create, append_to, append, sync, truncate, rename, remove, make_folder,
  // sync_folder.
  std::uint64_t calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

  // Drops what was not synced. Of each file's appended but unsynced bytes the first `kept` survive,
  // as when the disk had begun to write them. Failures and the limit of space end.
  void crash(std::uint64_t kept = 0) {
    const std::lock_guard lock(mutex_);
    ++life_;
    for (const auto& entry : nodes_) restore(entry.first, *entry.second, kept);
    for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) undo(*change);
    for (auto folder = folder_renames_.rbegin(); folder != folder_renames_.rend(); ++folder) {
      (void)under_.rename(folder->second, folder->first);
    }
    nodes_.clear();
    changes_.clear();
    folder_renames_.clear();
    fail_from_ = space_ = kUnlimited;
  }

  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    VT_TRY(next_call(path));
    return open(path, true);
  }

  Result<std::unique_ptr<WritableFile>> append_to(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    VT_TRY(next_call(path));
    return open(path, false);
  }

  Result<std::unique_ptr<SequentialFile>> read(const std::string& path) override {
    return under_.read(path);
  }
  Result<std::shared_ptr<const MappedFile>> map(const std::string& path) override {
    return under_.map(path);
  }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    return under_.list(folder);
  }

  Status truncate(const std::string& path, std::uint64_t size) override {
    const std::lock_guard lock(mutex_);
    VT_TRY(next_call(path));
    const auto bytes = content(path);
    const std::shared_ptr<Node> node = node_of(path);
    VT_TRY(under_.truncate(path, size));
    node->shorten(*bytes, size);
    return {};
  }

  Status rename(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    VT_TRY(next_call(from));
    if (under_.list(from).ok()) return rename_folder(from, to);
    Change change{Change::kRenamed, from, to, durable(to)};
    std::shared_ptr<Node> node = node_of(from);
    VT_TRY(under_.rename(from, to));
    nodes_.erase(from);
    nodes_[to] = std::move(node);
    changes_.push_back(std::move(change));
    return {};
  }

  Status remove(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    VT_TRY(next_call(path));
    Change change{Change::kRemoved, path, path, durable(path)};
    VT_TRY(under_.remove(path));
    nodes_.erase(path);
    if (change.lost) changes_.push_back(std::move(change));
    return {};
  }

  Status make_folder(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    VT_TRY(next_call(path));
    return under_.make_folder(path);
  }

  Status sync_folder(const std::string& folder) override {  // noted alone, as sync() is
    const std::lock_guard lock(mutex_);
    VT_TRY(next_call(folder));
    VT_TRY(under_.list(folder));
    std::erase_if(changes_, [&](const Change& c) { return folder_of(c.to) == folder; });
    std::erase_if(folder_renames_, [&](const auto& r) { return folder_of(r.second) == folder; });
    return {};
  }

 private:
  // What a file holds on the disk: its first `intact` bytes are there as they are in the file,
  // followed by `tail`, which was synced once and cut off since.
  struct Node {
    std::uint64_t size = 0, intact = 0;
    std::string tail;

    void shorten(std::string_view bytes, std::uint64_t to) {
      size = to;
      if (to >= intact) return;
      tail.insert(0, bytes.substr(to, intact - to));
      intact = to;
    }
  };

  // A change of a folder that is not synced.
  struct Change {
    enum Kind { kCreated, kRenamed, kRemoved } kind;
    std::string from, to;
    std::optional<std::string> lost;  // what the disk holds of the file that `to` named before
  };

  class Handle final : public WritableFile {
   public:
    Handle(FaultFiles& files, std::string path, std::shared_ptr<Node> node,
           std::unique_ptr<WritableFile> under)
        : files_(files),
          path_(std::move(path)),
          node_(std::move(node)),
          under_(std::move(under)),
          life_(files.life_) {}

    Status append(std::span<const std::byte> bytes) override {
      const std::lock_guard lock(files_.mutex_);
      VT_TRY(alive());
      Status failed = files_.next_call(path_);
      const auto most = failed.ok() ? files_.space_ : std::min(files_.torn_, files_.space_);
      const auto written = bytes.first(std::min<std::uint64_t>(bytes.size(), most));
      VT_TRY(under_->append(written));
      node_->size += written.size();
      if (files_.space_ != kUnlimited) files_.space_ -= written.size();
      if (failed.ok() && written.size() < bytes.size()) {
        return Error{Code::kExhausted, path_ + ": cannot write: No space left on device"};
      }
      return failed;
    }

    Status sync() override {  // of our own record alone: no test needs the disk to have it
      const std::lock_guard lock(files_.mutex_);
      VT_TRY(alive());
      VT_TRY(files_.next_call(path_));
      node_->intact = node_->size;
      node_->tail.clear();
      return {};
    }

   private:
    Status alive() const {
      if (life_ == files_.life_) return {};
      return Error{Code::kIo, path_ + ": opened before the crash"};
    }

    FaultFiles& files_;
    std::string path_;
    std::shared_ptr<Node> node_;
    std::unique_ptr<WritableFile> under_;
    std::uint64_t life_;
  };

  Status next_call(const std::string& path) {
    ++calls_;
    if (calls_ < fail_from_ || calls_ - fail_from_ >= fail_count_) return {};
    return failure_.prefixed(path);
  }

  Result<std::unique_ptr<WritableFile>> open(const std::string& path, bool empty_it) {
    const auto before = content(path);
    std::shared_ptr<Node> node = before ? node_of(path) : std::make_shared<Node>();
    VT_TRY(auto under, empty_it ? under_.create(path) : under_.append_to(path));
    if (!before)
      changes_.push_back({Change::kCreated, path, path, std::nullopt});
    else if (empty_it)
      node->shorten(*before, 0);
    nodes_[path] = node;
    return std::unique_ptr<WritableFile>(new Handle(*this, path, node, std::move(under)));
  }

  // What is noted of the files inside follows the new name.
  Status rename_folder(const std::string& from, const std::string& to) {
    VT_TRY(under_.rename(from, to));
    const auto moved = [&](const std::string& path) {
      return path.starts_with(from + "/") ? to + path.substr(from.size()) : path;
    };
    std::map<std::string, std::shared_ptr<Node>> nodes;
    for (auto& entry : nodes_) nodes[moved(entry.first)] = entry.second;
    nodes_ = std::move(nodes);
    for (Change& change : changes_) {
      change.from = moved(change.from);
      change.to = moved(change.to);
    }
    folder_renames_.emplace_back(from, to);
    return {};
  }

  std::optional<std::string> content(const std::string& path) {
    auto bytes = read_file(under_, path);
    if (!bytes.ok()) return std::nullopt;
    return std::move(bytes).value();
  }

  // A file seen for the first time is taken as synced.
  std::shared_ptr<Node> node_of(const std::string& path) {
    std::shared_ptr<Node>& node = nodes_[path];
    if (node == nullptr) {
      node = std::make_shared<Node>();
      if (const auto bytes = content(path)) node->size = node->intact = bytes->size();
    }
    return node;
  }

  std::optional<std::string> durable(const std::string& path) {
    auto bytes = content(path);
    if (!bytes) return std::nullopt;
    const std::shared_ptr<Node> node = node_of(path);
    return bytes->substr(0, node->intact) + node->tail;
  }

  void restore(const std::string& path, const Node& node, std::uint64_t kept) {
    const auto bytes = content(path);
    if (!bytes) return;
    std::string survives = bytes->substr(0, node.intact) + node.tail;
    if (node.tail.empty()) survives = bytes->substr(0, node.intact + std::min(kept, bytes->size()));
    if (survives != *bytes) put(path, survives);
  }

  void undo(const Change& change) {
    if (change.kind == Change::kCreated) (void)under_.remove(change.to);
    if (change.kind == Change::kRenamed) (void)under_.rename(change.to, change.from);
    if (change.lost) put(change.to, *change.lost);
  }

  void put(const std::string& path, std::string_view bytes) {
    auto file = under_.create(path);
    VT_CHECK(file.ok() && file.value()->append(as_bytes(bytes)).ok());
  }

  FileSystem& under_;
  mutable std::mutex mutex_;
  std::uint64_t calls_ = 0, life_ = 0;
  std::uint64_t fail_from_ = kUnlimited, fail_count_ = 1, torn_ = 0;
  std::uint64_t space_ = kUnlimited;
  Error failure_;
  std::map<std::string, std::shared_ptr<Node>> nodes_;
  std::vector<Change> changes_;
  std::vector<std::pair<std::string, std::string>> folder_renames_;
};

}  // namespace vitrine

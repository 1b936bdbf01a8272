#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace vitrine {
namespace {

Error os_error(std::string_view action, const std::string& path, int reason) {
  Code code = Code::kIo;
  if (reason == ENOSPC || reason == EDQUOT || reason == ENOMEM) code = Code::kExhausted;
  if (reason == ENOENT || reason == ENOTDIR) code = Code::kNotFound;
  return Error{code, path + ": cannot " + std::string(action) + ": " + std::strerror(reason)};
}

// An open descriptor, closed at the end of its life.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<Descriptor> open_path(std::string_view action, const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return os_error(action, path, errno);
  return Descriptor(fd);
}

class PosixWritable final : public WritableFile {
 public:
  PosixWritable(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Status append(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return os_error("write", path_, errno);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return {};
  }

  Status sync() override {
    if (::fdatasync(fd_.get()) != 0) return os_error("sync", path_, errno);
    return {};
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class PosixSequential final : public SequentialFile {
 public:
  PosixSequential(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::size_t> read(std::span<std::byte> into) override {
    ssize_t n = -1;
    do {
      n = ::read(fd_.get(), into.data(), into.size());
    } while (n < 0 && errno == EINTR);
    if (n < 0) return os_error("read", path_, errno);
    return static_cast<std::size_t>(n);
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class PosixMapped final : public MappedFile {
 public:
  explicit PosixMapped(std::span<const std::byte> bytes) : bytes_(bytes) {}
  ~PosixMapped() override {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
  std::span<const std::byte> bytes() const override { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

class PosixFiles final : public FileSystem {
 public:
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    VT_TRY(Descriptor fd, open_path("create", path, O_WRONLY | O_CREAT | O_TRUNC));
    return std::unique_ptr<WritableFile>(new PosixWritable(std::move(fd), path));
  }

  Result<std::unique_ptr<WritableFile>> append_to(const std::string& path) override {
    VT_TRY(Descriptor fd, open_path("open for writing", path, O_WRONLY | O_CREAT | O_APPEND));
    return std::unique_ptr<WritableFile>(new PosixWritable(std::move(fd), path));
  }

  Result<std::unique_ptr<SequentialFile>> read(const std::string& path) override {
    VT_TRY(Descriptor fd, open_path("open", path, O_RDONLY));
    return std::unique_ptr<SequentialFile>(new PosixSequential(std::move(fd), path));
  }

  Result<std::shared_ptr<const MappedFile>> map(const std::string& path) override {
    // O_NONBLOCK: opening a pipe by mistake must not wait for a writer.
    VT_TRY(const Descriptor fd, open_path("open", path, O_RDONLY | O_NONBLOCK));
    struct stat info = {};
    if (::fstat(fd.get(), &info) != 0) return os_error("examine", path, errno);
    if (!S_ISREG(info.st_mode)) return Error{Code::kIo, path + ": is not a regular file"};
    const auto size = static_cast<std::size_t>(info.st_size);
    std::span<const std::byte> bytes;
    if (size > 0) {
      const void* start = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
      if (start == MAP_FAILED) return os_error("map", path, errno);
      bytes = {static_cast<const std::byte*>(start), size};
    }
    return std::shared_ptr<const MappedFile>(std::make_shared<PosixMapped>(bytes));
  }

  Status truncate(const std::string& path, std::uint64_t size) override {
    if (::truncate(path.c_str(), static_cast<off_t>(size)) != 0) {
      return os_error("truncate", path, errno);
    }
    return {};
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return os_error("rename to " + to, from, errno);
  }

  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    if (errno == EISDIR && ::rmdir(path.c_str()) == 0) return {};
    return os_error("remove", path, errno);
  }

  Status make_folder(const std::string& path) override {
    // Each prefix in turn; what is there already is fine as long as the whole is a folder.
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
      const std::string part = path.substr(0, end);
      if (::mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) {
        return os_error("make this folder", part, errno);
      }
      if (end == std::string::npos) break;
    }
    struct stat info = {};
    if (::stat(path.c_str(), &info) != 0) return os_error("examine", path, errno);
    if (S_ISDIR(info.st_mode)) return {};
    return Error{Code::kExists, path + ": cannot make this folder: a file of that name is there"};
  }

  Result<std::vector<std::string>> list(const std::string& folder) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
    if (open == nullptr) return os_error("list", folder, errno);
    std::vector<std::string> names;
    for (errno = 0; const dirent* entry = ::readdir(open.get()); errno = 0) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return os_error("list", folder, errno);
    std::sort(names.begin(), names.end());
    return names;
  }

  Status sync_folder(const std::string& folder) override {
    VT_TRY(const Descriptor fd, open_path("open", folder, O_RDONLY | O_DIRECTORY));
    if (::fsync(fd.get()) != 0) return os_error("sync", folder, errno);
    return {};
  }
};

Status write_beside(FileSystem& files, const std::string& path, std::string_view bytes) {
  VT_TRY(const auto file, files.create(path));
  VT_TRY(file->append(as_bytes(bytes)));
  return file->sync();
}

}  // namespace

FileSystem& real_files() {
  static PosixFiles files;  // without state
  return files;
}

bool file_exists(FileSystem& files, const std::string& path) {
  auto file = files.read(path);
  if (!file.ok()) return file.error().code != Code::kNotFound;
  std::byte first[1];
  return file.value()->read(first).ok();  // a folder opens, and cannot be read
}

Result<std::string> read_file(FileSystem& files, const std::string& path) {
  VT_TRY(const auto file, files.read(path));
  std::string text;
  std::vector<std::byte> block(std::size_t{1} << 16);
  for (;;) {
    VT_TRY(const std::size_t n, file->read(block));
    if (n == 0) return text;
    text.append(as_text(std::span(block).first(n)));
  }
}

Status write_file_atomically(FileSystem& files, const std::string& path, std::string_view bytes) {
  const std::string beside = path + ".partial";
  Status done = write_beside(files, beside, bytes);
  if (done.ok()) done = files.rename(beside, path);
  if (!done.ok()) {
    (void)files.remove(beside);  // the first failure is the one to report
    return done;
  }
  return files.sync_folder(folder_of(path));
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace vitrine

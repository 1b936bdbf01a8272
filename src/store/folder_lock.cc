#include "store/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace vitrine {
namespace {

std::string reason() { return std::generic_category().message(errno); }

// The process that wrote its number into the file, 0 when none can be read.
long long writer(int descriptor) {
  char text[20];
  const ssize_t size = ::pread(descriptor, text, sizeof text - 1, 0);
  text[std::max<ssize_t>(size, 0)] = '\0';
  return std::atoll(text);
}

}  // namespace

Result<std::unique_ptr<FolderLock>> FolderLock::take(const std::string& folder,
                                                     std::string_view does) {
  const std::string path = folder + "/lock";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return Error{Code::kIo, path + ": " + reason()};
  std::unique_ptr<FolderLock> lock(new FolderLock(descriptor));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Error{Code::kIo, path + ": " + reason()};
    const long long other = writer(descriptor);
    return Error{
        Code::kUnavailable,
        fmt::format("{}: {} {}; stop it first", path,
                    other > 0 ? fmt::format("process {}", other) : "another process", does)};
  }
  // What is written here only serves the message above: failing to write it is no error.
  if (const pid_t self = ::getpid(); writer(descriptor) != self) {
    const std::string text = fmt::format("{}\n", self);
    if (::ftruncate(descriptor, 0) == 0) (void)!::pwrite(descriptor, text.data(), text.size(), 0);
  }
  return lock;
}

FolderLock::~FolderLock() { ::close(descriptor_); }

}  // namespace vitrine

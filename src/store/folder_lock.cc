#include "store/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace vitrine {
namespace {

std::string reason() { return std::generic_category().message(errno); }

// The process id that the holder wrote, for people only.
std::string holder(int descriptor) {
  char text[32];
  const ssize_t size = ::pread(descriptor, text, sizeof text, 0);
  std::string digits;
  for (ssize_t i = 0; i < size && text[i] >= '0' && text[i] <= '9'; ++i) digits += text[i];
  return digits.empty() ? "another process" : "process " + digits;
}

}  // namespace

Result<std::unique_ptr<FolderLock>> FolderLock::take(const std::string& folder) {
  const std::string path = folder + "/lock";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return Error{Code::kIo, path + ": " + reason()};
  std::unique_ptr<FolderLock> lock(new FolderLock(descriptor));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Error{Code::kIo, path + ": " + reason()};
    return Error{Code::kUnavailable,
                 fmt::format("{}: {} has this event log open for writing; stop it first", path,
                             holder(descriptor))};
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  // What is written here only serves the message above: failing to write it is no error.
  if (::ftruncate(descriptor, 0) == 0) (void)!::pwrite(descriptor, pid.data(), pid.size(), 0);
  return lock;
}

FolderLock::~FolderLock() { ::close(descriptor_); }

}  // namespace vitrine

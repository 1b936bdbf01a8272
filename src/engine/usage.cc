#include "engine/usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

namespace vitrine {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

// Resident pages now, from /proc/self/statm; 0 where there is no such file.
std::uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long total = 0, resident = 0;
  const int read = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

SystemUsage::SystemUsage() : start_(std::chrono::steady_clock::now()) {}

Usage SystemUsage::now() const {
  Usage usage;
  usage.elapsed_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  rusage self = {};
  if (::getrusage(RUSAGE_SELF, &self) == 0) {
    usage.cpu_s = seconds(self.ru_utime) + seconds(self.ru_stime);
    usage.memory_peak_bytes = static_cast<std::uint64_t>(self.ru_maxrss) * 1024;
  }
  usage.memory_bytes = resident_bytes();
  return usage;
}

void reset_memory_peak() {
  std::FILE* file = std::fopen("/proc/self/clear_refs", "we");
  if (file == nullptr) return;
  std::fputc('5', file);
  std::fclose(file);
}

Usage between(const Usage& before, const Usage& after) {
  return {after.elapsed_s - before.elapsed_s, after.cpu_s - before.cpu_s, after.memory_bytes,
          after.memory_peak_bytes};
}

}  // namespace vitrine

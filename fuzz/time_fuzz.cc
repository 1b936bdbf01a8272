// Any text as a time, and any time as text: what is read comes back the same.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "data/item.h"

using namespace vitrine;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto time = parse_time({reinterpret_cast<const char*>(data), size});
  if (time.ok()) VT_CHECK(*parse_time(format_time(*time)) == *time);
  Timestamp any = 0;
  if (size >= sizeof any) {
    std::memcpy(&any, data, sizeof any);
    VT_CHECK(!format_time(any).empty() || any == kNoTime);
  }
  return 0;
}

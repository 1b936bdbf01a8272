// Any bytes as a compressed file: they end, or they are an error.
#include "data/decompress.h"

#include "tests/memory_files.h"

using namespace vitrine;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kBytesMax = 16 << 20;  // a small input may hold a large file
  MemoryFiles files;
  files.put("f", {reinterpret_cast<const char*>(data), size});
  auto file = decompress(*files.read("f"));
  if (!file.ok()) return 0;
  std::vector<std::byte> buffer(64 * 1024);
  for (std::size_t total = 0; total < kBytesMax;) {
    const auto got = (*file)->read(buffer);
    if (!got.ok()) {
      VT_CHECK(!got.error().message.empty());
      return 0;
    }
    if (*got == 0) {
      VT_CHECK((*file)->consumed() == size);
      return 0;
    }
    total += *got;
  }
  return 0;
}

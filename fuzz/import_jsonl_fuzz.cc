// The first byte chooses kind and mapping; the rest is the file.
#include "fuzz/import_checks.h"

using namespace vitrine;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  SourceOptions source;
  source.path = "fuzz.jsonl";
  source.kind = (choice & 3) == 0 ? "items" : (choice & 3) == 1 ? "users" : "events";
  const bool mapped = (choice & 4) != 0;
  if (mapped && source.kind == "events") {
    source.user = "u";
    source.item = "i";
    source.time = "t";
    source.value = "v";
    source.default_type = "view";
    source.context = {"c", "c.d"};
  } else if (mapped) {
    source.id = "u";
    source.attributes = {"a", "a.b"};
    if (source.kind == "items") source.tags = "t";
  }
  import_and_check(source, {reinterpret_cast<const char*>(data) + 1, size - 1}, (choice & 8) != 0);
  return 0;
}

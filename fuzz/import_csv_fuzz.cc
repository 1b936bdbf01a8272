// The first byte chooses kind, dialect and mapping; the rest is the file.
#include "fuzz/import_checks.h"

using namespace vitrine;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  SourceOptions source;
  source.path = "fuzz.csv";
  source.kind = (choice & 3) == 0 ? "items" : (choice & 3) == 1 ? "users" : "events";
  if ((choice & 4) != 0) source.quote = "'";
  if ((choice & 8) != 0) source.delimiter = "tab";
  source.header = (choice & 16) == 0;
  const bool guess = (choice & 32) != 0 && source.header;
  if (!guess && source.kind == "events") {
    source.user = "#1";
    source.item = "#2";
    source.price = "#3";
    source.time = "#4";
    source.type = "#5";
    source.default_type = "view";
    source.context = {"#6"};
  } else if (!guess) {
    source.id = "#1";
    source.created = "#2";
    source.attributes = {"#3"};
    if (source.kind == "items") {
      source.category = "#4";
      source.available = "#5";
      source.price = "#6";
    }
  }
  import_and_check(source, {reinterpret_cast<const char*>(data) + 1, size - 1}, (choice & 64) != 0);
  return 0;
}

// Any bytes: an error or a table, and what was read is written and read again with the same text.
#include "base/options.h"
#include "base/toml.h"

using namespace vitrine;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto table = parse_toml(text, "fuzz");
  if (table.ok()) {
    const std::string written = to_toml(table.value());
    const auto again = parse_toml(written, "written");
    VT_CHECK(again.ok());
    VT_CHECK(to_toml(again.value()) == written);
  } else {
    VT_CHECK(table.error().message.rfind("fuzz:", 0) == 0);
  }
  Table settings;
  (void)set_path(settings, text.substr(0, size / 2), text.substr(size / 2));
  return 0;
}

// Any bytes: an error or a value, and what was read is written and read again unchanged.
#include "base/json.h"

using namespace vitrine;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = parse_json(text);
  if (value.ok()) {
    const std::string written = to_json(value.value());
    const auto again = parse_json(written);
    VT_CHECK(again.ok() && again.value() == value.value());
    VT_CHECK(parse_json(to_json_pretty(value.value())).value() == value.value());
  } else {
    VT_CHECK(!value.error().message.empty());
  }
  const auto as_text = parse_json(to_json(text));  // any bytes can be written
  VT_CHECK(as_text.ok() && *as_text.value().as_string() == valid_utf8(text));
  return 0;
}

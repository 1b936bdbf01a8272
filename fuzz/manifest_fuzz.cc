// Any bytes as a snapshot's manifest: an error, or a manifest that is written and read again as
// itself.
#include "base/json.h"
#include "engine/snapshot.h"

using namespace vitrine;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = parse_json({reinterpret_cast<const char*>(data), size});
  if (!json.ok()) return 0;
  const auto manifest = Manifest::from_json(*json);
  if (!manifest.ok()) return 0;
  const auto again = Manifest::from_json(manifest->to_json());
  VT_CHECK(again.ok());
  VT_CHECK(to_json(again->to_json()) == to_json(manifest->to_json()));
  return 0;
}

// Any bytes as a configuration: an error that names the file, or a configuration that is written
// out whole and read again as itself. And as a recipe: the same, but for the writing.
#include "base/toml.h"
#include "engine/config.h"
#include "engine/recipe.h"

using namespace vitrine;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto table = parse_toml(text, "fuzz.toml");
  if (!table.ok()) return 0;
  const auto recipe = recipe_from_table(*table, "fuzz.toml");
  VT_CHECK(recipe.ok() || recipe.error().message.rfind("fuzz.toml: ", 0) == 0);
  const auto config = config_from_table(*table, "fuzz.toml");
  if (!config.ok()) {
    VT_CHECK(config.error().message.rfind("fuzz.toml: ", 0) == 0);
    return 0;
  }
  const Table whole = config_to_table(*config);
  const auto again = config_from_table(whole, "fuzz.toml");
  VT_CHECK(again.ok());
  VT_CHECK(config_to_table(*again) == whole);
  return 0;
}

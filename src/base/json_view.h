// Elements of a parsed JSON document, for paths that read thousands of documents a second: nothing
// is copied, no tree is made. What is wrong with a document is not said here: whoever finds a view
// absent, or not as expected, asks parse_json() or value() and reports what they say.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include "base/json.h"

namespace vitrine {

class JsonView {
 public:
  enum class Kind : std::uint8_t { kNull, kBool, kInteger, kDouble, kText, kList, kObject };
  Kind kind() const;
  // Of that kind only.
  bool flag() const;
  std::int64_t integer() const;
  double number() const;  // kDouble
  std::string_view text() const;
  // The tree below, with the errors of parse_json().
  Result<Value> value() const;

  // Calls visit(key, view) for each field of an object, visit(view) for each element of a list,
  // until one returns false; then false. Repeated keys are not looked for.
  template <class Visit>
  bool each_field(Visit&& visit) const {
    return fields(&visit, [](void* v, std::string_view key, JsonView view) {
      return (*static_cast<std::remove_reference_t<Visit>*>(v))(key, view);
    });
  }
  template <class Visit>
  bool each_element(Visit&& visit) const {
    return elements(&visit, [](void* v, JsonView view) {
      return (*static_cast<std::remove_reference_t<Visit>*>(v))(view);
    });
  }

 private:
  friend std::optional<JsonView> parse_json_view(std::string_view text, int depth_max);
  struct Parsed;  // the library's element, known to json.cc
  bool fields(void* visit, bool (*call)(void*, std::string_view, JsonView)) const;
  bool elements(void* visit, bool (*call)(void*, JsonView)) const;
  alignas(void*) std::array<std::byte, 2 * sizeof(void*)> element_;
};

// One document, nothing behind it; nothing when it is not JSON. Views and their texts are good
// until the thread asks for its next document.
std::optional<JsonView> parse_json_view(std::string_view text, int depth_max = kJsonDepthMax);

}  // namespace vitrine

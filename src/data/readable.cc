#include "data/readable.h"

#include <fmt/format.h>

namespace vitrine {

std::string readable_count(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t left = digits.size(); left > 3;) digits.insert(left -= 3, ",");
  return digits;
}

std::string readable_count(std::uint64_t count, std::string_view noun) {
  std::string text = readable_count(count);
  text.append(" ").append(noun);
  if (count != 1) text += 's';
  return text;
}

std::string readable_memory(double mb) {
  return mb < 1024 ? fmt::format("{:.3g} MB", mb) : fmt::format("{:.3g} GB", mb / 1024);
}

}  // namespace vitrine

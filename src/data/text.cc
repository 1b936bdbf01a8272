#include "data/text.h"

#include <simdjson.h>

#include <cstdint>
#include <cstring>

namespace vitrine {

bool is_printable_ascii(std::string_view text) {
  constexpr std::uint64_t kHigh = 0x8080808080808080u, kOnes = 0x0101010101010101u;
  std::uint64_t bad = 0;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    // High bit set, below 0x20, or equal to 0x7f (whose successor has the high bit set).
    bad |= word | (word - 0x20 * kOnes) | (word + kOnes);
  }
  bool ok = (bad & kHigh) == 0;
  for (; i < text.size(); ++i) ok = ok && text[i] >= 0x20 && text[i] < 0x7f;
  return ok;
}

bool is_valid_utf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

bool has_control_characters(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return true;
    if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0)
      return true;
  }
  return false;
}

Status check_text(std::string_view text, std::string_view what, std::size_t bytes_max) {
  const auto wrong = [&](std::string_view why) {
    return Error{Code::kInvalid, std::string(what) + ": " + std::string(why)};
  };
  if (text.size() > bytes_max) {
    return wrong("has " + std::to_string(text.size()) + " bytes, the limit is " +
                 std::to_string(bytes_max));
  }
  if (is_printable_ascii(text)) return {};
  if (!is_valid_utf8(text)) return wrong("is not valid UTF-8");
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f) {
      return wrong("contains a control character");
    }
  }
  return {};
}

std::string shown(std::string_view text, std::size_t bytes_max) {
  const bool cut = text.size() > bytes_max;
  if (cut) {
    text = text.substr(0, bytes_max);
    // Not inside a character.
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80)
      text.remove_suffix(1);
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xc0) text.remove_suffix(1);
  }
  const bool valid = is_valid_utf8(text);
  std::string out = "'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool odd = byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !valid);
    out += odd ? '?' : c;
  }
  out += cut ? "...'" : "'";
  return out;
}

}  // namespace vitrine

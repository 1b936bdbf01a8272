#include "data/glob.h"

#include <cstddef>

namespace vitrine {
namespace {

// Where the character at `at` ends: behind its continuation bytes.
std::size_t character_end(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  return at;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  constexpr std::size_t kNever = std::string_view::npos;
  std::size_t p = 0, t = 0;
  std::size_t star = kNever, star_text = 0;  // the last * and the text that it leaves to the rest
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      t = character_end(text, t);
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != kNever) {
      p = star + 1;
      t = star_text = character_end(text, star_text);
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace vitrine

#include "data/words.h"

#include <cstdint>

namespace vitrine {
namespace {

constexpr char32_t kNoCharacter = 0xFFFFFFFF;

// The character at `at`, which moves behind it; kNoCharacter, one byte on, for a bad sequence.
char32_t next_character(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at++);
  if (first < 0x80) return first;
  const std::size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC2 || first > 0xF4 || at + more > text.size()) return kNoCharacter;
  char32_t character = first & (0x3Fu >> more);
  for (std::size_t i = 0; i < more; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return kNoCharacter;
    character = character << 6 | (byte(at + i) & 0x3Fu);
  }
  at += more;
  return character;
}

void append(std::string& out, char32_t c) {
  const auto put = [&](char32_t bits) { out += static_cast<char>(bits); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

bool in(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

char32_t lower(char32_t c) {
  if (in(c, 'A', 'Z')) return c + 0x20;
  if (c < 0x80) return c;
  if (in(c, 0xC0, 0xDE) && c != 0xD7) return c + 0x20;
  if (c == 0x130) return 'i';
  if (c == 0x178) return 0xFF;
  // Pairs of capital and small letter, the capital first on an even or on an odd number.
  if (in(c, 0x100, 0x137) || in(c, 0x14A, 0x177) || in(c, 0x460, 0x481) || in(c, 0x48A, 0x4BF) ||
      in(c, 0x1E00, 0x1EFF)) {
    return c | 1;
  }
  if ((in(c, 0x139, 0x148) || in(c, 0x179, 0x17E)) && c % 2 == 1) return c + 1;
  if (in(c, 0x391, 0x3A9)) return c + 0x20;
  if (in(c, 0x410, 0x42F)) return c + 0x20;
  if (in(c, 0x400, 0x40F)) return c + 0x50;
  return c;
}

bool in_word(char32_t c) {
  if (c < 0x80) return in(c, '0', '9') || in(c, 'a', 'z') || in(c, 'A', 'Z');
  if (c == kNoCharacter || c == 0xD7 || c == 0xF7) return false;
  if (in(c, 0x80, 0xBF)) return c == 0xAA || c == 0xB5 || c == 0xBA;
  // Punctuation, arrows, symbols and boxes; ideographic and full-width punctuation; emoji.
  return !(in(c, 0x2000, 0x206F) || in(c, 0x20A0, 0x20CF) || in(c, 0x2100, 0x2BFF) ||
           in(c, 0x3000, 0x303F) || in(c, 0xFE10, 0xFE6F) || in(c, 0xFF00, 0xFF0F) ||
           in(c, 0xFF1A, 0xFF20) || in(c, 0xFF3B, 0xFF40) || in(c, 0xFF5B, 0xFF65) ||
           in(c, 0xFFF0, 0xFFFF) || in(c, 0x1F000, 0x1FAFF));
}

bool without_spaces(char32_t c) {
  return in(c, 0x3040, 0x30FF) || in(c, 0x3400, 0x4DBF) || in(c, 0x4E00, 0x9FFF) ||
         in(c, 0xAC00, 0xD7A3) || in(c, 0xF900, 0xFAFF) || in(c, 0x20000, 0x2FA1F);
}

class Splitter {
 public:
  explicit Splitter(std::vector<std::string>& words) : words_(words) {}

  void add(char32_t c) {
    if (!in_word(c)) {
      end_word();
      end_run();
    } else if (without_spaces(c)) {
      end_word();
      std::string character;
      append(character, c);
      if (length_ > 0) words_.push_back(before_ + character);
      ++length_;
      before_ = std::move(character);
    } else {
      end_run();
      append(word_, lower(c));
    }
  }
  void end() {
    end_word();
    end_run();
  }

 private:
  void end_word() {
    if (!word_.empty()) words_.push_back(std::move(word_));
    word_.clear();
  }
  void end_run() {
    if (length_ == 1) words_.push_back(before_);
    length_ = 0;
  }
  std::vector<std::string>& words_;
  std::string word_;
  std::string before_;  // the last character of a run without spaces
  std::size_t length_ = 0;
};

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  Splitter splitter(words);
  for (std::size_t at = 0; at < text.size();) splitter.add(next_character(text, at));
  splitter.end();
  return words;
}

std::string lower_case(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_character(text, at);
    if (c == kNoCharacter)
      out += text.substr(begin, at - begin);
    else
      append(out, lower(c));
  }
  return out;
}

}  // namespace vitrine

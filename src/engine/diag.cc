#include "engine/diag.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "data/item.h"
#include "engine/clock.h"

namespace vitrine {

void diag(Level level, std::string_view line) {
  constexpr std::string_view kNames[] = {"info", "warning", "error"};
  std::string text = format_time(wall_clock() / kSecond * kSecond);
  text += ' ';
  text += kNames[static_cast<std::size_t>(level)];
  text += ": ";
  text += line;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  text += '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace vitrine

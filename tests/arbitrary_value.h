// Arbitrary Value trees for properties.
#pragma once

#include <rapidcheck.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/value.h"

namespace vitrine {

// A finite double of any size; its text needs a fraction or an exponent to be read back as a
// double.
inline double arbitrary_double() {
  const auto bits = *rc::gen::arbitrary<std::uint64_t>();
  double d = 0;
  std::memcpy(&d, &bits, sizeof d);
  return std::isfinite(d) ? d : static_cast<double>(bits % 1000);
}

// Text with all that needs escaping, and with characters of two, three and four bytes.
inline std::string arbitrary_text() {
  const auto pieces = *rc::gen::container<std::vector<std::string>>(
      rc::gen::elementOf(std::vector<std::string>{"a",      "Z",
                                                  "0",      "_",
                                                  "-",      ".",
                                                  " ",      "\"",
                                                  "\\",     "'",
                                                  "#",      "=",
                                                  "\n",     "\r",
                                                  "\t",     "\b",
                                                  "\f",     "\x01",
                                                  "\x1F",   "\x7F",
                                                  "[",      "é",
                                                  "中",     "\U0001F600",
                                                  "\u2028", std::string(1, '\0')}));
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

Table arbitrary_table(int depth, bool nulls);

inline Value arbitrary_value(int depth, bool nulls) {
  switch (*rc::gen::inRange(nulls ? 0 : 1, depth > 0 ? 7 : 5)) {
    case 0:
      return {};
    case 1:
      return *rc::gen::arbitrary<bool>();
    case 2:
      return *rc::gen::arbitrary<std::int64_t>();
    case 3:
      return arbitrary_double();
    case 4:
      return arbitrary_text();
    case 5:
      return arbitrary_table(depth - 1, nulls);
    default: {
      List list(static_cast<std::size_t>(*rc::gen::inRange(0, 4)));
      for (Value& value : list) value = arbitrary_value(depth - 1, nulls);
      return list;
    }
  }
}

inline Table arbitrary_table(int depth, bool nulls) {
  Table table;
  const int size = *rc::gen::inRange(0, 5);
  for (int i = 0; i < size; ++i) table.set(arbitrary_text(), arbitrary_value(depth, nulls));
  return table;
}

}  // namespace vitrine

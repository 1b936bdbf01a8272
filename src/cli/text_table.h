// Tables for people: columns as wide as their widest cell (in characters, not bytes), numbers to
// the right.
#pragma once

#include <string>
#include <vector>

namespace vitrine {

class TextTable {
 public:
  // A column whose header starts with '>' is aligned to the right.
  explicit TextTable(std::vector<std::string> headers);
  void row(std::vector<std::string> cells);
  void note(std::string line);  // a line of free text below the last row
  void rule();                  // a line between groups of rows
  std::string str() const;      // ends with a newline

 private:
  std::vector<std::string> headers_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule, a single cell a note
};

// Cuts to `width` characters, the last being an ellipsis when something was cut.
std::string shorten(const std::string& text, std::size_t width);
std::size_t text_width(const std::string& text);  // code points

}  // namespace vitrine

#include "cli/text_table.h"

#include <algorithm>

namespace vitrine {
namespace {

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

void pad(std::string& line, const std::string& cell, std::size_t width, bool right) {
  const std::size_t space = width - std::min(width, text_width(cell));
  if (right) line.append(space, ' ');
  line += cell;
  if (!right) line.append(space, ' ');
}

}  // namespace

std::size_t text_width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string shorten(const std::string& text, std::size_t width) {
  if (text_width(text) <= width) return text;
  std::size_t characters = 0, i = 0;
  for (; i < text.size(); ++i) {
    if (starts_character(text[i]) && ++characters == width) break;
  }
  return text.substr(0, i) + "…";
}

TextTable::TextTable(std::vector<std::string> headers) : headers_(std::move(headers)) {
  for (std::string& header : headers_) {
    right_.push_back(header.starts_with('>'));
    if (right_.back()) header.erase(0, 1);
  }
}

void TextTable::row(std::vector<std::string> cells) {
  cells.resize(headers_.size());
  rows_.push_back(std::move(cells));
}

void TextTable::rule() { rows_.emplace_back(); }
void TextTable::note(std::string line) { rows_.push_back({std::move(line)}); }

std::string TextTable::str() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < headers_.size(); ++c) {
    widths.push_back(text_width(headers_[c]));
    for (const auto& cells : rows_) {
      if (cells.size() > 1) widths[c] = std::max(widths[c], text_width(cells[c]));
    }
  }
  std::string out;
  auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      if (c > 0) text += "  ";
      pad(text, cells[c], widths[c], right_[c]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  std::string separator;
  for (std::size_t c = 0; c < widths.size(); ++c) {
    if (c > 0) separator += "  ";
    for (std::size_t i = 0; i < widths[c]; ++i) separator += "─";
  }
  line(headers_);
  out += separator + "\n";
  for (const auto& cells : rows_) {
    if (cells.empty())
      out += separator + "\n";
    else if (cells.size() == 1 && headers_.size() > 1)
      out += cells[0] + "\n";
    else
      line(cells);
  }
  return out;
}

}  // namespace vitrine

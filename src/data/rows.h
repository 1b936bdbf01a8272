// The rows of a source, whatever its format: fields of text, in bounded memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/lines.h"

namespace vitrine {

// Valid until the next row.
struct Row {
  std::uint64_t line = 0;                    // where it starts in the file, from 1
  std::string_view text;                     // as it stands there
  std::span<const std::string_view> fields;  // valid UTF-8
  std::string problem;                       // why it cannot be read; then it has no fields
};

class RowReader {
 public:
  virtual ~RowReader() = default;
  virtual Result<bool> next(Row& row) = 0;  // false at the end
};

// RFC 4180 with any delimiter and quote, empty lines skipped. A quote inside an unquoted field, or
// text behind a closing quote, makes the row a problem and reading goes on with the next line. So
// does a quoted field without a closing quote within kQuotedLinesMax lines or kQuotedBytesMax
// bytes; when the file ends first, that is an error. Spaces belong to their field. quote = 0: no
// quoting at all.
struct CsvDialect {
  char delimiter = ',';
  char quote = '"';
};
std::unique_ptr<RowReader> read_csv(LineReader& lines, CsvDialect dialect);

// One JSON object per line. Field i is the value of keys[i] ("a.b": of b inside a) as text: strings
// as they are, numbers and booleans as JSON writes them, null and absent keys as nothing, a list's
// scalars joined by kListSeparator. `keys` must outlive the reader.
inline constexpr char kListSeparator = '\x1f';
std::unique_ptr<RowReader> read_json_lines(LineReader& lines, const std::vector<std::string>& keys);

}  // namespace vitrine

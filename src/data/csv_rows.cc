#include <csv.h>

#include <algorithm>
#include <cstring>

#include "data/limits.h"
#include "data/rows.h"
#include "data/text.h"

namespace vitrine {
namespace {

constexpr std::size_t kFieldBlock = 4096;

// One row with quotes in it, unquoted by libcsv. Fed line by line, so that a broken quote is found
// on its own line and lines can be counted.
class QuotedRow {
 public:
  explicit QuotedRow(CsvDialect dialect) {
    ok_ = csv_init(&parser_, CSV_STRICT) == 0;
    csv_set_delim(&parser_, static_cast<unsigned char>(dialect.delimiter));
    csv_set_quote(&parser_, static_cast<unsigned char>(dialect.quote));
    csv_set_space_func(&parser_, [](unsigned char) { return 0; });
    csv_set_term_func(&parser_, [](unsigned char c) { return c == '\n' ? 1 : 0; });
    csv_set_blk_size(&parser_, kFieldBlock);
  }
  ~QuotedRow() { csv_free(&parser_); }
  QuotedRow(const QuotedRow&) = delete;
  QuotedRow& operator=(const QuotedRow&) = delete;

  void start() {
    csv_fini(&parser_, nullptr, nullptr, nullptr);
    text_.clear();
    ends_.clear();
  }

  // False: the quoting is broken.
  bool feed(std::string_view piece) {
    const auto field = [](void* bytes, std::size_t size, void* self) {
      auto& row = *static_cast<QuotedRow*>(self);
      row.text_.append(static_cast<const char*>(bytes), size);
      row.ends_.push_back(row.text_.size());
    };
    return ok_ &&
           csv_parse(&parser_, piece.data(), piece.size(), field, nullptr, this) == piece.size();
  }
  bool finish() { return feed("\n"); }

  void fields(std::vector<std::string_view>& out) const {
    std::size_t begin = 0;
    out.clear();
    for (const std::size_t end : ends_) {
      out.push_back(std::string_view(text_).substr(begin, end - begin));
      begin = end;
    }
  }

 private:
  csv_parser parser_;
  bool ok_;
  std::string text_;  // the fields, one after the other
  std::vector<std::size_t> ends_;
};

class CsvRows final : public RowReader {
 public:
  CsvRows(LineReader& lines, CsvDialect dialect)
      : lines_(lines), dialect_(dialect), quoted_(dialect) {}

  Result<bool> next(Row& row) override {
    do {
      VT_TRY(const bool more, lines_.next());
      if (!more) return false;
    } while (lines_.text().empty());
    row.line = lines_.number();
    row.problem.clear();
    fields_.clear();
    if (lines_.too_long()) {
      row.problem = "the line has more than " + std::to_string(kLineBytesMax) + " bytes";
    } else if (dialect_.quote == 0 ||
               lines_.text().find(dialect_.quote) == std::string_view::npos) {
      split(lines_.text());
    } else {
      VT_TRY(read_quoted(row));
    }
    row.text = lines_.text();
    if (row.problem.empty()) check(row);
    if (!row.problem.empty()) fields_.clear();
    row.fields = fields_;
    return true;
  }

 private:
  void split(std::string_view text) {
    const char* at = text.data();
    const char* const end = at + text.size();
    while (const void* found =
               std::memchr(at, dialect_.delimiter, static_cast<std::size_t>(end - at))) {
      const char* const delimiter = static_cast<const char*>(found);
      fields_.emplace_back(at, static_cast<std::size_t>(delimiter - at));
      at = delimiter + 1;
      if (at == end) break;
    }
    fields_.emplace_back(at, static_cast<std::size_t>(end - at));
  }

  // A row is whole when its quotes are even in number; until then the next line belongs to it.
  Status read_quoted(Row& row) {
    quoted_.start();
    std::size_t fed = 0;
    bool open = false;
    for (;;) {
      const std::string_view piece = lines_.text().substr(fed);
      if (!quoted_.feed(piece))
        return give_up(row,
                       "a quote stands where none may be; a field with quotes "
                       "in it is quoted itself, and its quotes are doubled");
      fed = lines_.text().size();
      if (std::count(piece.begin(), piece.end(), dialect_.quote) % 2 != 0) open = !open;
      if (!open) break;
      if (lines_.lines() >= kQuotedLinesMax || fed > kQuotedBytesMax) return unclosed(row);
      VT_TRY(const bool more, lines_.extend());
      if (!more) {
        return Error{Code::kInvalid, "the file ends inside the quoted field of the row at line " +
                                         std::to_string(row.line)};
      }
      if (lines_.too_long()) return unclosed(row);
    }
    if (!quoted_.finish()) return give_up(row, "the quoting is broken");
    quoted_.fields(fields_);
    return {};
  }

  Status unclosed(Row& row) {
    return give_up(row, "a quoted field begins here and is not closed within " +
                            std::to_string(kQuotedLinesMax) + " lines or " +
                            std::to_string(kQuotedBytesMax) + " bytes");
  }

  Status give_up(Row& row, std::string why) {
    lines_.back_to_first();
    row.problem = std::move(why);
    return {};
  }

  void check(Row& row) const {
    if (!is_valid_utf8(row.text))
      row.problem = "is not valid UTF-8";
    else if (fields_.size() > kColumnsMax)
      row.problem = "has more than " + std::to_string(kColumnsMax) + " columns";
  }

  LineReader& lines_;
  CsvDialect dialect_;
  QuotedRow quoted_;
  std::vector<std::string_view> fields_;
};

}  // namespace

std::unique_ptr<RowReader> read_csv(LineReader& lines, CsvDialect dialect) {
  return std::make_unique<CsvRows>(lines, dialect);
}

}  // namespace vitrine

#include "data/rows.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "data/limits.h"
#include "tests/memory_files.h"

namespace vitrine {
namespace {

using Fields = std::vector<std::string>;

struct Rows {
  std::vector<Fields> fields;
  std::vector<std::uint64_t> lines;
  std::vector<std::string> problems;  // "line: why"
  std::string error;
};

Rows drain(RowReader& reader) {
  Rows rows;
  Row row;
  for (;;) {
    const auto more = reader.next(row);
    if (!more.ok()) rows.error = more.error().message;
    if (!more.ok() || !*more) return rows;
    if (!row.problem.empty()) {
      rows.problems.push_back(std::to_string(row.line) + ": " + row.problem);
      continue;
    }
    rows.fields.emplace_back(row.fields.begin(), row.fields.end());
    rows.lines.push_back(row.line);
  }
}

// Hands a few bytes out at a time, so that every boundary falls everywhere.
class Trickle final : public SequentialFile {
 public:
  Trickle(std::string bytes, std::size_t step) : bytes_(std::move(bytes)), step_(step) {}
  Result<std::size_t> read(std::span<std::byte> into) override {
    const std::size_t count = std::min({step_, into.size(), bytes_.size() - at_});
    std::memcpy(into.data(), bytes_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  std::string bytes_;
  std::size_t step_, at_ = 0;
};

Rows csv(const std::string& text, CsvDialect dialect = {}, std::size_t step = 7) {
  Trickle file(text, step);
  LineReader lines(file);
  return drain(*read_csv(lines, dialect));
}

TEST(Csv, SplitsRows) {
  const Rows rows = csv("a,b,c\n1,,3\r\n\n\r\n,,\nlast,\"q\",x");
  EXPECT_EQ(rows.fields, (std::vector<Fields>{
                             {"a", "b", "c"}, {"1", "", "3"}, {"", "", ""}, {"last", "q", "x"}}));
  EXPECT_EQ(rows.lines, (std::vector<std::uint64_t>{1, 2, 5, 6}));
  EXPECT_TRUE(rows.problems.empty() && rows.error.empty());
}

TEST(Csv, EmptyFilesHaveNoRows) {
  for (const char* text : {"", "\n", "\r\n\n", "\xef\xbb\xbf", "\xef\xbb\xbf\n"}) {
    const Rows rows = csv(text);
    EXPECT_TRUE(rows.fields.empty() && rows.problems.empty() && rows.error.empty());
  }
}

TEST(Csv, SkipsAByteOrderMark) {
  EXPECT_EQ(csv("\xef\xbb\xbf"
                "a,b\n")
                .fields,
            (std::vector<Fields>{{"a", "b"}}));
  EXPECT_EQ(csv("\xef\xbb\xbf"
                "\"a\",b\n")
                .fields,
            (std::vector<Fields>{{"a", "b"}}));
}

TEST(Csv, Unquotes) {
  const Rows rows =
      csv("\"a,b\",\"c \"\"d\"\"\",\"\"\r\n\"two\r\nlines\",x,\" y \"\r\nz,\"1\n2\n3\",\"\"\"\"\n");
  EXPECT_EQ(rows.fields,
            (std::vector<Fields>{
                {"a,b", "c \"d\"", ""}, {"two\r\nlines", "x", " y "}, {"z", "1\n2\n3", "\""}}));
  EXPECT_EQ(rows.lines, (std::vector<std::uint64_t>{1, 2, 4}));
}

TEST(Csv, KeepsSpaces) {
  EXPECT_EQ(csv(" a , b\t\n").fields, (std::vector<Fields>{{" a ", " b\t"}}));
}

TEST(Csv, GoesOnAfterABrokenQuote) {
  const Rows rows = csv("1,5\" pipe,x\n2,ok,y\n3,\"a\"b,z\n4,\"open,z\n5,\"fine\",z\n6,ok,y\n");
  EXPECT_EQ(rows.fields,
            (std::vector<Fields>{{"2", "ok", "y"}, {"5", "fine", "z"}, {"6", "ok", "y"}}));
  ASSERT_EQ(rows.problems.size(), 3u);
  EXPECT_TRUE(rows.problems[0].starts_with("1: a quote stands where none may be"));
  EXPECT_TRUE(rows.problems[1].starts_with("3: a quote"));
  EXPECT_TRUE(rows.problems[2].starts_with("4: a quote"));
}

TEST(Csv, GivesUpOnAQuotedFieldThatRunsOn) {
  std::string text = "0,\"never closed\n";
  for (int i = 1; i <= 300; ++i) text += std::to_string(i) + ",b\n";
  const Rows by_lines = csv(text, {}, 1000);
  EXPECT_EQ(by_lines.problems,
            std::vector<std::string>{"1: a quoted field begins here and is not closed within "
                                     "100 lines or 65536 bytes"});
  EXPECT_EQ(by_lines.fields.size(), 300u);
  EXPECT_EQ(by_lines.lines.front(), 2u);
  std::string wide = "0,\"never closed\n";
  for (int i = 1; i <= 90; ++i) wide += std::to_string(i) + "," + std::string(1000, 'x') + "\n";
  const Rows by_bytes = csv(wide, {}, 1000);
  EXPECT_EQ(by_bytes.problems.size(), 1u);
  EXPECT_EQ(by_bytes.fields.size(), 90u);
}

TEST(Csv, AFileThatEndsInsideAQuotedFieldIsAnError) {
  const Rows rows = csv("1,a\n2,\"b\n3,c\n");
  EXPECT_EQ(rows.fields.size(), 1u);
  EXPECT_EQ(rows.error, "the file ends inside the quoted field of the row at line 2");
}

TEST(Csv, ALongLineIsAProblemOfItsOwn) {
  const std::string giant(3 * kLineBytesMax, 'x');
  const Rows rows = csv("1,a\n" + giant + "\n3,c\n\"4\n" + giant + "\n5,e\n" + giant, {}, 100'000);
  EXPECT_EQ(rows.fields, (std::vector<Fields>{{"1", "a"}, {"3", "c"}, {"5", "e"}}));
  EXPECT_EQ(rows.lines, (std::vector<std::uint64_t>{1, 3, 6}));
  EXPECT_EQ(rows.problems.size(), 4u);
  EXPECT_EQ(rows.problems[0], "2: the line has more than 1048576 bytes");
  EXPECT_EQ(rows.problems[3], "7: the line has more than 1048576 bytes");
}

TEST(Csv, RejectsWhatIsNotUtf8) {
  const Rows rows = csv("caf\xe9,1\n\"x\xff\",2\nok,3\n");
  EXPECT_EQ(rows.problems,
            (std::vector<std::string>{"1: is not valid UTF-8", "2: is not valid UTF-8"}));
  EXPECT_EQ(rows.fields, (std::vector<Fields>{{"ok", "3"}}));
}

TEST(Csv, WithoutQuotingAQuoteIsAByteLikeAnyOther) {
  EXPECT_EQ(csv("5\" pipe\tx\n", {'\t', '\0'}).fields, (std::vector<Fields>{{"5\" pipe", "x"}}));
}

std::string write_csv(const std::vector<Fields>& table, CsvDialect dialect, std::string_view ending,
                      bool quote_all, bool last_ending) {
  std::string out;
  for (std::size_t r = 0; r < table.size(); ++r) {
    for (std::size_t c = 0; c < table[r].size(); ++c) {
      if (c > 0) out += dialect.delimiter;
      const std::string& field = table[r][c];
      const bool needs = field.find_first_of("\r\n") != std::string::npos ||
                         field.find(dialect.delimiter) != std::string::npos ||
                         field.find(dialect.quote) != std::string::npos || table[r].size() == 1;
      if (!needs && !quote_all) {
        out += field;
        continue;
      }
      out += dialect.quote;
      for (const char byte : field) {
        out += byte;
        if (byte == dialect.quote) out += byte;
      }
      out += dialect.quote;
    }
    if (last_ending || r + 1 < table.size()) out += ending;
  }
  return out;
}

TEST(Csv, ReadsBackWhatWasWritten) {
  EXPECT_TRUE(rc::check("tables in many dialects", [] {
    const auto field = rc::gen::container<std::string>(
        rc::gen::element('a', 'b', '1', ' ', ',', ';', '\t', '"', '\'', '\n', '\r', '|'));
    const auto width = *rc::gen::inRange<std::size_t>(1, 6);
    const auto table =
        *rc::gen::container<std::vector<Fields>>(rc::gen::container<Fields>(width, field));
    const CsvDialect dialect{*rc::gen::element(',', ';', '\t', '|'), *rc::gen::element('"', '\'')};
    const std::string ending = *rc::gen::element(std::string("\n"), std::string("\r\n"));
    const std::string text =
        write_csv(table, dialect, ending, *rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<bool>());
    const Rows rows = csv(text, dialect, *rc::gen::inRange<std::size_t>(1, 40));
    RC_ASSERT(rows.error.empty() && rows.problems.empty());
    RC_ASSERT(rows.fields == table);
  }));
}

TEST(Csv, NeverLosesALineWhateverTheQuotes) {
  // Every line is part of an accepted row, or of a problem, or of the error at the end; reading
  // always ends.
  EXPECT_TRUE(rc::check("hostile bytes", [] {
    const auto text =
        *rc::gen::container<std::string>(rc::gen::element('a', ',', '"', '\n', '\r', '\xff'));
    const Rows rows = csv(text, {}, *rc::gen::inRange<std::size_t>(1, 10));
    for (std::size_t i = 1; i < rows.lines.size(); ++i)
      RC_ASSERT(rows.lines[i] > rows.lines[i - 1]);
    RC_ASSERT(rows.fields.size() + rows.problems.size() <= text.size());
  }));
}

Rows json(const std::string& text, std::vector<std::string> keys) {
  Trickle file(text, 7);
  LineReader lines(file);
  return drain(*read_json_lines(lines, keys));
}

TEST(JsonLines, ReadsTheKeysThatAreAskedFor) {
  const Rows rows = json(
      "{\"u\":\"a\",\"n\":2.50,\"b\":true}\n\n  \n{\"n\":-7,\"u\":null,\"x\":{\"y\":\"deep\"}}\r\n",
      {"u", "n", "b", "x.y"});
  EXPECT_EQ(rows.fields, (std::vector<Fields>{{"a", "2.5", "true", ""}, {"", "-7", "", "deep"}}));
  EXPECT_EQ(rows.lines, (std::vector<std::uint64_t>{1, 4}));
}

TEST(JsonLines, JoinsLists) {
  EXPECT_EQ(json("{\"t\":[\"a\",\"b c\",3]}\n{\"t\":[]}", {"t"}).fields,
            (std::vector<Fields>{{"a\x1f"
                                  "b c\x1f"
                                  "3"},
                                 {""}}));
}

TEST(JsonLines, GoesOnAfterABadLine) {
  const Rows rows =
      json("{\"u\":\"a\"\n[1]\n{\"u\":{\"v\":1}}\n{\"u\":\"\xff\"}\n{\"u\":\"ok\"}\n", {"u"});
  EXPECT_EQ(rows.fields, (std::vector<Fields>{{"ok"}}));
  ASSERT_EQ(rows.problems.size(), 4u);
  EXPECT_TRUE(rows.problems[0].starts_with("1: is no JSON"));
  EXPECT_TRUE(rows.problems[1].starts_with("2: expected a JSON object"));
  EXPECT_EQ(rows.problems[2], "3: u: expected a string, a number, a boolean or a list of them");
  EXPECT_TRUE(rows.problems[3].starts_with("4: is no JSON"));
}

}  // namespace
}  // namespace vitrine

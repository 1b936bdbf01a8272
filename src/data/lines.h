// A file by lines, in bounded memory. A line ends with LF; a CR before it belongs to the ending. A
// UTF-8 byte order mark at the front is skipped.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/file.h"

namespace vitrine {

class LineReader {
 public:
  // `file` must outlive the reader.
  explicit LineReader(SequentialFile& file);

  // The first bytes of the file, to look at before the first next().
  Result<std::string_view> start();
  // Goes to the next line; false at the end of the file. An error of the file comes after all whole
  // lines before it. Afterwards text() is the line.
  Result<bool> next();
  // Adds the line that follows: text() is then both, joined by their line ending. False at the end.
  // A line that is too long is not added and left for next(): call back_to_first() then.
  Result<bool> extend();
  // Takes all lines but the first back: next() will return the second one again.
  void back_to_first();

  // Without the last line's ending; valid until the next call.
  std::string_view text() const { return {buffer_.get() + begin_, end_ - begin_}; }
  std::uint64_t number() const { return number_; }  // of the first line of text(), from 1
  std::size_t lines() const { return lines_; }      // in text()
  // The line was longer than kLineBytesMax: text() is its beginning.
  bool too_long() const { return too_long_; }

 private:
  enum class Found { kLine, kNone, kTooLong };
  Status fill();
  Result<Found> find_end();
  Status skip_long_line();

  SequentialFile& file_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_;
  std::size_t begin_ = 0, end_ = 0;  // text()
  std::size_t next_ = 0;             // where the next line starts
  std::size_t filled_ = 0;
  std::size_t first_next_ = 0;  // where the second line of text() starts
  std::uint64_t number_ = 0;
  std::size_t lines_ = 0;
  bool at_end_ = false, too_long_ = false, started_ = false;
};

}  // namespace vitrine

#include "data/lines.h"

#include <cstring>

#include "data/limits.h"

namespace vitrine {

LineReader::LineReader(SequentialFile& file)
    : file_(file),
      buffer_(std::make_unique_for_overwrite<char[]>(2 * kReadBytes)),
      capacity_(2 * kReadBytes) {}

// Keeps what starts at begin_ and reads behind it.
Status LineReader::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, filled_ - begin_);
    end_ -= begin_;
    next_ -= begin_;
    first_next_ = first_next_ > begin_ ? first_next_ - begin_ : 0;
    filled_ -= begin_;
    begin_ = 0;
  }
  if (capacity_ - filled_ < kReadBytes) {
    capacity_ += kReadBytes;
    auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
    std::memcpy(larger.get(), buffer_.get(), filled_);
    buffer_ = std::move(larger);
  }
  VT_TRY(const std::size_t got,
         file_.read(std::as_writable_bytes(std::span(buffer_.get() + filled_, kReadBytes))));
  at_end_ = got == 0;
  filled_ += got;
  return {};
}

// Sets end_ and next_ for the line that starts at next_; kNone: there is no such line.
Result<LineReader::Found> LineReader::find_end() {
  std::size_t searched = 0;
  for (;;) {
    const char* const from = buffer_.get() + next_ + searched;
    if (const void* lf = std::memchr(from, '\n', filled_ - next_ - searched)) {
      end_ = static_cast<std::size_t>(static_cast<const char*>(lf) - buffer_.get());
      next_ = end_ + 1;
      break;
    }
    searched = filled_ - next_;
    if (searched > kLineBytesMax) return Found::kTooLong;
    if (at_end_) {
      if (searched == 0) return Found::kNone;
      end_ = next_ = filled_;
      break;
    }
    VT_TRY(fill());
  }
  if (end_ > begin_ && buffer_[end_ - 1] == '\r') --end_;
  return Found::kLine;
}

// Leaves the beginning of the line as text() and drops the rest.
Status LineReader::skip_long_line() {
  end_ = begin_ + kLineBytesMax;
  for (;;) {
    if (const void* lf = std::memchr(buffer_.get() + end_, '\n', filled_ - end_)) {
      next_ = static_cast<std::size_t>(static_cast<const char*>(lf) - buffer_.get()) + 1;
      return {};
    }
    next_ = filled_ = end_;
    if (at_end_) return {};
    VT_TRY(fill());
  }
}

Result<std::string_view> LineReader::start() {
  if (!started_) {
    started_ = true;
    number_ = 1;
    while (filled_ < 3 && !at_end_) VT_TRY(fill());
    if (filled_ >= 3 && std::memcmp(buffer_.get(), "\xef\xbb\xbf", 3) == 0) next_ = 3;
  }
  return std::string_view(buffer_.get() + next_, filled_ - next_);
}

Result<bool> LineReader::next() {
  if (!started_) VT_TRY(start());
  number_ += lines_;
  begin_ = end_ = next_;
  lines_ = 0;
  VT_TRY(const Found found, find_end());
  too_long_ = found == Found::kTooLong;
  if (too_long_) VT_TRY(skip_long_line());
  lines_ = found == Found::kNone ? 0 : 1;
  first_next_ = next_;
  return lines_ > 0;
}

Result<bool> LineReader::extend() {
  VT_TRY(const Found found, find_end());
  too_long_ = found == Found::kTooLong;
  if (found == Found::kLine) ++lines_;
  return found != Found::kNone;
}

void LineReader::back_to_first() {
  next_ = first_next_;
  lines_ = 1;
}

}  // namespace vitrine

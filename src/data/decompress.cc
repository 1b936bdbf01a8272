#include "data/decompress.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "data/limits.h"

namespace vitrine {
namespace {

constexpr int kZstdWindowLogMax = 27;

// The compressed bytes, one buffer at a time.
class Input {
 public:
  explicit Input(std::unique_ptr<SequentialFile> file)
      : file_(std::move(file)), buffer_(std::make_unique_for_overwrite<std::byte[]>(kReadBytes)) {}

  std::span<const std::byte> bytes() const { return {buffer_.get() + begin_, end_ - begin_}; }
  std::uint64_t consumed() const { return read_ - (end_ - begin_); }
  void skip(std::size_t count) { begin_ += count; }

  // Reads on when fewer than `count` bytes are there; the file may hold less.
  Status need(std::size_t count) {
    if (end_ - begin_ >= count || ended_) return {};
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    while (end_ < count && !ended_) {
      VT_TRY(const std::size_t got, file_->read({buffer_.get() + end_, kReadBytes - end_}));
      ended_ = got == 0;
      end_ += got;
      read_ += got;
    }
    return {};
  }

 private:
  std::unique_ptr<SequentialFile> file_;
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t read_ = 0;
  bool ended_ = false;
};

bool starts_with(std::span<const std::byte> bytes, std::initializer_list<unsigned char> magic) {
  if (bytes.size() < magic.size()) return false;
  return std::equal(magic.begin(), magic.end(), bytes.begin(),
                    [](unsigned char m, std::byte b) { return std::byte{m} == b; });
}

bool is_gzip(std::span<const std::byte> bytes) { return starts_with(bytes, {0x1f, 0x8b}); }

// A frame, or a skippable frame in front of one.
bool is_zstd(std::span<const std::byte> bytes) {
  if (starts_with(bytes, {0x28, 0xb5, 0x2f, 0xfd})) return true;
  return bytes.size() >= 4 && (bytes[0] & std::byte{0xf0}) == std::byte{0x50} &&
         bytes[1] == std::byte{0x2a} && bytes[2] == std::byte{0x4d} && bytes[3] == std::byte{0x18};
}

Error damaged(std::string_view format, std::string_view why) {
  return Error{Code::kInvalid, "the " + std::string(format) + " stream " + std::string(why)};
}

constexpr std::string_view kCutShort = "is cut short; the file is not complete";
constexpr std::string_view kTrailing = "is followed by bytes that do not belong to it";

class PlainFile final : public DecompressedFile {
 public:
  explicit PlainFile(Input input) : input_(std::move(input)) {}
  std::uint64_t consumed() const override { return input_.consumed(); }

  Result<std::size_t> read(std::span<std::byte> into) override {
    VT_TRY(input_.need(1));
    const std::size_t count = std::min(into.size(), input_.bytes().size());
    if (count > 0) std::memcpy(into.data(), input_.bytes().data(), count);
    input_.skip(count);
    return count;
  }

 private:
  Input input_;
};

// RFC 1952. Members follow one another; zero bytes behind the last one are padding.
class GzipFile final : public DecompressedFile {
 public:
  static Result<std::unique_ptr<DecompressedFile>> open(Input input) {
    std::unique_ptr<GzipFile> file(new GzipFile(std::move(input)));
    if (inflateInit2(&file->stream_, 16 + MAX_WBITS) != Z_OK) {
      return Error{Code::kExhausted, "out of memory for reading gzip"};
    }
    file->started_ = true;
    return std::unique_ptr<DecompressedFile>(std::move(file));
  }
  ~GzipFile() override {
    if (started_) inflateEnd(&stream_);
  }
  std::uint64_t consumed() const override { return input_.consumed(); }

  Result<std::size_t> read(std::span<std::byte> into) override {
    stream_.next_out = reinterpret_cast<Bytef*>(into.data());
    stream_.avail_out = static_cast<uInt>(into.size());
    while (stream_.avail_out == into.size()) {
      VT_TRY(input_.need(1));
      if (between_) {
        VT_TRY(const bool more, next_member());
        if (!more) return std::size_t{0};
      }
      if (input_.bytes().empty()) return damaged("gzip", kCutShort);
      VT_TRY(inflate_some());
    }
    return into.size() - stream_.avail_out;
  }

 private:
  explicit GzipFile(Input input) : input_(std::move(input)) {}

  Result<bool> next_member() {
    while (!input_.bytes().empty() && input_.bytes().front() == std::byte{0}) {
      input_.skip(1);
      VT_TRY(input_.need(1));
    }
    if (input_.bytes().empty()) return false;
    VT_TRY(input_.need(2));
    if (!is_gzip(input_.bytes())) return damaged("gzip", kTrailing);
    inflateReset(&stream_);
    between_ = false;
    return true;
  }

  Status inflate_some() {
    // zlib never writes through next_in; its type predates const.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input_.bytes().data()));
    stream_.avail_in = static_cast<uInt>(input_.bytes().size());
    const int outcome = inflate(&stream_, Z_NO_FLUSH);
    input_.skip(input_.bytes().size() - stream_.avail_in);
    if (outcome == Z_STREAM_END)
      between_ = true;
    else if (outcome == Z_MEM_ERROR)
      return Error{Code::kExhausted, "out of memory for reading gzip"};
    else if (outcome != Z_OK && outcome != Z_BUF_ERROR)
      return damaged("gzip", "is damaged");
    return {};
  }

  Input input_;
  z_stream stream_{};
  bool started_ = false;
  bool between_ = false;
};

class ZstdFile final : public DecompressedFile {
 public:
  explicit ZstdFile(Input input)
      : input_(std::move(input)), stream_(ZSTD_createDStream(), &ZSTD_freeDStream) {
    if (stream_ != nullptr)
      ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax);
  }
  std::uint64_t consumed() const override { return input_.consumed(); }

  Result<std::size_t> read(std::span<std::byte> into) override {
    if (stream_ == nullptr) return Error{Code::kExhausted, "out of memory for reading zstd"};
    ZSTD_outBuffer out{into.data(), into.size(), 0};
    while (out.pos == 0) {
      VT_TRY(input_.need(1));
      if (between_) {
        VT_TRY(input_.need(4));
        if (input_.bytes().empty()) return std::size_t{0};
        if (!is_zstd(input_.bytes())) return damaged("zstd", kTrailing);
      }
      const bool ended = input_.bytes().empty();
      ZSTD_inBuffer in{input_.bytes().data(), input_.bytes().size(), 0};
      const std::size_t outcome = ZSTD_decompressStream(stream_.get(), &out, &in);
      if (ZSTD_isError(outcome) != 0) {
        return damaged("zstd", "is damaged (" + std::string(ZSTD_getErrorName(outcome)) + ")");
      }
      input_.skip(in.pos);
      between_ = outcome == 0;
      if (ended && !between_ && out.pos == 0) return damaged("zstd", kCutShort);
    }
    return out.pos;
  }

 private:
  Input input_;
  std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream_;
  bool between_ = true;
};

}  // namespace

Result<std::unique_ptr<DecompressedFile>> decompress(std::unique_ptr<SequentialFile> file) {
  Input input(std::move(file));
  VT_TRY(input.need(4));
  if (is_gzip(input.bytes())) return GzipFile::open(std::move(input));
  if (is_zstd(input.bytes())) {
    return std::unique_ptr<DecompressedFile>(std::make_unique<ZstdFile>(std::move(input)));
  }
  return std::unique_ptr<DecompressedFile>(std::make_unique<PlainFile>(std::move(input)));
}

}  // namespace vitrine

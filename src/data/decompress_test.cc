#include "data/decompress.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <zlib.h>
#include <zstd.h>

#include "data/compress_testing.h"
#include "tests/memory_files.h"

namespace vitrine {
namespace {

// All bytes, read `step` at a time; the error's message behind a '!' when there is one.
std::string read_all(const std::string& bytes, std::size_t step = 4096) {
  MemoryFiles files;
  files.put("f", bytes);
  auto file = decompress(*files.read("f"));
  if (!file.ok()) return "!" + file.error().message;
  std::string out;
  std::vector<std::byte> buffer(step);
  for (;;) {
    const auto got = (*file)->read(buffer);
    if (!got.ok()) return out + "!" + got.error().message;
    if (*got == 0) {
      EXPECT_EQ((*file)->consumed(), bytes.size());
      return out;
    }
    out += as_text(std::span(buffer).first(*got));
  }
}

std::string long_text() {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i * 7919 % 10007) + ',';
  return text;
}

TEST(Decompress, PassesPlainBytesThrough) {
  EXPECT_EQ(read_all(""), "");
  EXPECT_EQ(read_all("a"), "a");
  EXPECT_EQ(read_all(long_text()), long_text());
}

TEST(Decompress, ReadsGzipAndZstd) {
  const std::string text = long_text();
  for (const std::size_t step : {1000u, 65536u, 1u << 20}) {
    EXPECT_EQ(read_all(gzip(text), step), text);
    EXPECT_EQ(read_all(zstd(text), step), text);
  }
  EXPECT_EQ(read_all(gzip("")), "");
  EXPECT_EQ(read_all(zstd("")), "");
}

TEST(Decompress, ReadsConcatenatedMembers) {
  EXPECT_EQ(read_all(gzip("one,") + gzip("") + gzip("two")), "one,two");
  EXPECT_EQ(read_all(zstd("one,") + zstd("") + zstd("two")), "one,two");
  EXPECT_EQ(read_all(gzip("padded") + std::string(100, '\0')), "padded");
}

TEST(Decompress, SaysWhatIsBroken) {
  const std::string text = long_text();
  const std::string gz = gzip(text), zst = zstd(text);
  for (const std::size_t cut : {3u, 20u, 1000u}) {
    const std::string got = read_all(gz.substr(0, gz.size() - cut));
    EXPECT_TRUE(got.ends_with("!the gzip stream is cut short; the file is not complete")) << cut;
    EXPECT_TRUE(text.starts_with(got.substr(0, got.find('!'))));
    EXPECT_TRUE(read_all(zst.substr(0, zst.size() - cut))
                    .ends_with("!the zstd stream is cut short; the file is not complete"));
  }
  EXPECT_TRUE(read_all(gz + "more")
                  .ends_with("!the gzip stream is followed by bytes that do not belong to it"));
  EXPECT_TRUE(read_all(zst + "more")
                  .ends_with("!the zstd stream is followed by bytes that do not belong to it"));
  std::string flipped = gz;
  flipped[gz.size() - 6] = static_cast<char>(flipped[gz.size() - 6] ^ 1);  // its checksum
  EXPECT_TRUE(read_all(flipped).ends_with("!the gzip stream is damaged"));
}

TEST(Decompress, AnythingBehindAMagicNumberIsAnErrorAtMost) {
  EXPECT_TRUE(rc::check("damaged streams",
                        [](const std::string& text, std::uint16_t at, std::uint8_t byte, bool gz) {
                          std::string bytes = gz ? gzip(text) : zstd(text);
                          bytes[at % bytes.size()] = static_cast<char>(byte);
                          MemoryFiles files;
                          files.put("f", bytes);
                          auto file = decompress(*files.read("f"));
                          if (!file.ok()) return;
                          std::vector<std::byte> buffer(64);
                          for (;;) {
                            const auto got = (*file)->read(buffer);
                            if (!got.ok() || *got == 0) return;
                          }
                        }));
}

}  // namespace
}  // namespace vitrine

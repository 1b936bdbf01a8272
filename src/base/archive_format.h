// What writer and reader of archives share: the records of docs/formats.md as they lie in the file.
// For archive*.cc alone.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vitrine::archive {

static_assert(std::endian::native == std::endian::little,
              "archives are mapped as they are, and they are little-endian");

inline constexpr char kMagic[8] = {'\x89', 'V', 'T', 'R', '\r', '\n', '\x1A', '\n'};
inline constexpr char kClosingMagic[8] = {'V', 'T', 'R', '-', 'E', 'N', 'D', '\n'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint64_t kAlignment = 64;
inline constexpr std::size_t kNameMax = 1024;
inline constexpr std::size_t kRankMax = 8;
inline constexpr std::uint32_t kDocument = 100;  // beside the values of ElementType
inline constexpr std::uint32_t kStrings = 101;

struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t reserved;
  char kind[40];           // padded with zeros
  std::uint64_t checksum;  // of the bytes before it
};
static_assert(sizeof(Header) == 64);

struct EntryHead {  // followed by `rank` int64 and the name, padded with zeros to a multiple of 8
  std::uint32_t name_length, type, rank, reserved;
  std::uint64_t offset, length, checksum;
};
static_assert(sizeof(EntryHead) == 40);

struct Footer {
  std::uint64_t directory_offset, directory_length, entries, directory_checksum, file_length;
  std::uint64_t checksum;  // of the bytes before it
  char magic[8];
};
static_assert(sizeof(Footer) == 56);

struct Entry {
  std::uint32_t type = 0;
  std::vector<std::int64_t> shape;
  std::uint64_t offset = 0, length = 0, checksum = 0;
};

constexpr std::uint64_t aligned(std::uint64_t offset, std::uint64_t to) {
  return (offset + to - 1) / to * to;
}

inline std::uint64_t hash(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

template <class T>
std::span<const std::byte> bytes_of(const T& object) {
  return std::as_bytes(std::span(&object, 1));
}

// False when a dimension is negative or the product is no int64.
inline bool multiply(const std::vector<std::int64_t>& shape, std::int64_t& product) {
  product = 1;
  for (const std::int64_t n : shape) {
    if (n < 0 || __builtin_mul_overflow(product, n, &product)) return false;
  }
  return true;
}

// "a/b/" in front of names, as enter() and leave() build it.
class Scopes {
 public:
  void enter(std::string_view scope) {
    marks_.push_back(prefix_.size());
    prefix_ += scope;
    prefix_ += '/';
  }
  void leave() {
    VT_CHECK(!marks_.empty());
    prefix_.resize(marks_.back());
    marks_.pop_back();
  }
  const std::string& prefix() const { return prefix_; }
  std::string of(std::string_view name) const { return prefix_ + std::string(name); }

 private:
  std::string prefix_;
  std::vector<std::size_t> marks_;
};

}  // namespace vitrine::archive

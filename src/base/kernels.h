// The kernel table: the few loops that decide the speed of the whole, one row per instruction set.
// The best row that this processor runs is chosen once; the scalar row always builds and is the
// oracle of the others. Everything that is not here is a plain loop. Pure functions; thread-safe.
//
// Every row gives the same bits: the order of the additions is part of each function's contract,
// and the multiplications are fused. `screen` alone is approximate, and scan_top() (index/scan.h)
// scores again what it let through, so lists do not depend on the row either. Sums of bytes are
// exact.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace vitrine {

inline constexpr int kPanel = 32;             // items of a packed panel
inline constexpr int kScanQueries = 12;       // queries of one call of scan
inline constexpr int kScreenTile = 32;        // queries and items of one tile of screen
inline constexpr int kScreenTilesMax = 8;     // tiles of queries of one call of screen
inline constexpr int kByteWidth = 32;         // widths of screen_bytes are multiples of it
inline constexpr int kByteWidthMax = 32'768;  // so that sums of products fit in 31 bits

// Where a scan pushes what reaches the threshold of one query: `positions` and `scores` hold
// `capacity` entries. A kernel pushes up to kPanel entries at a time; with fewer places left
// afterwards it calls `cut`, which keeps the best, raises the threshold and leaves room for a
// panel.
struct ScanBuffer {
  float threshold;  // a score that is not below it is pushed; NaN never is
  std::uint32_t size;
  std::uint32_t capacity;
  std::uint32_t* positions;
  float* scores;
  void (*cut)(ScanBuffer&);
  void* owner;
};

// Vectors in bytes: value k of position p is scales[p] * (values[p * width + k] - 128). Owns
// nothing.
struct ByteRows {
  const std::uint8_t* values;
  const float* scales;
  std::int64_t width;
};

struct Kernels {
  std::string_view name;  // "scalar", "avx2", "avx512", "avx512_bf16", "amx"

  // 64 partial sums, lane i % 64, folded by halves.
  float (*dot)(const float* a, const float* b, std::int64_t n);

  // y += alpha x, each element one fused multiply-add.
  void (*axpy)(float alpha, const float* x, float* y, std::int64_t n);

  // Scores of `count` (1 to kScanQueries) queries against `panels` panels of kPanel items, one
  // after the other; both k-major: query q at queries[k * kScanQueries + q], item c of a panel at
  // panel[k * kPanel + c]. A score is one chain of fused multiply-adds in the order of k, starting
  // at 0. The first item of the first panel is at position `first`. Pointers are not null, whatever
  // the width.
  void (*scan)(const float* queries, int count, const float* panel, std::int64_t width,
               std::int64_t panels, std::uint32_t first, ScanBuffer* buffers);

  // The same in bfloat16 with float sums in any order, for `query_tiles` (1 to kScreenTilesMax)
  // times kScreenTile queries; null where the instruction set has no fast way. `items`: rows of
  // `width` values, `tiles` times kScreenTile of them. Each tile of queries is interleaved by pairs
  // of k: pair p of its query q at [(p * kScreenTile + q) * 2]. `width` is a multiple of 32.
  // Everything is finite and so are the scores; values below the normal range count as 0.
  void (*screen)(const std::uint16_t* queries, std::int64_t query_tiles, const std::uint16_t* items,
                 std::int64_t width, std::int64_t tiles, std::uint32_t first, ScanBuffer* buffers);

  // Scores of one query of `width` signed bytes (-127 to 127) against `count` rows: the exact sum
  // of query[k] * (value - 128) as a float, times (factor * the row's scale). The rows are those at
  // `positions`, or `first`, `first` + 1, ... where that is null; they are pushed in this order.
  void (*screen_bytes)(const std::int8_t* query, float factor, const ByteRows& rows,
                       const std::uint32_t* positions, std::uint32_t first, std::int64_t count,
                       ScanBuffer& buffer);

  // counts[i * stride + j] += the number of bits that row i of `a` and row j of `b` share, for all
  // pairs of rows of `words` words each, a multiple of 8. Exact below 2^24.
  void (*count_common)(const std::uint64_t* a, std::int64_t a_rows, const std::uint64_t* b,
                       std::int64_t b_rows, std::int64_t words, float* counts, std::int64_t stride);

  // How many bits count_common() compares in a nanosecond, roughly: to choose between it and a
  // sparse sum.
  float common_bits_per_ns;
};

const Kernels& kernels();                             // the best row of this processor
const Kernels* kernels_named(std::string_view name);  // null when this processor or build lacks it
std::span<const Kernels* const> all_kernels();        // those that run here, scalar first

}  // namespace vitrine

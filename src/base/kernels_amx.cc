// The AVX-512 row with tiles (Sapphire Rapids and later) where they pay: screening in bfloat16 and
// counting with bytes. A tile is 16 rows of 64 bytes; one instruction multiplies two of them in 16
// cycles.
#include <immintrin.h>

#include "base/kernels_avx512.h"

namespace vitrine::rows {
namespace {

// Tiles 0 to 3 hold sums, 4 and 5 rows, 6 and 7 columns; all are 16 x 64 bytes.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileConfig kConfig;

// Scores of 32 items (rows) by 32 queries (columns).
struct alignas(64) ScoreTile {
  float score[kScreenTile][kScreenTile];
};

void multiply_tiles(const std::uint16_t* queries, const std::uint16_t* items, std::int64_t width) {
  const std::int64_t item_bytes = width * 2;
  constexpr std::int64_t kPairBytes = kScreenTile * 4;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::int64_t k = 0; k < width; k += 32) {
    const std::uint16_t* pairs = queries + k * kScreenTile;
    _tile_loadd(4, items + k, item_bytes);
    _tile_loadd(6, pairs, kPairBytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, pairs + 32, kPairBytes);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, items + 16 * width + k, item_bytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
}

void store_tiles(ScoreTile& out) {
  constexpr std::int64_t kRowBytes = kScreenTile * 4;
  _tile_stored(0, &out.score[0][0], kRowBytes);
  _tile_stored(1, &out.score[0][16], kRowBytes);
  _tile_stored(2, &out.score[16][0], kRowBytes);
  _tile_stored(3, &out.score[16][16], kRowBytes);
}

// Pushes the items of one column that reach its threshold.
void push_column(const ScoreTile& tile, int column, std::uint32_t first, ScanBuffer& buffer) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i rows = _mm512_slli_epi32(lanes, 5);
  const __m512 threshold = _mm512_set1_ps(buffer.threshold);
  for (int half = 0; half < 2; ++half) {
    const __m512 score = _mm512_i32gather_ps(rows, &tile.score[half * 16][column], 4);
    const __mmask16 reached = _mm512_cmp_ps_mask(score, threshold, _CMP_GE_OQ);
    const __m512i positions =
        _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(first) + half * 16), lanes);
    _mm512_mask_compressstoreu_epi32(buffer.positions + buffer.size, reached, positions);
    _mm512_mask_compressstoreu_ps(buffer.scores + buffer.size, reached, score);
    buffer.size += static_cast<std::uint32_t>(__builtin_popcount(reached));
  }
  if (buffer.size + kPanel > buffer.capacity) buffer.cut(buffer);
}

// The best of each column first: one comparison tells which queries have anything to push.
void push_tile(const ScoreTile& tile, std::uint32_t first, float* thresholds, ScanBuffer* buffers) {
  for (int half = 0; half < 2; ++half) {
    const float* row = &tile.score[0][half * 16];
    __m512 a = _mm512_load_ps(row), b = _mm512_load_ps(row + kScreenTile);
    for (int r = 2; r < kScreenTile; r += 2) {
      a = _mm512_max_ps(a, _mm512_load_ps(row + r * kScreenTile));
      b = _mm512_max_ps(b, _mm512_load_ps(row + r * kScreenTile + kScreenTile));
    }
    const __m512 column = _mm512_max_ps(a, b);
    unsigned reached =
        _mm512_cmp_ps_mask(column, _mm512_load_ps(thresholds + half * 16), _CMP_GE_OQ);
    for (; reached != 0; reached &= reached - 1) {
      const int query = half * 16 + __builtin_ctz(reached);
      push_column(tile, query, first, buffers[query]);
      thresholds[query] = buffers[query].threshold;
    }
  }
}

// A tile of items meets all queries while it is in the first-level cache. The sums of one tile are
// looked through while the tile registers work on the next, and only then overwritten.
void screen(const std::uint16_t* queries, std::int64_t query_tiles, const std::uint16_t* items,
            std::int64_t width, std::int64_t tiles, std::uint32_t first, ScanBuffer* buffers) {
  alignas(64) float thresholds[kScreenTilesMax * kScreenTile];
  for (std::int64_t q = 0; q < query_tiles * kScreenTile; ++q) thresholds[q] = buffers[q].threshold;
  ScoreTile scores;
  _tile_loadconfig(&kConfig);
  std::int64_t q_before = -1;
  std::uint32_t first_before = 0;
  for (std::int64_t t = 0; t < tiles; ++t, first += kScreenTile, items += kScreenTile * width) {
    for (std::int64_t q = 0; q < query_tiles * kScreenTile; q += kScreenTile) {
      multiply_tiles(queries + q * width, items, width);
      if (q_before >= 0) push_tile(scores, first_before, thresholds + q_before, buffers + q_before);
      store_tiles(scores);
      q_before = q;
      first_before = first;
    }
  }
  _tile_release();
  if (q_before >= 0) push_tile(scores, first_before, thresholds + q_before, buffers + q_before);
}

// Counting: the bits become bytes of 0 and 1. A block is 32 rows by kDepth bits of `a` against
// kColumns rows of `b`, both on the stack, so that the second-level cache holds them.
constexpr std::int64_t kDepth = 2048, kColumns = 128, kTileBytes = 1024;

// 16 rows by 64 bits as a left operand: a byte for each bit, row by row.
void expand_rows(const std::uint64_t* bits, std::int64_t words, std::int64_t count,
                 std::uint8_t* tile) {
  for (std::int64_t r = 0; r < 16; ++r) {
    const __mmask64 mask = r < count ? bits[r * words] : 0;
    _mm512_store_si512(tile + r * 64, _mm512_maskz_set1_epi8(mask, 1));
  }
}

// The same as a right operand: row r of the tile holds bits 4 r to 4 r + 3 of each of the 16 rows.
void expand_columns(const std::uint64_t* bits, std::int64_t words, std::int64_t count,
                    std::uint8_t* tile) {
  alignas(64) std::uint32_t half[2][16] = {};
  for (std::int64_t r = 0; r < count; ++r) {
    half[0][r] = static_cast<std::uint32_t>(bits[r * words]);
    half[1][r] = static_cast<std::uint32_t>(bits[r * words] >> 32);
  }
  const __m512i table =
      _mm512_setr_epi32(0x00000000, 0x00000001, 0x00000100, 0x00000101, 0x00010000, 0x00010001,
                        0x00010100, 0x00010101, 0x01000000, 0x01000001, 0x01000100, 0x01000101,
                        0x01010000, 0x01010001, 0x01010100, 0x01010101);
  for (int h = 0; h < 2; ++h) {
    __m512i rest = _mm512_load_si512(half[h]);
    for (int r = 0; r < 8; ++r, rest = _mm512_srli_epi32(rest, 4)) {  // the low four bits choose
      _mm512_store_si512(tile + (h * 8 + r) * 64, _mm512_permutexvar_epi32(rest, table));
    }
  }
}

// Tiles one after the other: for each 16 rows, for each 64 bits.
template <class Expand>
void expand(Expand one, const std::uint64_t* bits, std::int64_t rows, std::int64_t words,
            std::int64_t depth_words, std::int64_t tile_rows, std::uint8_t* out) {
  for (std::int64_t r = 0; r < tile_rows; r += 16) {
    const std::int64_t count = rows - r < 16 ? rows - r : 16;
    for (std::int64_t w = 0; w < depth_words; ++w, out += kTileBytes) {
      one(bits + r * words + w, words, count > 0 ? count : 0, out);
    }
  }
}

void count_tile(const std::uint8_t* left, const std::uint8_t* right, std::int64_t depth_words,
                std::int32_t (&sums)[32][32]) {
  const std::uint8_t* left_below = left + depth_words * kTileBytes;
  const std::uint8_t* right_beside = right + depth_words * kTileBytes;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::int64_t t = 0; t < depth_words * kTileBytes; t += kTileBytes) {
    _tile_loadd(4, left + t, 64);
    _tile_loadd(6, right + t, 64);
    _tile_dpbuud(0, 4, 6);
    _tile_loadd(7, right_beside + t, 64);
    _tile_dpbuud(1, 4, 7);
    _tile_loadd(5, left_below + t, 64);
    _tile_dpbuud(2, 5, 6);
    _tile_dpbuud(3, 5, 7);
  }
  _tile_stored(0, &sums[0][0], 128);
  _tile_stored(1, &sums[0][16], 128);
  _tile_stored(2, &sums[16][0], 128);
  _tile_stored(3, &sums[16][16], 128);
}

void add_counts(const std::int32_t (&sums)[32][32], std::int64_t rows, std::int64_t cols,
                float* counts, std::int64_t stride) {
  for (std::int64_t i = 0; i < 32 && i < rows; ++i) {
    for (std::int64_t j = 0; j < 32 && j < cols; j += 16) {
      const __mmask16 lanes = static_cast<__mmask16>(
          cols - j >= 16 ? 0xffffu : (1u << static_cast<unsigned>(cols - j)) - 1);
      float* to = counts + i * stride + j;
      const __m512 sum = _mm512_cvtepi32_ps(_mm512_load_si512(&sums[i][j]));
      _mm512_mask_storeu_ps(to, lanes, _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, to), sum));
    }
  }
}

void count_common(const std::uint64_t* a, std::int64_t a_rows, const std::uint64_t* b,
                  std::int64_t b_rows, std::int64_t words, float* counts, std::int64_t stride) {
  alignas(64) std::uint8_t left[32 * kDepth];
  alignas(64) std::uint8_t right[kColumns * kDepth];
  alignas(64) std::int32_t sums[32][32];
  _tile_loadconfig(&kConfig);
  for (std::int64_t w = 0; w < words; w += kDepth / 64) {
    const std::int64_t depth = words - w < kDepth / 64 ? words - w : kDepth / 64;
    for (std::int64_t j = 0; j < b_rows; j += kColumns) {
      const std::int64_t cols = b_rows - j < kColumns ? b_rows - j : kColumns;
      expand(expand_columns, b + j * words + w, cols, words, depth, (cols + 31) / 32 * 32, right);
      for (std::int64_t i = 0; i < a_rows; i += 32) {
        expand(expand_rows, a + i * words + w, a_rows - i, words, depth, 32, left);
        for (std::int64_t c = 0; c < cols; c += 32) {
          count_tile(left, right + c / 16 * depth * kTileBytes, depth, sums);
          add_counts(sums, a_rows - i, cols - c, counts + i * stride + j + c, stride);
        }
      }
    }
  }
  _tile_release();
}

}  // namespace

const Kernels kAmx = {"amx",  avx512::dot,          avx512::axpy, avx512::scan,
                      screen, avx512::screen_bytes, count_common, 1200.0f};

}  // namespace vitrine::rows

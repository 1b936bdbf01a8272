// The AVX-512 row with bfloat16 products (Zen 4, Cooper Lake and later) for screening: one
// instruction multiplies sixteen pairs, twice what float32 does.
#include <immintrin.h>

#include <cstring>

#include "base/kernels_avx512.h"

namespace vitrine::rows {
namespace {

constexpr int kItems = 8;  // items of a register tile: kItems x 32 sums in 16 registers

struct alignas(64) Sums {
  float score[kItems][kScreenTile];
};

__m512bh pair_of(const std::uint16_t* values) {
  std::int32_t pair;
  std::memcpy(&pair, values, sizeof pair);
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
}

// kItems items by 32 queries; the result says which sums reach the threshold of their query, one
// word of 32 bits an item.
unsigned multiply(const std::uint16_t* queries, const std::uint16_t* items, std::int64_t width,
                  const float* thresholds, Sums& out, unsigned (&reached)[kItems]) {
  __m512 left[kItems], right[kItems];
  for (int i = 0; i < kItems; ++i) left[i] = right[i] = _mm512_setzero_ps();
  for (std::int64_t k = 0; k < width; k += 2) {
    const std::uint16_t* pairs = queries + k * kScreenTile;
    const auto a = reinterpret_cast<__m512bh>(_mm512_loadu_si512(pairs));
    const auto b = reinterpret_cast<__m512bh>(_mm512_loadu_si512(pairs + 32));
    for (int i = 0; i < kItems; ++i) {
      const __m512bh item = pair_of(items + i * width + k);
      left[i] = _mm512_dpbf16_ps(left[i], a, item);
      right[i] = _mm512_dpbf16_ps(right[i], b, item);
    }
  }
  const __m512 low = _mm512_load_ps(thresholds), high = _mm512_load_ps(thresholds + 16);
  unsigned any = 0;
  for (int i = 0; i < kItems; ++i) {
    const unsigned l = _mm512_cmp_ps_mask(left[i], low, _CMP_GE_OQ);
    const unsigned r = _mm512_cmp_ps_mask(right[i], high, _CMP_GE_OQ);
    reached[i] = l | r << 16;
    any |= reached[i];
  }
  if (any == 0) return 0;
  for (int i = 0; i < kItems; ++i) {
    _mm512_store_ps(out.score[i], left[i]);
    _mm512_store_ps(out.score[i] + 16, right[i]);
  }
  return any;
}

void push(const Sums& sums, const unsigned (&reached)[kItems], std::uint32_t first,
          float* thresholds, ScanBuffer* buffers) {
  for (int i = 0; i < kItems; ++i) {
    for (unsigned left = reached[i]; left != 0; left &= left - 1) {
      const int q = __builtin_ctz(left);
      ScanBuffer& buffer = buffers[q];
      buffer.positions[buffer.size] = first + static_cast<std::uint32_t>(i);
      buffer.scores[buffer.size] = sums.score[i][q];
      ++buffer.size;
      if (buffer.size + kPanel > buffer.capacity) {
        buffer.cut(buffer);
        thresholds[q] = buffer.threshold;
      }
    }
  }
}

// Sums of the lanes of sixteen vectors, in their order.
__m512 fold_each(const __m512 (&v)[16]) {
  __m512 four[4];
  for (int i = 0; i < 4; ++i) {
    const __m512* w = v + 4 * i;
    const __m512 a = _mm512_add_ps(_mm512_unpacklo_ps(w[0], w[1]), _mm512_unpackhi_ps(w[0], w[1]));
    const __m512 b = _mm512_add_ps(_mm512_unpacklo_ps(w[2], w[3]), _mm512_unpackhi_ps(w[2], w[3]));
    const __m512d c = _mm512_castps_pd(a), d = _mm512_castps_pd(b);
    four[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(c, d)),
                            _mm512_castpd_ps(_mm512_unpackhi_pd(c, d)));
  }
  const auto halves = [](__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  };
  return halves(halves(four[0], four[1]), halves(four[2], four[3]));
}

// One query, its values one after the other, against `count` items, a multiple of 16.
void screen_one(const std::uint16_t* query, const std::uint16_t* items, std::int64_t width,
                std::int64_t count, std::uint32_t first, ScanBuffer& buffer) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (std::int64_t i = 0; i < count; i += 16, items += 16 * width) {
    __m512 sums[16];
    for (__m512& s : sums) s = _mm512_setzero_ps();
    for (std::int64_t k = 0; k < width; k += 32) {
      const auto value = reinterpret_cast<__m512bh>(_mm512_loadu_si512(query + k));
      for (int j = 0; j < 16; ++j) {
        const void* item = items + j * width + k;
        sums[j] =
            _mm512_dpbf16_ps(sums[j], value, reinterpret_cast<__m512bh>(_mm512_loadu_si512(item)));
      }
    }
    const __m512 scores = fold_each(sums);
    const __mmask16 reached =
        _mm512_cmp_ps_mask(scores, _mm512_set1_ps(buffer.threshold), _CMP_GE_OQ);
    if (reached == 0) continue;
    const auto position = static_cast<int>(first + static_cast<std::uint32_t>(i));
    _mm512_mask_compressstoreu_epi32(buffer.positions + buffer.size, reached,
                                     _mm512_add_epi32(_mm512_set1_epi32(position), lanes));
    _mm512_mask_compressstoreu_ps(buffer.scores + buffer.size, reached, scores);
    buffer.size += static_cast<std::uint32_t>(__builtin_popcount(reached));
    if (buffer.size + kPanel > buffer.capacity) buffer.cut(buffer);
  }
}

// A call with few open queries, as a live request is, would leave most of a tile idle: they go one
// by one. False when there are too many or they are too wide for that.
bool screen_few(const std::uint16_t* queries, std::int64_t query_tiles, const std::uint16_t* items,
                std::int64_t width, std::int64_t tiles, std::uint32_t first, ScanBuffer* buffers) {
  constexpr int kFew = 6;
  constexpr std::int64_t kWidthMax = 2048;
  int open[kFew], count = 0;
  for (int q = 0; q < query_tiles * kScreenTile; ++q) {
    if (!(buffers[q].threshold < __builtin_inff())) continue;
    if (count == kFew) return false;
    open[count++] = q;
  }
  if (width > kWidthMax) return false;
  alignas(64) std::uint16_t flat[kWidthMax];
  for (int i = 0; i < count; ++i) {
    const std::uint16_t* tile = queries + open[i] / kScreenTile * kScreenTile * width;
    for (std::int64_t k = 0; k < width; k += 2) {
      std::memcpy(flat + k, tile + k * kScreenTile + open[i] % kScreenTile * 2, 4);
    }
    screen_one(flat, items, width, tiles * kScreenTile, first, buffers[open[i]]);
  }
  return true;
}

void screen(const std::uint16_t* queries, std::int64_t query_tiles, const std::uint16_t* items,
            std::int64_t width, std::int64_t tiles, std::uint32_t first, ScanBuffer* buffers) {
  if (screen_few(queries, query_tiles, items, width, tiles, first, buffers)) return;
  alignas(64) float thresholds[kScreenTilesMax * kScreenTile];
  for (std::int64_t q = 0; q < query_tiles * kScreenTile; ++q) thresholds[q] = buffers[q].threshold;
  Sums sums;
  unsigned reached[kItems];
  for (std::int64_t t = 0; t < tiles * (kScreenTile / kItems); ++t) {
    for (std::int64_t q = 0; q < query_tiles * kScreenTile; q += kScreenTile) {
      if (multiply(queries + q * width, items, width, thresholds + q, sums, reached) != 0) {
        push(sums, reached, first, thresholds + q, buffers + q);
      }
    }
    first += kItems;
    items += kItems * width;
  }
}

}  // namespace

const Kernels kAvx512Bf16 = {"avx512_bf16",        avx512::dot, avx512::axpy,
                             avx512::scan,         screen,      avx512::screen_bytes,
                             avx512::count_common, 500.0f};

}  // namespace vitrine::rows

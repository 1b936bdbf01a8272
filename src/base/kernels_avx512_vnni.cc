// Products of bytes (AVX-512 VNNI): one instruction multiplies and adds 64 of them.
#include <immintrin.h>

#include "base/kernels_avx512.h"

namespace vitrine::rows::avx512 {
namespace {

constexpr int kAtOnce = 16;

// The sums of the lanes of sixteen vectors, in their order.
__m512i fold_each(const __m512i (&v)[kAtOnce]) {
  __m512i four[4];
  for (int i = 0; i < 4; ++i) {
    const __m512i* w = v + 4 * i;
    const __m512i a =
        _mm512_add_epi32(_mm512_unpacklo_epi32(w[0], w[1]), _mm512_unpackhi_epi32(w[0], w[1]));
    const __m512i b =
        _mm512_add_epi32(_mm512_unpacklo_epi32(w[2], w[3]), _mm512_unpackhi_epi32(w[2], w[3]));
    four[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
  }
  const auto halves = [](__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
  };
  return halves(halves(four[0], four[1]), halves(four[2], four[3]));
}

__m512i load(const void* bytes, std::int64_t left) {
  return left >= 64 ? _mm512_loadu_si512(bytes) : _mm512_maskz_loadu_epi64(0x0f, bytes);
}

// The sums of sixteen rows that begin at `row`.
__m512i multiply(const std::int8_t* query, const std::uint8_t* const (&row)[kAtOnce],
                 std::int64_t width) {
  __m512i sum[kAtOnce];
  for (__m512i& s : sum) s = _mm512_setzero_si512();
  std::int64_t k = 0;
  for (; k + 64 <= width; k += 64) {
    const __m512i values = _mm512_loadu_si512(query + k);
    for (int j = 0; j < kAtOnce; ++j)
      sum[j] = _mm512_dpbusd_epi32(sum[j], _mm512_loadu_si512(row[j] + k), values);
  }
  if (k < width) {
    const __m512i values = load(query + k, width - k);
    for (int j = 0; j < kAtOnce; ++j)
      sum[j] = _mm512_dpbusd_epi32(sum[j], load(row[j] + k, width - k), values);
  }
  return fold_each(sum);
}

// What the 128 in every value adds.
__m512i offset_of(const std::int8_t* query, std::int64_t width) {
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(-128));  // 128 without a sign
  __m512i sum = _mm512_setzero_si512();
  for (std::int64_t k = 0; k < width; k += 64)
    sum = _mm512_dpbusd_epi32(sum, offset, load(query + k, width - k));
  return _mm512_set1_epi32(_mm512_reduce_add_epi32(sum));
}

void push(ScanBuffer& buffer, __mmask16 reached, __m512i positions, __m512 scores) {
  _mm512_mask_compressstoreu_epi32(buffer.positions + buffer.size, reached, positions);
  _mm512_mask_compressstoreu_ps(buffer.scores + buffer.size, reached, scores);
  buffer.size += static_cast<std::uint32_t>(__builtin_popcount(reached));
  if (buffer.size + kPanel > buffer.capacity) buffer.cut(buffer);
}

}  // namespace

void screen_bytes(const std::int8_t* query, float factor, const ByteRows& rows,
                  const std::uint32_t* positions, std::uint32_t first, std::int64_t count,
                  ScanBuffer& buffer) {
  constexpr std::int64_t kAhead = 2 * kAtOnce;
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i offset = offset_of(query, rows.width);
  const __m512 factors = _mm512_set1_ps(factor);
  for (std::int64_t i = 0; i < count; i += kAtOnce) {
    const int here = static_cast<int>(count - i < kAtOnce ? count - i : kAtOnce);
    const __mmask16 inside = static_cast<__mmask16>((1u << here) - 1);
    const auto begin = first + static_cast<std::uint32_t>(i);
    const std::uint8_t* row[kAtOnce];
    __m512i at;
    __m512 scale;
    if (positions == nullptr) {
      at = _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(begin)), lanes);
      scale = _mm512_maskz_loadu_ps(inside, rows.scales + begin);
      for (int j = 0; j < kAtOnce; ++j)
        row[j] = rows.values + (std::int64_t{begin} + (j < here ? j : here - 1)) * rows.width;
    } else {
      at = _mm512_maskz_loadu_epi32(inside, positions + i);
      scale = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), inside, at, rows.scales, 4);
      for (int j = 0; j < kAtOnce; ++j) {
        row[j] = rows.values + positions[i + (j < here ? j : here - 1)] * rows.width;
        if (i + j + kAhead < count)
          _mm_prefetch(rows.values + positions[i + j + kAhead] * rows.width, _MM_HINT_T0);
      }
    }
    const __m512i sums = _mm512_sub_epi32(multiply(query, row, rows.width), offset);
    const __m512 score = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_mul_ps(factors, scale));
    const __mmask16 reached =
        _mm512_mask_cmp_ps_mask(inside, score, _mm512_set1_ps(buffer.threshold), _CMP_GE_OQ);
    if (reached != 0) push(buffer, reached, at, score);
  }
}

}  // namespace vitrine::rows::avx512

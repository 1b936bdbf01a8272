// AVX-512 F, BW, DQ, VL, VPOPCNTDQ and VNNI (Ice Lake, Zen 4 and later).
#include "base/kernels_avx512.h"

#include <immintrin.h>

namespace vitrine::rows {
namespace avx512 {
namespace {

__mmask16 first_lanes(std::int64_t count) {
  return count >= 16 ? __mmask16{0xffff}
                     : static_cast<__mmask16>((1u << (count > 0 ? count : 0)) - 1);
}

// Lanes in the order of the contract: by halves.
float fold(__m512 v) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

void push(ScanBuffer& buffer, __mmask16 reached, __m512 scores, std::uint32_t first) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i positions = _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(first)), lanes);
  _mm512_mask_compressstoreu_epi32(buffer.positions + buffer.size, reached, positions);
  _mm512_mask_compressstoreu_ps(buffer.scores + buffer.size, reached, scores);
  buffer.size += static_cast<std::uint32_t>(__builtin_popcount(reached));
}

// Q queries by one panel of 32 items: the 2 Q sums stay in registers, and so does the comparison.
template <int Q>
void scan_queries(const float* queries, const float* panel, std::int64_t width, std::int64_t panels,
                  std::uint32_t first, ScanBuffer* buffers) {
  for (std::int64_t p = 0; p < panels; ++p, first += kPanel) {
    __m512 low[Q], high[Q];
    for (int q = 0; q < Q; ++q) low[q] = high[q] = _mm512_setzero_ps();
    const float* query = queries;
    for (std::int64_t k = 0; k < width; ++k, panel += kPanel, query += kScanQueries) {
      const __m512 left = _mm512_loadu_ps(panel), right = _mm512_loadu_ps(panel + 16);
      for (int q = 0; q < Q; ++q) {
        const __m512 value = _mm512_set1_ps(query[q]);
        low[q] = _mm512_fmadd_ps(value, left, low[q]);
        high[q] = _mm512_fmadd_ps(value, right, high[q]);
      }
    }
    for (int q = 0; q < Q; ++q) {
      ScanBuffer& buffer = buffers[q];
      const __m512 threshold = _mm512_set1_ps(buffer.threshold);
      const __mmask16 a = _mm512_cmp_ps_mask(low[q], threshold, _CMP_GE_OQ);
      const __mmask16 b = _mm512_cmp_ps_mask(high[q], threshold, _CMP_GE_OQ);
      if (_kortestz_mask16_u8(a, b) != 0) continue;
      push(buffer, a, low[q], first);
      push(buffer, b, high[q], first + 16);
      if (buffer.size + kPanel > buffer.capacity) buffer.cut(buffer);
    }
  }
}

// The shared bits of one row with J others.
template <int J>
void common_bits(const std::uint64_t* a, const std::uint64_t* b, std::int64_t words,
                 float* counts) {
  __m512i sum[J];
  for (int j = 0; j < J; ++j) sum[j] = _mm512_setzero_si512();
  for (std::int64_t w = 0; w < words; w += 8) {
    const __m512i left = _mm512_loadu_si512(a + w);
    for (int j = 0; j < J; ++j) {
      const __m512i both = _mm512_and_si512(left, _mm512_loadu_si512(b + j * words + w));
      sum[j] = _mm512_add_epi64(sum[j], _mm512_popcnt_epi64(both));
    }
  }
  for (int j = 0; j < J; ++j) counts[j] += static_cast<float>(_mm512_reduce_add_epi64(sum[j]));
}

}  // namespace

float dot(const float* a, const float* b, std::int64_t n) {
  __m512 sum[4];
  for (__m512& s : sum) s = _mm512_setzero_ps();
  std::int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    for (int l = 0; l < 4; ++l) {
      const std::int64_t at = i + l * 16;
      sum[l] = _mm512_fmadd_ps(_mm512_loadu_ps(a + at), _mm512_loadu_ps(b + at), sum[l]);
    }
  }
  for (int l = 0; l < 4 && i + l * 16 < n; ++l) {
    const std::int64_t at = i + l * 16;
    const __mmask16 lanes = first_lanes(n - at);
    sum[l] = _mm512_mask3_fmadd_ps(_mm512_maskz_loadu_ps(lanes, a + at),
                                   _mm512_maskz_loadu_ps(lanes, b + at), sum[l], lanes);
  }
  return fold(_mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

void axpy(float alpha, const float* x, float* y, std::int64_t n) {
  const __m512 factor = _mm512_set1_ps(alpha);
  std::int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    for (int l = 0; l < 4; ++l) {
      const std::int64_t at = i + l * 16;
      const __m512 sum = _mm512_fmadd_ps(factor, _mm512_loadu_ps(x + at), _mm512_loadu_ps(y + at));
      _mm512_storeu_ps(y + at, sum);
    }
  }
  for (; i < n; i += 16) {
    const __mmask16 lanes = first_lanes(n - i);
    const __m512 sum = _mm512_fmadd_ps(factor, _mm512_maskz_loadu_ps(lanes, x + i),
                                       _mm512_maskz_loadu_ps(lanes, y + i));
    _mm512_mask_storeu_ps(y + i, lanes, sum);
  }
}

void scan(const float* queries, int count, const float* panel, std::int64_t width,
          std::int64_t panels, std::uint32_t first, ScanBuffer* buffers) {
  using Scan =
      void (*)(const float*, const float*, std::int64_t, std::int64_t, std::uint32_t, ScanBuffer*);
  static constexpr Scan kByCount[kScanQueries] = {
      scan_queries<1>, scan_queries<2>,  scan_queries<3>,  scan_queries<4>,
      scan_queries<5>, scan_queries<6>,  scan_queries<7>,  scan_queries<8>,
      scan_queries<9>, scan_queries<10>, scan_queries<11>, scan_queries<12>};
  kByCount[count - 1](queries, panel, width, panels, first, buffers);
}

// Rows of b in groups that stay in the second-level cache, rows of a one by one.
void count_common(const std::uint64_t* a, std::int64_t a_rows, const std::uint64_t* b,
                  std::int64_t b_rows, std::int64_t words, float* counts, std::int64_t stride) {
  for (std::int64_t i = 0; i < a_rows; ++i) {
    std::int64_t j = 0;
    for (; j + 8 <= b_rows; j += 8) {
      common_bits<8>(a + i * words, b + j * words, words, counts + i * stride + j);
    }
    for (; j < b_rows; ++j) {
      common_bits<1>(a + i * words, b + j * words, words, counts + i * stride + j);
    }
  }
}

}  // namespace avx512

const Kernels kAvx512 = {"avx512", avx512::dot,          avx512::axpy,         avx512::scan,
                         nullptr,  avx512::screen_bytes, avx512::count_common, 500.0f};

}  // namespace vitrine::rows

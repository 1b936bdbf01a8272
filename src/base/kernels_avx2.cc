// AVX2 and FMA (Haswell, Zen and later).
#include <immintrin.h>

#include "base/kernels_rows.h"

namespace vitrine::rows {
namespace {

float dot(const float* a, const float* b, std::int64_t n) {
  __m256 sum[8];
  for (__m256& s : sum) s = _mm256_setzero_ps();
  std::int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    for (int l = 0; l < 8; ++l) {
      const std::int64_t at = i + l * 8;
      sum[l] = _mm256_fmadd_ps(_mm256_loadu_ps(a + at), _mm256_loadu_ps(b + at), sum[l]);
    }
  }
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  for (int l = 0; l < 8 && i + l * 8 < n; ++l) {
    const std::int64_t at = i + l * 8;
    const __m256i inside =
        _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n - at < 8 ? n - at : 8)), lanes);
    sum[l] = _mm256_fmadd_ps(_mm256_maskload_ps(a + at, inside), _mm256_maskload_ps(b + at, inside),
                             sum[l]);
  }
  // Vectors 2 v and 2 v + 1 are the halves of vector v of sixteen lanes.
  const __m256 low = _mm256_add_ps(_mm256_add_ps(sum[0], sum[2]), _mm256_add_ps(sum[4], sum[6]));
  const __m256 high = _mm256_add_ps(_mm256_add_ps(sum[1], sum[3]), _mm256_add_ps(sum[5], sum[7]));
  const __m256 eight = _mm256_add_ps(low, high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

void axpy(float alpha, const float* x, float* y, std::int64_t n) {
  const __m256 factor = _mm256_set1_ps(alpha);
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    _mm256_storeu_ps(y + i,
                     _mm256_fmadd_ps(factor, _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
  }
  for (; i < n; ++i) y[i] = __builtin_fmaf(alpha, x[i], y[i]);
}

// Bits of `reached` are lanes of the panel; rare, so one by one.
void push(ScanBuffer& buffer, unsigned reached, const float* scores, std::uint32_t first) {
  for (; reached != 0; reached &= reached - 1) {
    const int lane = __builtin_ctz(reached);
    buffer.positions[buffer.size] = first + static_cast<std::uint32_t>(lane);
    buffer.scores[buffer.size++] = scores[lane];
  }
  if (buffer.size + kPanel > buffer.capacity) buffer.cut(buffer);
}

// Q queries by one panel of 32 items: 4 Q sums in registers.
template <int Q>
void scan_panel(const float* query, const float* panel, std::int64_t width, std::uint32_t first,
                ScanBuffer* buffers) {
  __m256 sum[Q][4];
  for (int q = 0; q < Q; ++q) {
    for (int v = 0; v < 4; ++v) sum[q][v] = _mm256_setzero_ps();
  }
  for (std::int64_t k = 0; k < width; ++k, panel += kPanel, query += kScanQueries) {
    __m256 value[Q];
    for (int q = 0; q < Q; ++q) value[q] = _mm256_broadcast_ss(query + q);
    for (int v = 0; v < 4; ++v) {
      const __m256 items = _mm256_loadu_ps(panel + v * 8);
      for (int q = 0; q < Q; ++q) sum[q][v] = _mm256_fmadd_ps(value[q], items, sum[q][v]);
    }
  }
  for (int q = 0; q < Q; ++q) {
    const __m256 threshold = _mm256_set1_ps(buffers[q].threshold);
    unsigned reached = 0;
    for (int v = 0; v < 4; ++v) {
      const __m256 above = _mm256_cmp_ps(sum[q][v], threshold, _CMP_GE_OQ);
      reached |= static_cast<unsigned>(_mm256_movemask_ps(above)) << (8 * v);
    }
    if (reached == 0) continue;
    alignas(32) float scores[kPanel];
    for (int v = 0; v < 4; ++v) _mm256_store_ps(scores + v * 8, sum[q][v]);
    push(buffers[q], reached, scores, first);
  }
}

void scan(const float* queries, int count, const float* panel, std::int64_t width,
          std::int64_t panels, std::uint32_t first, ScanBuffer* buffers) {
  for (std::int64_t p = 0; p < panels; ++p, panel += width * kPanel, first += kPanel) {
    int q = 0;
    for (; q + 3 <= count; q += 3) scan_panel<3>(queries + q, panel, width, first, buffers + q);
    if (count - q == 2) scan_panel<2>(queries + q, panel, width, first, buffers + q);
    if (count - q == 1) scan_panel<1>(queries + q, panel, width, first, buffers + q);
  }
}

__m128i load_16(const void* bytes) { return _mm_loadu_si128(static_cast<const __m128i*>(bytes)); }

// The sum of products of one row; sixteen bits hold a byte with its sign, thirty-two the products
// of two pairs.
__m256i byte_products(const std::int8_t* query, const std::uint8_t* row, std::int64_t width) {
  __m256i sum[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  for (std::int64_t k = 0; k < width; k += kByteWidth) {
    for (int half = 0; half < 2; ++half) {
      const __m256i q = _mm256_cvtepi8_epi16(load_16(query + k + 16 * half));
      const __m256i v = _mm256_cvtepu8_epi16(load_16(row + k + 16 * half));
      sum[half] = _mm256_add_epi32(sum[half], _mm256_madd_epi16(q, v));
    }
  }
  return _mm256_add_epi32(sum[0], sum[1]);
}

// The eight sums of the lanes of eight vectors.
__m256i fold_each(const __m256i (&v)[8]) {
  const auto four = [](const __m256i* w) {
    return _mm256_hadd_epi32(_mm256_hadd_epi32(w[0], w[1]), _mm256_hadd_epi32(w[2], w[3]));
  };
  const __m256i a = four(v), b = four(v + 4);
  return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                          _mm256_permute2x128_si256(a, b, 0x31));
}

void screen_bytes(const std::int8_t* query, float factor, const ByteRows& rows,
                  const std::uint32_t* positions, std::uint32_t first, std::int64_t count,
                  ScanBuffer& buffer) {
  constexpr int kAtOnce = 8, kAhead = 16;
  std::int32_t offset = 0;  // what the 128 in every value adds
  for (std::int64_t k = 0; k < rows.width; ++k) offset += 128 * query[k];
  for (std::int64_t i = 0; i < count; i += kAtOnce) {
    const int here = static_cast<int>(count - i < kAtOnce ? count - i : kAtOnce);
    alignas(32) std::uint32_t at[kAtOnce];
    alignas(32) float scale[kAtOnce], scores[kAtOnce];
    __m256i sum[kAtOnce];
    for (int j = 0; j < kAtOnce; ++j) {
      const std::int64_t place = i + (j < here ? j : here - 1);
      at[j] = positions == nullptr ? first + static_cast<std::uint32_t>(place) : positions[place];
      if (positions != nullptr && place + kAhead < count)
        __builtin_prefetch(rows.values + positions[place + kAhead] * rows.width);
      scale[j] = rows.scales[at[j]];
      sum[j] = byte_products(query, rows.values + at[j] * rows.width, rows.width);
    }
    const __m256i exact = _mm256_sub_epi32(fold_each(sum), _mm256_set1_epi32(offset));
    const __m256 score = _mm256_mul_ps(
        _mm256_cvtepi32_ps(exact), _mm256_mul_ps(_mm256_set1_ps(factor), _mm256_load_ps(scale)));
    const __m256 above = _mm256_cmp_ps(score, _mm256_set1_ps(buffer.threshold), _CMP_GE_OQ);
    unsigned reached = static_cast<unsigned>(_mm256_movemask_ps(above)) & ((1u << here) - 1);
    if (reached == 0) continue;
    _mm256_store_ps(scores, score);
    for (; reached != 0; reached &= reached - 1) {
      const int lane = __builtin_ctz(reached);
      buffer.positions[buffer.size] = at[lane];
      buffer.scores[buffer.size++] = scores[lane];
    }
    if (buffer.size + kPanel > buffer.capacity) buffer.cut(buffer);
  }
}

// The bits of each byte by two look-ups of four bits (Mula, Kurz, Lemire 2018, "Faster population
// counts using AVX2 instructions", section 2.3).
__m256i bits_of_bytes(__m256i v) {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                         0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i nibble = _mm256_set1_epi8(15);
  const __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(v, nibble));
  const __m256i high =
      _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble));
  return _mm256_add_epi8(low, high);
}

__m256i load(const std::uint64_t* words) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(words)));
}

std::int64_t common_bits(const std::uint64_t* a, const std::uint64_t* b, std::int64_t words) {
  const __m256i zero = _mm256_setzero_si256();
  __m256i total = zero;
  for (std::int64_t w = 0; w < words; w += 8) {
    const __m256i x = bits_of_bytes(_mm256_and_si256(load(a + w), load(b + w)));
    const __m256i y = bits_of_bytes(_mm256_and_si256(load(a + w + 4), load(b + w + 4)));
    total = _mm256_add_epi64(total, _mm256_sad_epu8(_mm256_add_epi8(x, y), zero));
  }
  const __m128i two =
      _mm_add_epi64(_mm256_castsi256_si128(total), _mm256_extracti128_si256(total, 1));
  return _mm_extract_epi64(two, 0) + _mm_extract_epi64(two, 1);
}

void count_common(const std::uint64_t* a, std::int64_t a_rows, const std::uint64_t* b,
                  std::int64_t b_rows, std::int64_t words, float* counts, std::int64_t stride) {
  for (std::int64_t i = 0; i < a_rows; ++i) {
    for (std::int64_t j = 0; j < b_rows; ++j) {
      counts[i * stride + j] +=
          static_cast<float>(common_bits(a + i * words, b + j * words, words));
    }
  }
}

}  // namespace

const Kernels kAvx2 = {"avx2", dot, axpy, scan, nullptr, screen_bytes, count_common, 120.0f};

}  // namespace vitrine::rows

#include "base/kernels_rows.h"

namespace vitrine::rows {
namespace {

constexpr int kLanes = 64;

float dot(const float* a, const float* b, std::int64_t n) {
  float lane[kLanes] = {};
  for (std::int64_t i = 0; i < n; ++i) {
    lane[i % kLanes] = __builtin_fmaf(a[i], b[i], lane[i % kLanes]);
  }
  // 64 lanes as four vectors of 16: (0 + 1) + (2 + 3), then by halves.
  for (int i = 0; i < 16; ++i) {
    lane[i] = (lane[i] + lane[16 + i]) + (lane[32 + i] + lane[48 + i]);
  }
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[half + i];
  }
  return lane[0];
}

void axpy(float alpha, const float* x, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = __builtin_fmaf(alpha, x[i], y[i]);
}

void scan(const float* queries, int count, const float* panel, std::int64_t width,
          std::int64_t panels, std::uint32_t first, ScanBuffer* buffers) {
  for (std::int64_t p = 0; p < panels; ++p, panel += width * kPanel, first += kPanel) {
    for (int q = 0; q < count; ++q) {
      float score[kPanel] = {};
      for (std::int64_t k = 0; k < width; ++k) {
        const float value = queries[k * kScanQueries + q];
        for (int c = 0; c < kPanel; ++c) {
          score[c] = __builtin_fmaf(value, panel[k * kPanel + c], score[c]);
        }
      }
      ScanBuffer& buffer = buffers[q];
      for (int c = 0; c < kPanel; ++c) {
        if (!(score[c] >= buffer.threshold)) continue;
        buffer.positions[buffer.size] = first + static_cast<std::uint32_t>(c);
        buffer.scores[buffer.size++] = score[c];
      }
      if (buffer.size + kPanel > buffer.capacity) buffer.cut(buffer);
    }
  }
}

void screen_bytes(const std::int8_t* query, float factor, const ByteRows& rows,
                  const std::uint32_t* positions, std::uint32_t first, std::int64_t count,
                  ScanBuffer& buffer) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint32_t position =
        positions == nullptr ? first + static_cast<std::uint32_t>(i) : positions[i];
    const std::uint8_t* row = rows.values + position * rows.width;
    std::int32_t sum = 0;
    for (std::int64_t k = 0; k < rows.width; ++k) sum += query[k] * (row[k] - 128);
    const float score = static_cast<float>(sum) * (factor * rows.scales[position]);
    if (!(score >= buffer.threshold)) continue;
    buffer.positions[buffer.size] = position;
    buffer.scores[buffer.size++] = score;
    if (buffer.size + kPanel > buffer.capacity) buffer.cut(buffer);
  }
}

void count_common(const std::uint64_t* a, std::int64_t a_rows, const std::uint64_t* b,
                  std::int64_t b_rows, std::int64_t words, float* counts, std::int64_t stride) {
  for (std::int64_t i = 0; i < a_rows; ++i) {
    for (std::int64_t j = 0; j < b_rows; ++j) {
      std::int64_t sum = 0;
      for (std::int64_t w = 0; w < words; ++w) {
        sum += __builtin_popcountll(a[i * words + w] & b[j * words + w]);
      }
      counts[i * stride + j] += static_cast<float>(sum);
    }
  }
}

}  // namespace

const Kernels kScalar = {"scalar", dot, axpy, scan, nullptr, screen_bytes, count_common, 100.0f};

}  // namespace vitrine::rows

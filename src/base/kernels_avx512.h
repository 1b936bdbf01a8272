// The AVX-512 loops that the rows built on it share. Internal to the rows of the kernel table.
#pragma once

#include "base/kernels_rows.h"

namespace vitrine::rows::avx512 {

float dot(const float* a, const float* b, std::int64_t n);
void axpy(float alpha, const float* x, float* y, std::int64_t n);
void scan(const float* queries, int count, const float* panel, std::int64_t width,
          std::int64_t panels, std::uint32_t first, ScanBuffer* buffers);
void screen_bytes(const std::int8_t* query, float factor, const ByteRows& rows,
                  const std::uint32_t* positions, std::uint32_t first, std::int64_t count,
                  ScanBuffer& buffer);
void count_common(const std::uint64_t* a, std::int64_t a_rows, const std::uint64_t* b,
                  std::int64_t b_rows, std::int64_t words, float* counts, std::int64_t stride);

}  // namespace vitrine::rows::avx512

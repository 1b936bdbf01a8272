// The AVX-512 loops that the AMX row shares. Internal to the rows of the kernel table.
#pragma once

#include "base/kernels_rows.h"

namespace vitrine::rows::avx512 {

float dot(const float* a, const float* b, std::int64_t n);
void axpy(float alpha, const float* x, float* y, std::int64_t n);
void scan(const float* queries, int count, const float* panel, std::int64_t width,
          std::int64_t panels, std::uint32_t first, ScanBuffer* buffers);

}  // namespace vitrine::rows::avx512

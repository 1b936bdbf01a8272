// The kernel table: the few loops that decide the speed of the whole, one row per instruction set. The
// best row that this processor runs is chosen once; the scalar row always builds and is the oracle of the
// others. Everything that is not here is a plain loop. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace vitrine {

// One query row's running selection in a fused scan: the best scores so far above a threshold.
struct Candidate;

struct Kernels {
  std::string_view name;  // "scalar", "avx2", "avx512", "amx"
  float (*dot)(const float* a, const float* b, std::int64_t n);
  void (*axpy)(float alpha, const float* x, float* y, std::int64_t n);  // y += alpha x
  // Fused scan: scores of `queries` query rows (q, stride q_stride floats) against `items` packed in
  // panels of kPanel columns, k-major (see pack_panels), calling for each score that beats
  // threshold[query] a push of (item, score) into that query's buffer. See index/scan.cc.
  void (*scan_panel)(const float* q, std::int64_t q_stride, std::int64_t queries, const float* panel,
                     std::int64_t k, std::uint32_t first_item, struct ScanBuffer* buffers);
  // gram += X^T X for a dense 0/1 block, counts exact: rows x cols bytes (row-major, row_stride bytes,
  // cols a multiple of 64), gram cols x cols floats with stride gram_stride; the lower triangle at least.
  void (*gram_counts)(const std::uint8_t* x, std::int64_t rows, std::int64_t cols,
                      std::int64_t row_stride, float* gram, std::int64_t gram_stride);
};

// Where a fused scan pushes what beats the threshold of one query. `threshold` is read by the kernel and
// raised by whoever cuts the buffer back. A kernel stops pushing into a full buffer by calling `cut`.
struct ScanBuffer {
  float threshold;
  std::uint32_t size;
  std::uint32_t capacity;
  std::uint32_t* items;
  float* scores;
  void (*cut)(ScanBuffer&);  // keeps the best, raises the threshold, leaves room for a panel
  void* owner;
};

inline constexpr int kPanel = 32;  // columns of a packed panel

const Kernels& kernels();                                  // the best row of this processor
const Kernels* kernels_named(std::string_view name);       // null when this processor or build lacks it
std::span<const Kernels* const> all_kernels();             // those that run here, scalar first

}  // namespace vitrine

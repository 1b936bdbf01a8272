// How often two columns of a 0/1 matrix are both set: X^T X, the Gram matrix of interactions.
#pragma once

#include <cstdint>

#include "base/kernels.h"
#include "base/matrix.h"
#include "base/parallel.h"

namespace vitrine {

// A 0/1 matrix by rows: row r has ones at columns[offsets[r]] ... columns[offsets[r + 1] - 1],
// strictly ascending and below `cols`.
struct BinaryRows {
  const std::uint64_t* offsets;
  const std::uint32_t* columns;
  std::int64_t rows, cols;
};

// out (cols x cols, overwritten) = X^T X, both triangles: the number of rows that have both
// columns; how many rows have a column on the diagonal. Exact below 2^24, rounded above. Picks the
// cheaper of the two ways below by their predicted cost; both give the same bits on any number of
// threads.
void cooccurrence_counts(ThreadPool& pool, const BinaryRows& x, MatrixView<float> out,
                         const Kernels& kernels = vitrine::kernels());

// One update for each pair of ones in a row: sum of n (n + 1) / 2 over the rows.
void count_pairs_sparse(ThreadPool& pool, const BinaryRows& x, MatrixView<float> out);
// Columns as bitmaps, compared by the kernel table: rows * cols^2 / 2 bits.
void count_pairs_dense(ThreadPool& pool, const BinaryRows& x, MatrixView<float> out,
                       const Kernels& kernels);

}  // namespace vitrine

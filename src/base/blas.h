// Dense products and factorisations through OpenBLAS and LAPACK, in float32, row-major. The library
// runs single-threaded inside our own pool: its threads and ours would fight for the same cores.
// Results do not depend on the number of threads of the pool.
#pragma once

#include <span>

#include "base/matrix.h"
#include "base/parallel.h"
#include "base/result.h"

namespace vitrine {

// C = alpha A B + beta C; transposes as flags. Shapes must agree (VT_CHECK).
void gemm(ThreadPool& pool, float alpha, MatrixView<const float> a, bool transpose_a,
          MatrixView<const float> b, bool transpose_b, float beta, MatrixView<float> c);

// C = alpha A^T A + beta C, both triangles filled.
void syrk(ThreadPool& pool, float alpha, MatrixView<const float> a, float beta,
          MatrixView<float> c);

// Copies the lower triangle of a square matrix into the upper one.
void fill_upper(ThreadPool& pool, MatrixView<float> a);

// A <- A^-1 for a symmetric positive definite A (Cholesky, by halves), both triangles filled.
// kInvalid when A is not positive definite; A is then undefined.
Status invert_spd(ThreadPool& pool, MatrixView<float> a);

// Solves A X = B in place of B for a symmetric positive definite A; A is overwritten by its factor.
Status solve_spd(MatrixView<float> a, MatrixView<float> b);

// A <- the eigenvectors of a symmetric A as rows, by descending eigenvalue, computed in double.
// kInvalid when A is not finite.
Status eigenvectors(MatrixView<float> a);

// A <- Q with orthonormal columns, where A = Q T with an upper triangular T (Householder; at least
// as many rows as columns, VT_CHECK). T is written where it is wanted (cols x cols). Whatever the
// rank of A, Q is orthonormal. In this thread; 4 rows cols^2 multiplications.
void orthonormalize(MatrixView<float> a, MatrixView<float> triangle = {});

// A = U diag(values) V^T of a small square matrix, values falling; A is overwritten, V^T is written
// by rows. kInvalid when it does not converge, which finite values do not cause. In this thread.
Status small_svd(MatrixView<float> a, MatrixView<float> u, std::span<float> values,
                 MatrixView<float> v_transposed);

}  // namespace vitrine

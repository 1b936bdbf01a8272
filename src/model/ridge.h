// The small ridge regression that factor models solve by the hundred thousand, one for each person
// or item: with C the rows of what they took, n of them,
//
//   y = argmin |t - C y|^2 + |y - r|^2       that is   (I + C^T C) y = C^T t + r
//
// A background term and weights are in it already when the rows come in a basis where the
// background is the identity (model/factors.h, model/als.h). Short histories are solved in their
// own n dimensions, y = C^T s + r with (I + C C^T) s = t - C r, which costs n^2 k + n^3 / 3 instead
// of n k^2 + k^3 / 3.
//
// A workspace for one thread: reset(), fill rows and targets, then one of the three solvers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/matrix.h"
#include "base/parallel.h"

namespace vitrine {

class Ridge {
 public:
  explicit Ridge(std::int64_t width);

  void reset(std::int64_t rows);
  std::span<float> row(std::int64_t i) { return rows_.row(i); }  // to be filled, `width` values
  float& target(std::int64_t i) { return targets_[static_cast<std::size_t>(i)]; }

  // All read y on entry and leave their answer there; `width` values. False when the system is not
  // positive definite in float32, which takes rows near its limits; y is then undefined.
  bool solve(std::span<float> y);  // y holds r
  // For r = 0, from y on: the block Gauss-Seidel of iALS++ (Rendle et al. 2021, "iALS++: speeding
  // up matrix factorization with subspace optimization"), each block of columns solved exactly.
  bool solve_blocks(std::span<float> y, std::int64_t block);
  // For r = 0, from y on: steps of conjugate gradients.
  void descend(std::span<float> y, int steps);

 private:
  bool solve_columns(std::int64_t begin, std::int64_t end, std::span<const float> targets,
                     float* y);
  bool solve_system(MatrixView<float> a, float* b);

  std::int64_t width_, count_ = 0;
  Matrix rows_, system_;
  std::vector<float> targets_, left_, right_, y_, residual_, direction_, image_;
  ThreadPool here_;
};

}  // namespace vitrine

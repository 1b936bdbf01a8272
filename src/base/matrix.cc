#include "base/matrix.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/result.h"

namespace vitrine {

Matrix::Matrix(std::int64_t rows, std::int64_t cols)
    : rows_(rows), cols_(cols), stride_((cols + 15) / 16 * 16) {
  VT_CHECK(rows >= 0 && cols >= 0);
  if (bytes() == 0) return;
  auto* p = static_cast<float*>(std::aligned_alloc(64, bytes()));
  if (p == nullptr) throw std::bad_alloc();
  std::memset(p, 0, bytes());
  data_.reset(p);
}

void Matrix::Free::operator()(float* p) const { std::free(p); }

}  // namespace vitrine

#include "base/matrix.h"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

TEST(Matrix, RowsStartOnCacheLinesAndPaddingIsZero) {
  for (const std::int64_t cols : {0, 1, 15, 16, 17, 64, 100}) {
    Matrix m(3, cols);
    EXPECT_EQ(m.stride() % 16, 0);
    EXPECT_GE(m.stride(), cols);
    EXPECT_LT(m.stride(), cols + 16);
    EXPECT_EQ(m.bytes(), static_cast<std::size_t>(3 * m.stride()) * sizeof(float));
    for (std::int64_t i = 0; i < 3; ++i) {
      EXPECT_EQ(m.row(i).size(), static_cast<std::size_t>(cols));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(m.row(i).data()) % 64, 0U);
      for (std::int64_t j = 0; j < m.stride(); ++j) EXPECT_EQ(m.data()[i * m.stride() + j], 0.0F);
    }
  }
}

TEST(Matrix, ElementsRowsAndViewsAreTheSameMemory) {
  Matrix m(4, 5);
  m(2, 3) = 7;
  EXPECT_EQ(m.row(2)[3], 7.0F);
  MatrixView<float> view = m.view();
  view.row(3)[4] = 8;
  const Matrix& fixed = m;
  EXPECT_EQ(fixed(3, 4), 8.0F);
  const MatrixView<const float> read_only = view;
  EXPECT_EQ(read_only.row(2)[3], 7.0F);
  EXPECT_EQ(fixed.view().stride, m.stride());
}

TEST(Matrix, EmptyAndMoved) {
  const Matrix none;
  EXPECT_EQ(none.rows(), 0);
  EXPECT_EQ(none.bytes(), 0U);
  EXPECT_EQ(Matrix(0, 7).bytes(), 0U);
  Matrix a(2, 2);
  a(1, 1) = 3;
  const Matrix b = std::move(a);
  EXPECT_EQ(b(1, 1), 3.0F);
}

TEST(MatrixDeathTest, RefusesNegativeSizes) { EXPECT_DEATH(Matrix(-1, 2), "broken invariant"); }

}  // namespace
}  // namespace vitrine

// Dense row-major float matrices. Rows are padded to 16 floats (64 bytes) so that each starts on a
// cache line; `stride()` is the distance between rows in floats. The padding is always zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace vitrine {

// A view that owns nothing. `T` is float or const float.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;
  std::span<T> row(std::int64_t i) const {
    return {data + i * stride, static_cast<std::size_t>(cols)};
  }
  operator MatrixView<const T>() const { return {data, rows, cols, stride}; }  // NOLINT: implicit
};

class Matrix {
 public:
  Matrix() = default;
  // Zero-filled. Aborts when memory is exhausted: callers that size by data check first.
  Matrix(std::int64_t rows, std::int64_t cols);

  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  std::int64_t stride() const { return stride_; }
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  std::size_t bytes() const { return static_cast<std::size_t>(rows_ * stride_) * sizeof(float); }
  std::span<float> row(std::int64_t i) {
    return {data_.get() + i * stride_, static_cast<std::size_t>(cols_)};
  }
  std::span<const float> row(std::int64_t i) const {
    return {data_.get() + i * stride_, static_cast<std::size_t>(cols_)};
  }
  float& operator()(std::int64_t i, std::int64_t j) {
    return data_[static_cast<std::size_t>(i * stride_ + j)];
  }
  float operator()(std::int64_t i, std::int64_t j) const {
    return data_[static_cast<std::size_t>(i * stride_ + j)];
  }
  MatrixView<float> view() { return {data(), rows_, cols_, stride_}; }
  MatrixView<const float> view() const { return {data(), rows_, cols_, stride_}; }

 private:
  struct Free {
    void operator()(float* p) const;
  };
  std::int64_t rows_ = 0, cols_ = 0, stride_ = 0;
  std::unique_ptr<float[], Free> data_;
};

}  // namespace vitrine

// Adam (Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1) on the
// rows of a matrix. Different rows may be updated by different threads at once.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "base/matrix.h"

namespace vitrine {

class Adam {
 public:
  Adam(std::int64_t rows, std::int64_t cols) : first_(rows, cols), second_(rows, cols) {}

  void begin_step(double rate) {
    ++steps_;
    const auto steps = static_cast<double>(steps_);
    step_ = static_cast<float>(rate / (1 - std::pow(double{kFirst}, steps)));
    repair_ = static_cast<float>(1 / (1 - std::pow(double{kSecond}, steps)));
  }

  // Every row once per step, also where the gradient is zero.
  void update(std::int64_t row, std::span<const float> gradient, std::span<float> values) {
    float* first = first_.row(row).data();
    float* second = second_.row(row).data();
    for (std::size_t c = 0; c < values.size(); ++c) {
      const float g = gradient[c];
      first[c] = kFirst * first[c] + (1 - kFirst) * g;
      second[c] = kSecond * second[c] + (1 - kSecond) * g * g;
      values[c] -= step_ * first[c] / (std::sqrt(repair_ * second[c]) + kEpsilon);
    }
  }

 private:
  static constexpr float kFirst = 0.9f, kSecond = 0.999f, kEpsilon = 1e-8f;
  float step_ = 0, repair_ = 1;
  std::int64_t steps_ = 0;
  Matrix first_, second_;  // moments
};

}  // namespace vitrine

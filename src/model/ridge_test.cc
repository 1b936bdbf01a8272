#include "model/ridge.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "base/random.h"
#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::near;

struct Problem {
  Matrix rows;
  std::vector<float> targets, right;
};

Problem random_problem(std::int64_t count, std::int64_t width, std::uint64_t seed) {
  Problem p{Matrix(count, width), {}, {}};
  const Random random(seed);
  std::uint64_t draw = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    for (float& v : p.rows.row(i)) v = static_cast<float>(random.normal(draw++));
    p.targets.push_back(static_cast<float>(random.normal(draw++)));
  }
  for (std::int64_t k = 0; k < width; ++k)
    p.right.push_back(static_cast<float>(random.normal(draw++)));
  return p;
}

void fill(Ridge& ridge, const Problem& p) {
  ridge.reset(p.rows.rows());
  for (std::int64_t i = 0; i < p.rows.rows(); ++i) {
    std::ranges::copy(p.rows.row(i), ridge.row(i).begin());
    ridge.target(i) = p.targets[static_cast<std::size_t>(i)];
  }
}

// (I + C^T C) y = C^T t + r by Gaussian elimination in double.
std::vector<double> slow(const Problem& p, bool with_right) {
  const auto n = static_cast<std::size_t>(p.rows.cols());
  std::vector<std::vector<double>> a(n, std::vector<double>(n));
  std::vector<double> y(n);
  for (std::size_t k = 0; k < n; ++k) {
    a[k][k] = 1;
    if (with_right) y[k] = double{p.right[k]};
  }
  for (std::int64_t i = 0; i < p.rows.rows(); ++i) {
    const auto row = p.rows.row(i);
    for (std::size_t k = 0; k < n; ++k) {
      y[k] += double{row[k]} * double{p.targets[static_cast<std::size_t>(i)]};
      for (std::size_t l = 0; l < n; ++l) a[k][l] += double{row[k]} * double{row[l]};
    }
  }
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = k + 1; i < n; ++i) {
      const double factor = a[i][k] / a[k][k];
      for (std::size_t l = k; l < n; ++l) a[i][l] -= factor * a[k][l];
      y[i] -= factor * y[k];
    }
  }
  for (std::size_t k = n; k-- > 0;) {
    for (std::size_t l = k + 1; l < n; ++l) y[k] -= a[k][l] * y[l];
    y[k] /= a[k][k];
  }
  return y;
}

void expect_near(std::span<const float> got, std::span<const double> expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t k = 0; k < got.size(); ++k) {
    EXPECT_TRUE(near(got[k], expected[k], tolerance)) << k << ": " << got[k] << " " << expected[k];
  }
}

// Every way through: short and long, small and blocked systems, and one workspace for all of them.
TEST(Ridge, SolvesTheNormalEquations) {
  for (const std::int64_t width : {1, 5, 16, 64, 200}) {
    Ridge ridge(width);
    for (const std::int64_t count : {300, 1, 7, 40, 180, 64, 2}) {
      const Problem p = random_problem(count, width, static_cast<std::uint64_t>(count + width));
      fill(ridge, p);
      std::vector<float> y = p.right;
      ASSERT_TRUE(ridge.solve(y));
      expect_near(y, slow(p, true), 1e-3);
    }
  }
}

TEST(Ridge, TheOtherSolversReachTheSamePlace) {
  for (const std::int64_t count : {3, 20, 90}) {
    for (const std::int64_t width : {40, 64, 100}) {
      const Problem p = random_problem(count, width, 5);
      Ridge ridge(width);
      std::vector<float> by_steps = p.right, by_blocks = p.right;
      for (int turn = 0; turn < 400; ++turn) {
        fill(ridge, p);
        ridge.descend(by_steps, 3);
        ASSERT_TRUE(ridge.solve_blocks(by_blocks, 16));
      }
      expect_near(by_steps, slow(p, false), 2e-3);
      expect_near(by_blocks, slow(p, false), 2e-3);
    }
  }
}

TEST(Ridge, NoStepGoesUp) {
  EXPECT_TRUE(rc::check([] {
    const auto count = *rc::gen::inRange<std::int64_t>(1, 50);
    const auto width = *rc::gen::inRange<std::int64_t>(1, 50);
    const Problem p = random_problem(count, width, *rc::gen::arbitrary<std::uint64_t>());
    const auto loss = [&](std::span<const float> y) {
      double sum = 0;
      for (const float v : y) sum += double{v} * double{v};
      for (std::int64_t i = 0; i < count; ++i) {
        double error = double{p.targets[static_cast<std::size_t>(i)]};
        for (std::size_t k = 0; k < y.size(); ++k) error -= double{y[k]} * double{p.rows.row(i)[k]};
        sum += error * error;
      }
      return sum;
    };
    Ridge ridge(width);
    fill(ridge, p);
    std::vector<float> y = p.right;
    double before = loss(y);
    for (const bool blocks : {false, true, false, true}) {
      if (blocks)
        RC_ASSERT(ridge.solve_blocks(y, 16));
      else
        ridge.descend(y, 1);
      RC_ASSERT(loss(y) <= before * (1 + 1e-5) + 1e-5);
      before = loss(y);
    }
  }));
}

TEST(Ridge, SaysWhenFloatIsNotEnough) {
  Ridge ridge(4);
  ridge.reset(2);
  for (std::int64_t i = 0; i < 2; ++i) {
    std::ranges::fill(ridge.row(i), 1e30f);
    ridge.target(i) = 1;
  }
  std::vector<float> y(4);
  EXPECT_FALSE(ridge.solve(y));
}

}  // namespace
}  // namespace vitrine

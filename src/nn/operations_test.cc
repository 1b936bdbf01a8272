// Every row of the table against the portable one, and the elementary functions against libm.
#include "nn/operations.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"

namespace vitrine::nn {
namespace {

std::vector<float> numbers(std::uint64_t seed, std::size_t count, double deviation = 1) {
  std::vector<float> all;
  for (std::size_t i = 0; i < count; ++i)
    all.push_back(static_cast<float>(deviation * Random(seed).normal(i)));
  return all;
}

void expect_near(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_NEAR(a[i], b[i], 2e-5f * (1 + std::abs(b[i]))) << i;
}

TEST(Operations, ActivationsAreThoseOfTheLibrary) {
  std::vector<float> x;
  for (float v = -100; v <= 100; v += 0.37f) x.push_back(v);
  for (const Operations* row : all_operations()) {
    SCOPED_TRACE(row->name);
    std::vector<float> sigmoid(x.size()), tanh(x.size());
    const auto n = static_cast<std::int64_t>(x.size());
    row->activate(Activation::kSigmoid, n, x.data(), sigmoid.data());
    row->activate(Activation::kTanh, n, x.data(), tanh.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(sigmoid[i], 1 / (1 + std::exp(-double{x[i]})), 1e-6) << x[i];
      EXPECT_NEAR(tanh[i], std::tanh(double{x[i]}), 1e-6) << x[i];
    }
  }
}

TEST(Operations, SoftmaxOfHugeScoresAndOfMissingCandidates) {
  for (const Operations* row : all_operations()) {
    SCOPED_TRACE(row->name);
    const float missing = -std::numeric_limits<float>::infinity();
    std::vector<float> wrong = {1e30f, missing, -1e30f, 5, missing, missing}, right = {0, 2};
    const std::vector<float> weights = {1, 1};
    const double loss = row->candidate_loss(CandidateLoss::kSoftmax, 1, 2, 3, weights.data(),
                                            right.data(), wrong.data());
    EXPECT_NEAR(loss / 1e30, 1, 1e-5);
    EXPECT_NEAR(wrong[0], 1, 1e-6);
    EXPECT_EQ(wrong[1], 0);
    EXPECT_NEAR(right[0], -1, 1e-6);
    const double p = 1 / (1 + std::exp(3.0));
    EXPECT_NEAR(right[1], p - 1, 1e-6);
    EXPECT_NEAR(wrong[3], 1 - p, 1e-6);
    for (const CandidateLoss kind :
         {CandidateLoss::kSoftmax, CandidateLoss::kGbce, CandidateLoss::kBprMax}) {
      std::vector<float> none(3, missing), alone = {3};
      EXPECT_TRUE(std::isfinite(
          row->candidate_loss(kind, 1, 1, 3, weights.data(), alone.data(), none.data())));
      EXPECT_TRUE(std::isfinite(alone[0]));
      for (const float g : none) EXPECT_EQ(g, 0);
    }
  }
}

TEST(Operations, RowsOfTheTableAgree) {
  const Operations& portable = *all_operations().front();
  const std::uint32_t offsets[] = {0, 5, 5, 6, 19};
  const std::int64_t seconds[19] = {1, 5, 900, 4, 2};
  const auto distance = numbers(1, 32), time = numbers(2, 32);
  const Attention attention{{offsets, 4},    2,           7,      true, 16, 16,
                            distance.data(), time.data(), seconds};
  const auto qkv = numbers(3, 19 * 42), d_out = numbers(4, 19 * 14);
  const std::size_t squares = 2 * (25 + 1 + 169);
  const auto attend = [&](const Operations& row) {
    std::vector<float> out(19 * 14), weights(squares), scratch(13), d_qkv(qkv.size());
    std::vector<float> d_distance(32), d_time(32);
    row.attend(attention, qkv.data(), out.data(), weights.data());
    row.attend_back(attention, qkv.data(), weights.data(), d_out.data(), scratch.data(),
                    d_qkv.data(), d_distance.data(), d_time.data());
    out.insert(out.end(), d_qkv.begin(), d_qkv.end());
    out.insert(out.end(), d_distance.begin(), d_distance.end());
    out.insert(out.end(), d_time.begin(), d_time.end());
    return out;
  };
  const auto losses = [&](const Operations& row, CandidateLoss kind) {
    std::vector<float> wrong = numbers(5, 6 * 37), right = numbers(6, 6);
    const auto weights = numbers(7, 6);
    row.candidate_loss(kind, 0.5f, 6, 37, weights.data(), right.data(), wrong.data());
    wrong.insert(wrong.end(), right.begin(), right.end());
    return wrong;
  };
  const auto dropped = [&](const Operations& row) {
    std::vector<float> out(1003);
    row.add_dropout(1003, 0x123456789abcdefULL, 0.3f, qkv.data() + 1, out.data());
    return out;
  };
  for (const Operations* row : all_operations()) {
    SCOPED_TRACE(row->name);
    expect_near(attend(*row), attend(portable));
    for (const CandidateLoss kind :
         {CandidateLoss::kSoftmax, CandidateLoss::kGbce, CandidateLoss::kBprMax})
      expect_near(losses(*row, kind), losses(portable, kind));
    EXPECT_EQ(dropped(*row), dropped(portable));
  }
}

}  // namespace
}  // namespace vitrine::nn

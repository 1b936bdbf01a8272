#include "eval/corrections.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

namespace vitrine {
namespace {

void expect_near(std::span<const double> p, const char* method, std::vector<double> expected) {
  const auto got = adjusted_p(p, method);
  ASSERT_TRUE(got.ok());
  ASSERT_EQ(got->size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR((*got)[i], expected[i], 1e-12);
}

TEST(Corrections, TextbookNumbers) {
  // Holm: .01, .04, .03, .005 of four; Benjamini-Hochberg on the same.
  const std::vector<double> four{0.01, 0.04, 0.03, 0.005};
  expect_near(four, "holm", {0.03, 0.06, 0.06, 0.02});
  expect_near(four, "benjamini_hochberg", {0.02, 0.04, 0.04, 0.02});
  expect_near(four, "none", four);
  // The fifteen p-values of Benjamini and Hochberg 1995, section 3.1, of which the procedure
  // rejects the first four at .05, and Holm's the first three.
  const std::vector<double> fifteen{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                                    0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0};
  const auto rejected = [&](const char* method) {
    const std::vector<double> p = adjusted_p(fifteen, method).value();
    return std::count_if(p.begin(), p.end(), [](double value) { return value <= 0.05; });
  };
  EXPECT_EQ(rejected("none"), 9);
  EXPECT_EQ(rejected("benjamini_hochberg"), 4);
  EXPECT_EQ(rejected("holm"), 3);
}

TEST(Corrections, NothingIsAdjustedToNothing) {
  EXPECT_TRUE(adjusted_p({}, "holm")->empty());
  EXPECT_TRUE(adjusted_p({}, "benjamini_hochberg")->empty());
  EXPECT_EQ(adjusted_p({}, "bonferroni").error().code, Code::kInvalid);
}

// What the stepwise procedures reject at a level, done as they are described.
TEST(Corrections, RejectWhatTheProceduresReject) {
  EXPECT_TRUE(rc::check([] {
    std::vector<double> p(*rc::gen::inRange<std::size_t>(1, 12));
    for (double& value : p) value = *rc::gen::inRange(0, 101) / 100.0;
    const double level = (*rc::gen::inRange(1, 50) + 0.5) / 100;
    const double m = static_cast<double>(p.size());
    std::vector<double> sorted = p;
    std::sort(sorted.begin(), sorted.end());
    double holm_limit = -1, bh_limit = -1;  // the largest p-value that is rejected
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (sorted[i] * (m - static_cast<double>(i)) > level) break;
      holm_limit = sorted[i];
    }
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (sorted[i] * m / static_cast<double>(i + 1) <= level) bh_limit = sorted[i];
    }
    const std::vector<double> holm = adjusted_p(p, "holm").value();
    const std::vector<double> bh = adjusted_p(p, "benjamini_hochberg").value();
    for (std::size_t i = 0; i < p.size(); ++i) {
      RC_ASSERT((holm[i] <= level) == (p[i] <= holm_limit));
      RC_ASSERT((bh[i] <= level) == (p[i] <= bh_limit));
      RC_ASSERT(holm[i] >= bh[i] - 1e-15);
      RC_ASSERT(bh[i] >= p[i] - 1e-12 && holm[i] <= 1);
    }
  }));
}

}  // namespace
}  // namespace vitrine

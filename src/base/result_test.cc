#include "base/result.h"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Error{Code::kInvalid, std::to_string(n) + " is odd"};
  return n / 2;
}

Result<std::string> quarter(int n) {
  VT_TRY(const int h, half(n));
  VT_TRY(const int q, half(h));
  return std::to_string(q);
}

Status check_even(int n) {
  VT_TRY(half(n));
  return {};
}

TEST(Result, PassesValuesAndErrorsOn) {
  EXPECT_EQ(quarter(12).value(), "3");
  ASSERT_FALSE(quarter(6).ok());
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
  EXPECT_TRUE(check_even(2).ok());
  EXPECT_EQ(check_even(1).error().prefixed("row 7").message, "row 7: 1 is odd");
}

TEST(ResultDeathTest, StopsTheProgramOnMisuse) {
  EXPECT_DEATH((void)half(1).value(), "broken invariant");
  EXPECT_DEATH(VT_CHECK(1 == 2), "1 == 2");
}

}  // namespace
}  // namespace vitrine

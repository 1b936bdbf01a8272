#include "model/memory.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/matrix.h"

namespace vitrine {
namespace {

TEST(Memory, NamesTheMostFactorsThatFit) {
  EXPECT_TRUE(rc::check([] {
    const auto factors = *rc::gen::inRange(1, 4097);
    const auto rows = *rc::gen::inRange(1, 200'000);
    const auto limit = *rc::gen::inRange(1, 400);
    const auto bytes = [&](int f) { return rows * row_bytes(f + 1); };
    int most = 0;
    while (most < factors && bytes(most + 1) <= limit * 1048576.0) ++most;
    const Status status = check_factor_memory("m", factors, limit, bytes);
    RC_ASSERT(status.ok() == (most == factors));
    if (status.ok()) return;
    RC_ASSERT(status.error().code == Code::kExhausted);
    const std::string& text = status.error().message;
    const std::string remedy =
        most == 0 ? ": raise memory_limit_mb" : " or set factors = " + std::to_string(most);
    RC_ASSERT(text.size() > remedy.size());
    RC_ASSERT(text.substr(text.size() - remedy.size()) == remedy);
  }));
}

TEST(Memory, ARowIsWhatAMatrixHolds) {
  for (const std::int64_t cols : {1, 16, 17, 64, 65}) {
    EXPECT_EQ(row_bytes(cols) * 3, static_cast<double>(Matrix(3, cols).bytes()));
  }
}

}  // namespace
}  // namespace vitrine

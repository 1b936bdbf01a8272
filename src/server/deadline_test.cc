#include <gtest/gtest.h>

#include "engine/engine_testing.h"
#include "server/metrics.h"
#include "server/routes.h"

namespace vitrine {
namespace {

class Deadline : public testing::Test {
 protected:
  // The answer to a request that waited so long since it was read.
  std::string ask(std::chrono::milliseconds waited, const std::string& deadline_ms,
                  const std::string& more = "") {
    HttpRequest request;
    request.body = R"({"user": "u0", "n": 5)" + more + "}";
    request.deadline_ms = deadline_ms;
    request.received = std::chrono::steady_clock::now() - waited;
    return must(post_recommendations(Call{*engine_, options_, metrics_, request, {}})).body;
  }

  TempFolder folder_;
  std::unique_ptr<Engine> engine_ = filled_shop(shop_config(folder_), OpenMode::kServe);
  ServerOptions options_;
  Metrics metrics_;
};

using std::chrono::milliseconds;

TEST_F(Deadline, CountsFromWhenTheRequestWasRead) {
  EXPECT_EQ(ask(milliseconds(0), "60000").find("degraded"), std::string::npos);
  EXPECT_NE(ask(milliseconds(59'999), "59000").find("out of time: without"), std::string::npos);
  EXPECT_EQ(ask(milliseconds(59'999), "").find("degraded"), std::string::npos);
  options_.deadline_ms = 59'000;
  EXPECT_NE(ask(milliseconds(59'999), "").find("out of time: without"), std::string::npos);
}

TEST_F(Deadline, EndsTheWaitForASequence) {
  const std::string answer = ask(milliseconds(59'900), "60000", R"(, "min_sequence": 999999999)");
  EXPECT_NE(answer.find("sequence 999999999 is not there yet"), std::string::npos) << answer;
}

}  // namespace
}  // namespace vitrine

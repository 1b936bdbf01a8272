#include "server/metrics.h"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

TEST(Metrics, EveryStatusIsCountedAsItself) {
  Metrics metrics;
  for (const int status : {200, 202, 503, 418}) metrics.count(nullptr, status, 0.001);
  const std::string text = metrics.text({});
  for (const char* label : {"200", "202", "503", "other"}) {
    const std::string line = std::string("status=\"") + label + "\"} 1";
    EXPECT_NE(text.find(line), std::string::npos) << label << "\n" << text;
  }
  EXPECT_EQ(text.find("status=\"500\""), std::string::npos) << "nobody was answered so";
}

}  // namespace
}  // namespace vitrine

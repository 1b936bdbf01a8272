#include "server/auth.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace vitrine {
namespace {

constexpr const char* kSecret = "a-secret-of-this-test";

class Auth : public testing::Test {
 protected:
  Auth() { setenv("VITRINE_AUTH_TEST", kSecret, 1); }
  static Result<Keys> open(std::vector<std::string> keys, bool development = false) {
    ServerOptions options;
    options.keys = std::move(keys);
    options.development = development;
    return Keys::open(real_files(), options);
  }
};

TEST_F(Auth, AKeyOpensItsScopeAndThoseBelow) {
  const Keys keys = open({"shop:write:env:VITRINE_AUTH_TEST"}).value();
  const std::string bearer = std::string("Bearer ") + kSecret;
  EXPECT_TRUE(keys.admit(bearer, "", Scope::kRead).ok());
  EXPECT_TRUE(keys.admit(bearer, "", Scope::kWrite).ok());
  EXPECT_TRUE(keys.admit(std::string("bearer ") + kSecret, "", Scope::kRead).ok());
  EXPECT_TRUE(keys.admit("", kSecret, Scope::kRead).ok());
  EXPECT_EQ(keys.admit(bearer, "", Scope::kAdmin).error().code, Code::kForbidden);
  EXPECT_TRUE(keys.admit("", "", Scope::kOpen).ok());
}

TEST_F(Auth, NothingElseDoes) {
  const Keys keys = open({"shop:admin:env:VITRINE_AUTH_TEST"}).value();
  const std::string secret = kSecret;
  for (const std::string& header :
       {std::string(), std::string("Bearer"), std::string("Bearer "), "Basic " + secret, secret,
        "Bearer " + secret + " ", "Bearer " + secret.substr(1), "Bearer A" + secret.substr(1)}) {
    EXPECT_EQ(keys.admit(header, "", Scope::kRead).error().code, Code::kUnauthorized) << header;
  }
  EXPECT_EQ(keys.admit("Bearer " + secret, "wrong", Scope::kRead).error().code,
            Code::kUnauthorized);
}

TEST_F(Auth, MistakesAreNamedAndSecretsAreNot) {
  const auto says = [](const Result<Keys>& keys, std::string_view text) {
    return !keys.ok() && keys.error().message.find(text) != std::string::npos;
  };
  for (const std::string& misplaced :
       {std::string(kSecret), std::string("x:") + kSecret, std::string(":read:") + kSecret,
        std::string("x:read:") + kSecret}) {
    const auto keys = open({misplaced});
    ASSERT_FALSE(keys.ok());
    EXPECT_EQ(keys.error().message.find(kSecret), std::string::npos) << keys.error().message;
  }
  EXPECT_TRUE(says(open({"x"}), "server.keys[0]"));
  EXPECT_TRUE(says(open({"x:owner:env:VITRINE_AUTH_TEST"}), "owner"));
  EXPECT_TRUE(says(open({"x:read:env:VITRINE_AUTH_ABSENT"}), "VITRINE_AUTH_ABSENT"));
  EXPECT_TRUE(says(open({}), "--development"));
  setenv("VITRINE_AUTH_SHORT", "short", 1);
  EXPECT_TRUE(says(open({"x:read:env:VITRINE_AUTH_SHORT"}), "16"));
  setenv("VITRINE_AUTH_SHORT", "", 1);
  EXPECT_FALSE(open({"x:read:env:VITRINE_AUTH_SHORT"}).ok());
}

}  // namespace
}  // namespace vitrine

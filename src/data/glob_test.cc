#include "data/glob.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace vitrine {
namespace {

// The definition, for ASCII.
bool slow_matches(std::string_view p, std::string_view t) {
  if (p.empty()) return t.empty();
  if (p[0] == '*')
    return slow_matches(p.substr(1), t) || (!t.empty() && slow_matches(p, t.substr(1)));
  return !t.empty() && (p[0] == '?' || p[0] == t[0]) && slow_matches(p.substr(1), t.substr(1));
}

TEST(Glob, AgreesWithItsDefinition) {
  EXPECT_TRUE(rc::check([] {
    const auto pattern = *rc::gen::container<std::string>(rc::gen::element('a', 'b', '*', '?'));
    const auto text = *rc::gen::container<std::string>(rc::gen::element('a', 'b', '*'));
    RC_ASSERT(glob_matches(pattern.substr(0, 8), text.substr(0, 12)) ==
              slow_matches(pattern.substr(0, 8), text.substr(0, 12)));
  }));
}

TEST(Glob, MatchesIdsAsShopsWriteThem) {
  EXPECT_TRUE(glob_matches("gift_*", "gift_0001_20"));
  EXPECT_FALSE(glob_matches("gift_*", "a gift_0001"));
  EXPECT_TRUE(glob_matches("BANK ?HARGES", "BANK CHARGES"));
  EXPECT_TRUE(glob_matches("caf?", "caf\xC3\xA9"));  // one character of two bytes
  EXPECT_FALSE(glob_matches("caf??", "caf\xC3\xA9"));
  EXPECT_TRUE(glob_matches("", ""));
  EXPECT_FALSE(glob_matches("", "a"));
  EXPECT_TRUE(glob_matches("***", ""));
}

TEST(Glob, IsQuickOnHostilePatterns) {
  std::string pattern;
  for (int i = 0; i < 128; ++i) pattern += "a*";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(256, 'a')));
}

}  // namespace
}  // namespace vitrine

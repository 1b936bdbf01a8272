#include "data/words.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "data/text.h"

namespace vitrine {
namespace {

using Words = std::vector<std::string>;

TEST(Words, AreRunsOfLettersAndDigits) {
  EXPECT_EQ(words_of("WHITE HANGING HEART T-LIGHT HOLDER, 6pcs."),
            (Words{"white", "hanging", "heart", "t", "light", "holder", "6pcs"}));
  EXPECT_EQ(words_of(""), Words{});
  EXPECT_EQ(words_of(" -- "), Words{});
}

TEST(Words, CaseIsFoldedBeyondAscii) {
  EXPECT_EQ(words_of("CAFÉ Ärmel ŻÓŁW Ÿ"), (Words{"café", "ärmel", "żółw", "ÿ"}));
  EXPECT_EQ(words_of("ΑΘΗΝΑ МОСКВА Ёлка"), (Words{"αθηνα", "москва", "ёлка"}));
  EXPECT_EQ(lower_case("Crème Brûlée ÜBER 3×"), "crème brûlée über 3×");
}

TEST(Words, ScriptsWithoutSpacesGivePairs) {
  EXPECT_EQ(words_of("东京塔 T恤"), (Words{"东京", "京塔", "t", "恤"}));
  EXPECT_EQ(words_of("東京、タワー"), (Words{"東京", "タワ", "ワー"}));
}

TEST(Words, PunctuationOfAllKindsSeparates) {
  EXPECT_EQ(words_of("a–b “c”…d¿e€f×g"), (Words{"a", "b", "c", "d", "e", "f", "g"}));
}

TEST(Words, AnyBytesGiveWords) {
  EXPECT_TRUE(rc::check("bytes", [](const std::string& text) {
    for (const std::string& word : words_of(text)) {
      RC_ASSERT(!word.empty());
      RC_ASSERT(words_of(word).size() >= 1u);
    }
    RC_ASSERT(lower_case(text).size() <= 2 * text.size());
    if (is_valid_utf8(text)) RC_ASSERT(is_valid_utf8(lower_case(text)));
  }));
}

}  // namespace
}  // namespace vitrine

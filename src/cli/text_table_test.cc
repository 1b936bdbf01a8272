#include "cli/text_table.h"

#include <gtest/gtest.h>

#include "cli/terminal.h"

namespace vitrine {
namespace {

TEST(TextTable, AlignsByCharactersNotBytes) {
  TextTable table({"name", ">count"});
  table.row({"café", "7"});
  table.rule();
  table.row({"longer name", "1,234"});
  EXPECT_EQ(table.str(),
            "name         count\n"
            "───────────  ─────\n"
            "café             7\n"
            "───────────  ─────\n"
            "longer name  1,234\n");
}

TEST(TextTable, ShortensWholeCharacters) {
  EXPECT_EQ(shorten("short", 10), "short");
  EXPECT_EQ(shorten("äöüß!", 4), "äöü…");
}

TEST(Format, CountsBytesAndDurations) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(541909), "541,909");
  EXPECT_EQ(format_bytes(54'200'000), "54.2 MB");
  EXPECT_EQ(format_bytes(12), "12 B");
  EXPECT_EQ(format_duration(1.25), "1.2 s");
  EXPECT_EQ(format_duration(185), "3 min 05 s");
  EXPECT_EQ(format_duration(7805), "2 h 10 min");
}

}  // namespace
}  // namespace vitrine

#include "base/toml.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/arbitrary_value.h"

namespace vitrine {
namespace {

Table parsed(std::string_view text) {
  auto table = parse_toml(text, "test.toml");
  EXPECT_TRUE(table.ok()) << table.error().message;
  return table.ok() ? std::move(table).value() : Table();
}

std::string message(std::string_view text) {
  const auto table = parse_toml(text, "shop.toml");
  return table.ok() ? "accepted" : table.error().message;
}

TEST(Toml, ReadsEveryTypeInTheOrderOfTheFile) {
  EXPECT_EQ(parsed(R"(
zeta = 1
alpha = -2.5
on = true
name = "é\n"
when = 2011-12-09T12:50:00Z
day = 2011-12-09
hour = 12:50:00
words = ["b", "a"]
big = 0xFF
[models.item_knn]
k = 100
[a."b c"]
x.y = { z = 1 }
[[rule]]
n = 1
[[rule]]
n = 2
)"),
            (Table{{"zeta", 1},
                   {"alpha", -2.5},
                   {"on", true},
                   {"name", "é\n"},
                   {"when", "2011-12-09T12:50:00Z"},
                   {"day", "2011-12-09"},
                   {"hour", "12:50:00"},
                   {"words", List{"b", "a"}},
                   {"big", 255},
                   {"models", Table{{"item_knn", Table{{"k", 100}}}}},
                   {"a", Table{{"b c", Table{{"x", Table{{"y", Table{{"z", 1}}}}}}}}},
                   {"rule", List{Table{{"n", 1}}, Table{{"n", 2}}}}}));
  EXPECT_EQ(parsed(""), Table());
  EXPECT_TRUE(std::isnan(parsed("x = nan").find("x")->number()));
}

TEST(Toml, ErrorsNameFileLineAndColumn) {
  EXPECT_EQ(message("a = 1\nb = \n").substr(0, 14), "shop.toml:2:5:");
  EXPECT_EQ(message("a = 1\na = 2\n").substr(0, 12), "shop.toml:2:");
  EXPECT_EQ(message("[x\n").substr(0, 12), "shop.toml:1:");
  EXPECT_EQ(message("x = \"\xFF\"").substr(0, 12), "shop.toml:1:");
  EXPECT_EQ(message("a = 1\n\n[=]\nb = 1\n"),
            "shop.toml:3:1: is not TOML: a key or a value is malformed");
  EXPECT_EQ(message("a = 1\n[.a]").substr(0, 14), "shop.toml:2:1:");
  EXPECT_EQ(message("b = [1,\uFEBB").substr(0, 12), "shop.toml:1:");
  EXPECT_EQ(parsed("b = '\uFEBB'"), (Table{{"b", "\uFEBB"}}));
  for (const char* bad :
       {"a", "a = b", "= 1", "[a]\n[a]", "x = [1, ", "x = 1 y = 2", "x = \"a\nb\"",
        "x = 99999999999999999999", "x = 2011-13-01", "a.b = 1\na = 2"}) {
    EXPECT_EQ(message(bad).rfind("shop.toml:", 0), 0U) << bad << ": " << message(bad);
  }
}

TEST(Toml, HostileNestingIsRefused) {
  std::string dots = "a";
  for (int i = 0; i < 100000; ++i) dots += ".a";
  EXPECT_NE(message(dots + " = 1"), "accepted");
  EXPECT_NE(message("[" + dots + "]"), "accepted");
  std::string fewer = "a";
  for (int i = 0; i < 100; ++i) fewer += ".a";
  EXPECT_NE(message(fewer + " = 1").find("deeper than 64 levels"), std::string::npos);
  EXPECT_NE(message("x = " + std::string(100000, '[')), "accepted");
  std::string braces = "x = ";
  for (int i = 0; i < 10000; ++i) braces += "{a=";
  EXPECT_NE(message(braces), "accepted");
  EXPECT_NE(message(std::string((1 << 20) + 1, '\n')), "accepted");
}

TEST(Toml, Writes) {
  const Table table{{"sub", Table{{"x", 1}, {"inner", Table{{"y", 2.0}}}, {"z", "q\"\\\n\x01"}}},
                    {"a b", true},
                    {"", List{}},
                    {"nothing", Value()},
                    {"rules", List{Table{{"n", 1}}, Table{{"deep", Table{{"m", 2}}}}}},
                    {"mixed", List{1, Table{{"k", List{Value(), 2.5}}}}},
                    {"big", 1e300},
                    {"inf", -std::numeric_limits<double>::infinity()},
                    {"f", 0.1}};
  EXPECT_EQ(to_toml(table), R"("a b" = true
"" = []
mixed = [1, { k = [2.5] }]
big = 1e+300
inf = -inf
f = 0.1

[sub]
x = 1
z = "q\"\\\n\u0001"

[sub.inner]
y = 2.0

[[rules]]
n = 1

[[rules]]

[rules.deep]
m = 2
)");
}

// Reading gives sections after scalars; what is compared is the content.
Value sorted(Value value) {
  if (List* list = value.as_list()) {
    for (Value& element : *list) element = sorted(std::move(element));
  }
  if (Table* table = value.as_table()) {
    for (Table::Entry& entry : *table) entry.second = sorted(std::move(entry.second));
    std::sort(table->begin(), table->end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  return value;
}

TEST(Toml, RoundTripOfAnything) {
  EXPECT_TRUE(rc::check([] {
    const Table table = arbitrary_table(3, false);
    const std::string text = to_toml(table);
    const auto read = parse_toml(text, "round trip");
    if (!read.ok()) RC_FAIL(read.error().message + "\n" + text);
    RC_ASSERT(sorted(read.value()) == sorted(table));
    RC_ASSERT(to_toml(read.value()) == text);
  }));
}

}  // namespace
}  // namespace vitrine

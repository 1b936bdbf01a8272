#include "base/value.h"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

TEST(Table, KeepsTheOrderOfInsertion) {
  Table table{{"b", 1}, {"a", 2}};
  table.set("c", 3);
  table.set("b", 4);
  std::string order;
  for (const Table::Entry& entry : table) order += entry.first;
  EXPECT_EQ(order, "bac");
  EXPECT_EQ(*table.find("b"), Value(4));
  EXPECT_EQ(table.find("d"), nullptr);
  EXPECT_TRUE(table["d"].is_null());
  EXPECT_EQ(table.size(), 4U);
  EXPECT_TRUE(table.erase("a"));
  EXPECT_FALSE(table.erase("a"));
  EXPECT_EQ(table.size(), 3U);
  EXPECT_FALSE(table.empty());
  EXPECT_TRUE(Table().empty());
}

TEST(Table, TakesManyEntriesAtOnce) {
  std::vector<Table::Entry> entries;
  entries.emplace_back("x", 1);
  entries.emplace_back("y", List{1, "two"});
  EXPECT_EQ(Table(std::move(entries)), (Table{{"x", 1}, {"y", List{1, "two"}}}));
}

TEST(Value, KnowsItsType) {
  EXPECT_EQ(Value().type_name(), "null");
  EXPECT_EQ(Value(true).type_name(), "boolean");
  EXPECT_EQ(Value(7).type_name(), "integer");
  EXPECT_EQ(Value(7.5F).type_name(), "number");
  EXPECT_EQ(Value("text").type_name(), "string");
  EXPECT_EQ(Value(List{}).type_name(), "list");
  EXPECT_EQ(Value(Table{}).type_name(), "table");
  EXPECT_EQ(Value(7).number(), 7.0);
  EXPECT_EQ(Value(7.5).number(), 7.5);
  EXPECT_EQ(Value("7").number(-1), -1.0);
  EXPECT_TRUE(Value(1).is_number() && Value(1.0).is_number() && !Value(true).is_number());
  EXPECT_EQ(Value(true).as_int(), nullptr);
  EXPECT_NE(Value(1), Value(1.0));
  EXPECT_EQ(*Value("text").as_string(), "text");
}

TEST(Value, TypedReadsNameTheKey) {
  const Table table{{"k", 7}, {"x", 0.5}, {"name", "als"}};
  EXPECT_EQ(int_at(table, "k").value(), 7);
  EXPECT_EQ(number_at(table, "k").value(), 7.0);
  EXPECT_EQ(number_at(table, "x").value(), 0.5);
  EXPECT_EQ(string_at(table, "name").value(), "als");
  EXPECT_EQ(int_at(table, "x").error().message, "'x' is a number, expected a whole number");
  EXPECT_EQ(string_at(table, "y").error().message, "'y' is missing, expected a string");
  EXPECT_EQ(number_at(table, "name").error().code, Code::kInvalid);
}

}  // namespace
}  // namespace vitrine

#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/json_view.h"
#include "base/json_writer.h"
#include "tests/arbitrary_value.h"

namespace vitrine {
namespace {

std::string message(std::string_view text) {
  const auto parsed = parse_json(text);
  return parsed.ok() ? "accepted as " + to_json(parsed.value()) : parsed.error().message;
}

TEST(Json, ReadsEveryType) {
  const auto value =
      parse_json(R"( {"n": null, "t": [true, false], "i": -7, "d": 1.5e3, "s": "\u00e9\n"} )");
  ASSERT_TRUE(value.ok()) << value.error().message;
  EXPECT_EQ(value.value(),
            Value(Table{
                {"n", Value()}, {"t", List{true, false}}, {"i", -7}, {"d", 1500.0}, {"s", "é\n"}}));
  EXPECT_EQ(parse_json("7").value(), Value(7));
  EXPECT_EQ(parse_json("\"x\"").value(), Value("x"));
  EXPECT_EQ(parse_json("[]").value(), Value(List{}));
}

TEST(Json, IntegersBeyond64BitsBecomeDoubles) {
  EXPECT_EQ(parse_json("9223372036854775807").value(), Value(std::int64_t{9223372036854775807}));
  EXPECT_EQ(parse_json("-9223372036854775808").value(),
            Value(std::numeric_limits<std::int64_t>::min()));
  EXPECT_EQ(parse_json("9223372036854775808").value(), Value(9223372036854775808.0));
  EXPECT_EQ(parse_json("18446744073709551615").value(), Value(18446744073709551615.0));
  EXPECT_EQ(parse_json("-9223372036854775809").value(), Value(-9223372036854775809.0));
  const auto mixed = parse_json(R"({"123456789012345678901": [123456789012345678901234, -1, )"
                                R"(12345678901234567890123e2, 0.5]})");
  ASSERT_TRUE(mixed.ok()) << mixed.error().message;
  EXPECT_EQ(mixed.value(),
            Value(Table{{"123456789012345678901",
                         List{123456789012345678901234.0, -1, 12345678901234567890123e2, 0.5}}}));
  EXPECT_EQ(message("1e400"), "JSON: a number is malformed or beyond the range of a double");
  EXPECT_EQ(message("[01]"), "JSON: a number is malformed or beyond the range of a double");
}

TEST(Json, ErrorsNameThePlace) {
  EXPECT_EQ(message(""), "JSON: there is no text");
  EXPECT_EQ(message("{\"a\": 1,}"), "JSON: Missing a name for object member. (at byte 8)");
  EXPECT_EQ(message("[1] 2"),
            "JSON: The document root must not be followed by other values. (at byte 4)");
  EXPECT_EQ(message("{\"a\":1,\"b\":2,\"a\":3}"), "JSON: key \"a\" appears twice in one object");
  EXPECT_EQ(message("{\"a\":1,\"\\u0061\":3}"), "JSON: key \"a\" appears twice in one object");
  EXPECT_NE(message("\"\xFF\"").find("(at byte 1)"), std::string::npos) << message("\"\xFF\"");
  for (const char* bad :
       {"nul", "NaN", "Infinity", "-", "1.", ".5", "'x'", "{a:1}", "[1 2]", "\"", "\"\n\"", "[",
        "{\"a\"}", "tru", "\xEF\xBB\xBF[]", "\"\\ud800\"", "[]]"}) {
    EXPECT_FALSE(parse_json(bad).ok()) << bad;
  }
  EXPECT_FALSE(parse_json(std::string_view("[]\0", 3)).ok());
}

TEST(Json, DepthIsBounded) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_TRUE(parse_json(nested(kJsonDepthMax)).ok());
  EXPECT_EQ(message(nested(kJsonDepthMax + 1)), "JSON: nested deeper than 32 levels");
  EXPECT_FALSE(parse_json(nested(1000000)).ok());
  EXPECT_FALSE(parse_json(std::string(1000000, '[')).ok());
  EXPECT_TRUE(parse_json(nested(5), 5).ok());
  EXPECT_FALSE(parse_json("{\"a\":[]}", 1).ok());
  EXPECT_TRUE(parse_json("{\"a\":{}}", 2).ok());
}

TEST(Json, ManyKeysTakeNoQuadraticTime) {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i) text += "\"" + std::to_string(i) + "\":0,";
  text += "\"x\":0}";
  EXPECT_EQ(parse_json(text).value().as_table()->size(), 200001U);
}

TEST(Json, Writes) {
  const Value value(
      Table{{"b", List{1, 2.0, "x\n\"\x01"}},
            {"a", Table{{"nan", std::nan("")}, {"inf", std::numeric_limits<double>::infinity()}}},
            {"none", List{}},
            {"f", 0.1F}});
  EXPECT_EQ(to_json(value), R"({"b":[1,2.0,"x\n\"\u0001"],"a":{"nan":null,"inf":null},)"
                            R"("none":[],"f":0.10000000149011612})");
  EXPECT_EQ(to_json_pretty(Table{{"a", List{1, Table{}}}}),
            "{\n  \"a\": [\n    1,\n    {}\n  ]\n}");
  EXPECT_EQ(to_json(1e20), "1e+20");
  EXPECT_EQ(to_json(-0.0), "-0.0");
  EXPECT_EQ(to_json(123456.0), "123456.0");
  EXPECT_EQ(to_json(std::string_view("\0", 1)), "\"\\u0000\"");
}

TEST(Json, BadUtf8IsReplaced) {
  EXPECT_EQ(to_json("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
  EXPECT_EQ(to_json(Table{{"\xC3", 1}}), "{\"\xEF\xBF\xBD\":1}");
  EXPECT_EQ(valid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(valid_utf8("\xF4\x90\x80\x80x"), "\uFFFD\uFFFD\uFFFD\uFFFDx");
  EXPECT_EQ(valid_utf8("\xC0\xAF"), "\uFFFD\uFFFD");  // overlong
  EXPECT_EQ(valid_utf8("\xE4\xB8"), "\uFFFD\uFFFD");  // cut
  EXPECT_EQ(valid_utf8("é中\U0001F600"), "é中\U0001F600");
}

TEST(Json, RoundTripOfAnything) {
  EXPECT_TRUE(rc::check([] {
    const Value value = arbitrary_value(4, true);
    const auto compact = parse_json(to_json(value));
    RC_ASSERT(compact.ok());
    RC_ASSERT(compact.value() == value);
    RC_ASSERT(parse_json(to_json_pretty(value)).value() == value);
  }));
}

TEST(Json, AnyBytesAreWrittenAsJson) {
  EXPECT_TRUE(rc::check([](const std::string& bytes) {
    const auto read = parse_json(to_json(bytes));
    RC_ASSERT(read.ok());
    RC_ASSERT(*read.value().as_string() == valid_utf8(bytes));
    RC_ASSERT(valid_utf8(valid_utf8(bytes)) == valid_utf8(bytes));
  }));
}

void write_as_it_comes(JsonWriter& json, const Value& value) {
  if (const auto* i = value.as_int()) {
    json.integer(*i);
  } else if (const auto* d = value.as_double()) {
    json.number(*d);
  } else if (const auto* text = value.as_string()) {
    json.text(*text);
  } else if (const auto* list = value.as_list()) {
    json.open('[');
    for (const Value& element : *list) write_as_it_comes(json, element);
    json.close(']');
  } else if (const auto* table = value.as_table()) {
    json.open('{');
    for (const Table::Entry& entry : *table) {
      write_as_it_comes(json.key(entry.first), entry.second);
    }
    json.close('}');
  }
}

TEST(JsonWriter, EqualsTheTreeToTheByte) {
  EXPECT_TRUE(rc::check([] {
    List list;
    for (int i = *rc::gen::inRange(0, 8); i > 0; --i) {
      Table row{{"text", *rc::gen::arbitrary<std::string>()},
                {"number", *rc::gen::arbitrary<double>()},
                {"small", *rc::gen::element(0.0, -0.0, 1.0, 0.5, 1e5, 1e22)},
                {"integer", *rc::gen::arbitrary<std::int64_t>()},
                {"utf", *rc::gen::element<std::string>("", "a\n\"\\/\x7f", "\xc3\xa9", "\xff\xc3",
                                                       "\x01")}};
      list.push_back(*rc::gen::arbitrary<bool>() ? Value(row)
                                                 : Value(List{Value(row), Value(List{})}));
    }
    const Value value = Table{{"list", list}, {"empty", Table{}}};
    std::string text;
    JsonWriter json(text);
    write_as_it_comes(json, value);
    RC_ASSERT(text == to_json(value));
  }));
}

TEST(JsonView, SeesWhatTheTreeHolds) {
  const std::string text =
      R"({"a":1,"b":[true,null,"x\u0041"],"c":{"d":2.5},"e":18446744073709551615})";
  const auto view = parse_json_view(text);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(to_json(*view->value()), to_json(*parse_json(text)));
  std::string seen;
  EXPECT_FALSE(view->each_field([&](std::string_view key, JsonView field) {
    seen += std::string(key) + to_json(*field.value());
    return key != "c";
  }));
  EXPECT_EQ(seen, R"(a1b[true,null,"xA"]c{"d":2.5})");
  EXPECT_FALSE(parse_json_view("").has_value());
  EXPECT_FALSE(parse_json_view("{} x").has_value());
  EXPECT_FALSE(parse_json_view("[[1]]", 1).has_value());
  EXPECT_TRUE(parse_json_view(" 7 ").has_value());
  const std::string large = "[" + std::string(3 << 20, ' ') + "1]";
  EXPECT_TRUE(parse_json_view(large).has_value());
  EXPECT_EQ(parse_json_view("5")->integer(), 5);
}

}  // namespace
}  // namespace vitrine

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <ctime>

#include "data/item.h"

namespace vitrine {
namespace {

TEST(ParseTime, ReadsRfc3339) {
  EXPECT_EQ(*parse_time("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(*parse_time("2011-12-09T12:50:00Z"), 1323435000000);
  EXPECT_EQ(*parse_time("2011-12-09t12:50:00z"), 1323435000000);
  EXPECT_EQ(*parse_time("2011-12-09 12:50:00+00:00"), 1323435000000);
  EXPECT_EQ(*parse_time("2011-12-09T13:50:00+01:00"), 1323435000000);
  EXPECT_EQ(*parse_time("2011-12-09T07:20:00-0530"), 1323435000000);
  EXPECT_EQ(*parse_time("2011-12-09T12:50:00.5Z"), 1323435000500);
  EXPECT_EQ(*parse_time("2011-12-09T12:50:00.123456789Z"), 1323435000123);
  EXPECT_EQ(*parse_time("2011-12-09 12:50:00"), 1323435000000);
  EXPECT_EQ(*parse_time("2011-12-09 12:50"), 1323435000000);
  EXPECT_EQ(*parse_time("2011-12-09"), 1323388800000);
  EXPECT_EQ(*parse_time("2000-02-29"), 951782400000);
  EXPECT_EQ(*parse_time("2016-12-31T23:59:60Z"), *parse_time("2017-01-01T00:00:00Z"));
  EXPECT_EQ(*parse_time("0001-01-01T00:00:00Z"), -62135596800000);
  EXPECT_EQ(*parse_time("9999-12-31T23:59:59.999Z"), 253402300799999);
}

TEST(ParseTime, ReadsUnixTimes) {
  EXPECT_EQ(*parse_time("0"), 0);
  EXPECT_EQ(*parse_time("1291191960"), 1291191960000);
  EXPECT_EQ(*parse_time("1291191960.25"), 1291191960250);
  EXPECT_EQ(*parse_time("1291191960000"), 1291191960000);
  EXPECT_EQ(*parse_time("-1.5"), -1500);
  EXPECT_EQ(*parse_time("99999999999"), 99999999999000);
}

TEST(ParseTime, RejectsTheRest) {
  for (const char* bad : {"",
                          "-",
                          ".5",
                          "1.",
                          "1e9",
                          "+5",
                          " 1",
                          "1 ",
                          "yesterday",
                          "2011-13-01",
                          "2011-00-01",
                          "2011-02-29",
                          "1900-02-29",
                          "2011-1-1",
                          "2011-12-09T",
                          "2011-12-09T24:00:00Z",
                          "2011-12-09T12:60:00Z",
                          "2011-12-09T12:50:61Z",
                          "2011-12-09T12:00:60Z",
                          "2011-12-09T12:50:00.Z",
                          "2011-12-09T12:50:00Zx",
                          "2011-12-09T12:50:00+1",
                          "2011-12-09x12:50:00",
                          "0000-01-01",
                          "0001-01-01T00:00:00+01:00",
                          "9999-12-31T23:59:59-01:00",
                          "1291191960000000",
                          "99999999999999999999999",
                          "253402300800000",
                          "2011/12/09",
                          "09.12.2011"}) {
    EXPECT_FALSE(parse_time(bad).ok()) << bad;
  }
}

TEST(FormatTime, ShowsMillisecondsWhereThereAreAny) {
  EXPECT_EQ(format_time(1323435000000), "2011-12-09T12:50:00Z");
  EXPECT_EQ(format_time(1323435000007), "2011-12-09T12:50:00.007Z");
  EXPECT_EQ(format_time(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(format_time(kNoTime), "");
}

TEST(FormatTime, RoundTripsAndAgreesWithTheSystem) {
  EXPECT_TRUE(rc::check("times of the years 1 to 9999", [] {
    const Timestamp time = *rc::gen::inRange<Timestamp>(-62135596800000, 253402300800000);
    const std::string text = format_time(time);
    RC_ASSERT(*parse_time(text) == time);
    const std::time_t seconds = (time - (((time % 1000) + 1000) % 1000)) / 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char expected[32];
    std::snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d",
                  (parts.tm_year + 1900) % 10000, (parts.tm_mon + 1) % 100, parts.tm_mday % 100,
                  parts.tm_hour % 100, parts.tm_min % 100, parts.tm_sec % 100);
    RC_ASSERT(text.substr(0, 19) == expected);
  }));
}

}  // namespace
}  // namespace vitrine

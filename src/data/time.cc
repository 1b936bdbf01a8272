// Times as text. No locale, no time zone database: RFC 3339 and Unix times only.
#include <charconv>
#include <cstdint>

#include "data/item.h"
#include "data/text.h"

namespace vitrine {
namespace {

constexpr Timestamp kFirstTime = -62'135'596'800'000;  // 0001-01-01T00:00:00Z
constexpr Timestamp kLastTime = 253'402'300'799'999;   // 9999-12-31T23:59:59.999Z
constexpr std::size_t kSecondDigitsMax = 11;

// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, by 400-year eras that begin
// on 1 March (Hinnant, "chrono-compatible low-level date algorithms").
constexpr std::int64_t days_of(std::int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         719'468;
}

struct Date {
  int year, month, day;
};

constexpr Date date_of(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t m = (5 * day_of_year + 2) / 153;
  const int month = static_cast<int>(m < 10 ? m + 3 : m - 9);
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  return {static_cast<int>(year), month, static_cast<int>(day_of_year - (153 * m + 2) / 5 + 1)};
}

constexpr int days_in_month(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads a text from its front; the first thing that does not fit sticks as `ok` = false.
struct Scanner {
  std::string_view rest;
  bool ok = true;

  bool take(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  void expect(char c) { ok = take(c) && ok; }
  // Exactly `count` digits, in [low, high].
  int digits(std::size_t count, int low, int high) {
    int number = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest.empty() || !is_digit(rest.front())) return ok = false, low;
      number = number * 10 + (rest.front() - '0');
      rest.remove_prefix(1);
    }
    ok = ok && number >= low && number <= high;
    return number;
  }
  // ".5" as milliseconds, further digits cut off; 0 when there is no fraction.
  int milliseconds() {
    if (!take('.')) return 0;
    int number = 0, scale = 100;
    bool any = false;
    while (!rest.empty() && is_digit(rest.front())) {
      number += (rest.front() - '0') * scale;
      scale /= 10;
      any = true;
      rest.remove_prefix(1);
    }
    ok = ok && any;
    return number;
  }
};

Error not_a_time(std::string_view text) {
  return Error{Code::kInvalid, shown(text) +
                                   " is no time; expected 2011-12-09T12:50:00Z, Unix seconds or "
                                   "milliseconds"};
}

Result<Timestamp> in_range(std::string_view text, Timestamp time) {
  if (time < kFirstTime || time > kLastTime) {
    return Error{Code::kInvalid, shown(text) + " is a time outside the years 1 to 9999"};
  }
  return time;
}

Result<Timestamp> parse_unix(std::string_view text) {
  Scanner scanner{text};
  const bool negative = scanner.take('-');
  std::uint64_t number = 0;
  const char* const begin = scanner.rest.data();
  const auto read = std::from_chars(begin, begin + scanner.rest.size(), number);
  const auto digits = static_cast<std::size_t>(read.ptr - begin);
  if (digits == 0) return not_a_time(text);
  scanner.rest.remove_prefix(digits);
  const int fraction = scanner.milliseconds();
  if (!scanner.ok || !scanner.rest.empty()) return not_a_time(text);
  if (read.ec != std::errc() || digits > 15) return in_range(text, kLastTime + 1);
  const auto whole = static_cast<std::int64_t>(number);
  const Timestamp time = digits > kSecondDigitsMax ? whole : whole * kSecond + fraction;
  return in_range(text, negative ? -time : time);
}

// "Z", "+01:00", "-0530", or nothing (UTC), in minutes east of Greenwich.
int parse_offset(Scanner& scanner) {
  if (scanner.rest.empty() || scanner.take('Z') || scanner.take('z')) return 0;
  const bool west = scanner.take('-');
  if (!west) scanner.expect('+');
  const int hours = scanner.digits(2, 0, 23);
  scanner.take(':');
  const int minutes = hours * 60 + scanner.digits(2, 0, 59);
  return west ? -minutes : minutes;
}

}  // namespace

Result<Timestamp> parse_time(std::string_view text) {
  const bool dated = text.size() >= 10 && text[4] == '-' && text[7] == '-' && is_digit(text[0]);
  if (!dated) return parse_unix(text);
  Scanner scanner{text};
  const int year = scanner.digits(4, 1, 9999);
  scanner.expect('-');
  const int month = scanner.digits(2, 1, 12);
  scanner.expect('-');
  if (!scanner.ok) return not_a_time(text);
  const int day = scanner.digits(2, 1, days_in_month(year, month));
  std::int64_t seconds = days_of(year, month, day) * 86'400;
  int fraction = 0;
  if (!scanner.rest.empty()) {
    if (!scanner.take('T') && !scanner.take('t')) scanner.expect(' ');
    const int hour = scanner.digits(2, 0, 23);
    scanner.expect(':');
    const int minute = scanner.digits(2, 0, 59);
    seconds += hour * 3600 + minute * 60;
    if (scanner.take(':')) {
      seconds += scanner.digits(2, 0, minute == 59 ? 60 : 59);  // a leap second is the next one
      fraction = scanner.milliseconds();
    }
    seconds -= parse_offset(scanner) * 60;
  }
  if (!scanner.ok || !scanner.rest.empty()) return not_a_time(text);
  return in_range(text, seconds * kSecond + fraction);
}

std::string format_time(Timestamp time) {
  if (time == kNoTime) return {};
  if (time < kFirstTime || time > kLastTime) return std::to_string(time);
  const std::int64_t days = (time >= 0 ? time : time - (kDay - 1)) / kDay;
  const Date date = date_of(days);
  const auto of_day = static_cast<int>(time - days * kDay);
  char text[] = "0000-00-00T00:00:00.000Z";
  const auto put = [&text](int at, int digits, int number) {
    for (int i = digits - 1; i >= 0; --i, number /= 10)
      text[at + i] = static_cast<char>('0' + number % 10);
  };
  put(0, 4, date.year);
  put(5, 2, date.month);
  put(8, 2, date.day);
  put(11, 2, of_day / 3'600'000);
  put(14, 2, of_day / 60'000 % 60);
  put(17, 2, of_day / 1000 % 60);
  put(20, 3, of_day % 1000);
  return of_day % 1000 != 0 ? std::string(text) : std::string(text, 19) + "Z";
}

}  // namespace vitrine

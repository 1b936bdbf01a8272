#include "data/event.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/json.h"
#include "data/item.h"
#include "data/text.h"

namespace vitrine {
namespace {

Event good_event() {
  Event event;
  event.user = "17850";
  event.item = "85123A";
  return event;
}

std::string problem(const Status& status) { return status.ok() ? "" : status.error().message; }

TEST(EventTypes, BuiltInOnesKeepTheirNumbers) {
  const EventTypes types;
  EXPECT_EQ(*types.find("impression"), EventType::kImpression);
  EXPECT_EQ(*types.find("purchase"), EventType::kPurchase);
  EXPECT_EQ(*types.find("dislike"), EventType::kDislike);
  for (std::size_t i = 0; i < types.size(); ++i) {
    EXPECT_EQ(*types.find(types.name(static_cast<EventType>(i))), static_cast<EventType>(i));
  }
  EXPECT_EQ(types.name(static_cast<EventType>(255)), "");
}

TEST(EventTypes, AShopAddsItsOwn) {
  EventTypes types;
  EXPECT_EQ(*types.add("share_2"), EventType::kFirstCustom);
  EXPECT_EQ(*types.add("share_2"), EventType::kFirstCustom);
  EXPECT_EQ(*types.add("view"), EventType::kView);
  EXPECT_EQ(types.name(*types.find("share_2")), "share_2");
  for (const char* bad : {"", "Share", "a b", "abcdefghijklmnopqrstuvwxyz0123456", "\xc3\xa9"}) {
    EXPECT_EQ(types.add(bad).error().code, Code::kInvalid) << bad;
  }
}

TEST(EventTypes, ThereIsRoomForTwoHundred) {
  EventTypes types;
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(types.add("t" + std::to_string(i)).ok());
  EXPECT_EQ(types.add("one_more").error().code, Code::kExhausted);
}

TEST(EventTypes, AnUnknownNameIsToldTheNearest) {
  EXPECT_EQ(EventTypes().find("purchas").error().message,
            "unknown event type 'purchas', did you mean 'purchase'?");
}

TEST(Event, IsNewAfterClear) {
  Event event = good_event();
  event.value = 3;
  event.time = 5;
  event.type = EventType::kCart;
  event.context = "{}";
  event.clear();
  EXPECT_TRUE(event.user.empty() && event.item.empty() && event.context.empty());
  EXPECT_TRUE(std::isnan(event.value) && std::isnan(event.quantity) && std::isnan(event.price));
  EXPECT_EQ(event.time, kNoTime);
  EXPECT_EQ(event.type, EventType::kView);
}

TEST(CheckId, AcceptsUtf8AndNamesWhatIsWrong) {
  EXPECT_TRUE(check_id("a", "item").ok());
  EXPECT_TRUE(check_id(std::string(256, 'x'), "item").ok());
  EXPECT_TRUE(check_id("Größe 7/8 \xf0\x9f\x91\x9f", "item").ok());
  EXPECT_EQ(problem(check_id("", "item")), "item: is empty");
  EXPECT_EQ(problem(check_id(std::string(257, 'x'), "item")),
            "item: has 257 bytes, the limit is 256");
  EXPECT_EQ(problem(check_id("caf\xe9 au lait", "user")), "user: is not valid UTF-8");
  for (const std::string& bad :
       {std::string("a\nb"), std::string("a\0b", 3), std::string("a\x7f"),
        std::string("long enough \xc2\x85"), std::string("\tabcdefghij")}) {
    EXPECT_EQ(problem(check_id(bad, "user")), "user: contains a control character");
  }
}

TEST(Text, FastAsciiCheckAgreesWithTheObviousOne) {
  for (int length = 0; length < 20; ++length) {
    for (int at = 0; at < length; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(static_cast<std::size_t>(length), 'k');
        text[static_cast<std::size_t>(at)] = static_cast<char>(byte);
        EXPECT_EQ(is_printable_ascii(text), byte >= 0x20 && byte < 0x7f)
            << length << ' ' << at << ' ' << byte;
      }
    }
  }
}

TEST(Text, ShowsWhatCameInSafely) {
  EXPECT_EQ(shown("a\nb\x7f"), "'a?b?'");
  EXPECT_EQ(shown("caf\xe9"), "'caf?'");
  EXPECT_EQ(shown("abcdef", 3), "'abc...'");
  EXPECT_EQ(shown("\xc3\xa9\xc3\xa9", 3), "'\xc3\xa9...'");
}

TEST(CheckEvent, NamesTheField) {
  EXPECT_TRUE(check_event(good_event()).ok());
  Event event = good_event();
  event.user.clear();
  EXPECT_EQ(problem(check_event(event)),
            "user: is missing, and so is session; an event needs one of them");
  event.session = "s1";
  EXPECT_TRUE(check_event(event).ok());
  event.item.clear();
  EXPECT_EQ(problem(check_event(event)), "item: is missing; only a search may leave it out");
  event.type = EventType::kSearch;
  EXPECT_TRUE(check_event(event).ok());
  event.price = std::numeric_limits<double>::infinity();
  EXPECT_EQ(problem(check_event(event)), "price: must be a finite number, of at most 3.4e38");
  event.price = -1;
  event.order = "a\x01";
  EXPECT_EQ(problem(check_event(event)), "order: contains a control character");
  event.order.clear();
  event.type = EventType::kReturn;
  EXPECT_EQ(problem(check_event(event)),
            "item: is missing, and so is order; a return needs one of them");
  event.order = "o";
  EXPECT_TRUE(check_event(event).ok());
  event.slate = "s";
  event.origin = Origin::kOrganic;
  EXPECT_EQ(problem(check_event(event)), "origin: is organic, but a slate is named");
  event.origin = Origin::kSlate;
  event.query.assign(1025, 'x');
  EXPECT_EQ(problem(check_event(event)), "query: has 1025 bytes, the limit is 1024");
  event.query.clear();
  event.context.assign(4097, ' ');
  EXPECT_EQ(problem(check_event(event)), "context: has 4097 bytes, the limit is 4096");
}

TEST(EventJson, RoundTrips) {
  const EventTypes types;
  Event event = good_event();
  event.id = "e1";
  event.type = EventType::kPurchase;
  event.quantity = -2;
  event.price = 2.55;
  event.order = "536365";
  event.query = "white hanging heart";
  event.origin = Origin::kOrganic;
  event.time = 1291191960123;
  event.context = R"({"country":"United Kingdom","n":3})";
  const Value json = event_to_json(event, types);
  EXPECT_EQ(to_json(json),
            R"({"id":"e1","user":"17850","item":"85123A","order":"536365","type":"purchase",)"
            R"("quantity":-2.0,"price":2.55,"time":"2010-12-01T08:26:00.123Z",)"
            R"("query":"white hanging heart","origin":"organic",)"
            R"("context":{"country":"United Kingdom","n":3}})");
  const auto back = event_from_json(json, types);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(to_json(event_to_json(*back, types)), to_json(json));
}

TEST(EventJson, NamesTheWrongField) {
  const EventTypes types;
  const auto message = [&](std::string_view text) {
    const auto event = event_from_json(*parse_json(text), types);
    return event.ok() ? std::string("accepted") : event.error().message;
  };
  EXPECT_EQ(message(R"({"user":"u","item":"i","type":"view","time":1291191960})"), "accepted");
  EXPECT_EQ(message(R"({"user":"u","item":"i","type":"view","price":null})"), "accepted");
  EXPECT_EQ(message(R"([])"), "event: expected an object, found a list");
  EXPECT_EQ(message(R"({"user":"u","item":"i"})"), "type: is missing");
  EXPECT_EQ(message(R"({"user":"u","item":"i","type":"veiw"})"),
            "type: unknown event type 'veiw', did you mean 'view'?");
  EXPECT_EQ(message(R"({"user":7,"item":"i","type":"view"})"),
            "user: expected a string, found an integer");
  EXPECT_EQ(message(R"({"user":"u","item":"i","type":"view","price":"2"})"),
            "price: expected a number, found a string");
  EXPECT_EQ(message(R"({"user":"u","item":"i","type":"view","itme":"2"})"),
            "unknown field 'itme', did you mean 'item'?");
  EXPECT_EQ(message(R"({"user":"u","item":"","type":"view"})"), "item: is empty");
  EXPECT_EQ(message(R"({"user":"u\u0000","item":"i","type":"view"})"),
            "user: contains a control character");
  EXPECT_EQ(message(R"({"user":"u","item":"i","type":"view","context":"x"})"),
            "context: expected an object, found a string");
  EXPECT_EQ(
      message(R"({"user":"u","item":"i","type":"view","time":"yesterday"})"),
      "time: 'yesterday' is no time; expected 2011-12-09T12:50:00Z, Unix seconds or milliseconds");
}

}  // namespace
}  // namespace vitrine

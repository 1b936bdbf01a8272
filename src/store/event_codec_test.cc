#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <limits>

#include "store/event_log.h"

namespace vitrine {
namespace {

EventTypes shop_types() {
  EventTypes types;
  EXPECT_TRUE(types.add("wishlist").ok());
  EXPECT_TRUE(types.add("try_on").ok());
  return types;
}

bool same(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

bool same(const Event& a, const Event& b) {
  return a.id == b.id && a.user == b.user && a.session == b.session && a.item == b.item &&
         a.type == b.type && same(a.value, b.value) && same(a.quantity, b.quantity) &&
         same(a.price, b.price) && a.order == b.order && a.slate == b.slate && a.time == b.time &&
         a.received == b.received && a.context == b.context && a.query == b.query &&
         a.origin == b.origin;
}

std::string encoded(const Event& event, const EventTypes& types) {
  std::string bytes;
  encode_event(event, types, bytes);
  return bytes;
}

double any_number() {
  const auto cents = *rc::gen::arbitrary<std::int64_t>();
  switch (*rc::gen::inRange(0, 8)) {
    case 0:
      return std::numeric_limits<double>::quiet_NaN();
    case 1:
      return static_cast<double>(cents % 1000);
    case 2:
      return static_cast<double>(cents % 100'000) / 100;
    case 3:
      return static_cast<double>(cents);
    case 4:
      return -0.0;
    case 5:
      return static_cast<double>(cents) / 3e17;
    case 6:
      return std::numeric_limits<double>::infinity();
    default:
      return std::numeric_limits<double>::denorm_min();
  }
}

Timestamp any_time() {
  return *rc::gen::oneOf(rc::gen::just(kNoTime), rc::gen::just<Timestamp>(1322738400000),
                         rc::gen::arbitrary<Timestamp>());
}

Event any_event(const EventTypes& types) {
  Event event;
  for (std::string* text : {&event.id, &event.user, &event.session, &event.item, &event.order,
                            &event.slate, &event.query, &event.context})
    if (*rc::gen::arbitrary<bool>()) *text = *rc::gen::arbitrary<std::string>();
  event.type = static_cast<EventType>(*rc::gen::inRange<std::size_t>(0, types.size()));
  event.origin = static_cast<Origin>(*rc::gen::inRange(0, 3));
  event.value = any_number();
  event.quantity = any_number();
  event.price = any_number();
  event.time = any_time();
  event.received = any_time();
  return event;
}

TEST(EventCodec, RoundTripsEveryEvent) {
  const EventTypes types = shop_types();
  EXPECT_TRUE(rc::check([&] {
    const Event event = any_event(types);
    const std::string bytes = encoded(event, types);
    Event back;
    RC_ASSERT(decode_event(as_bytes(bytes), types, back).ok());
    RC_ASSERT(same(event, back));
  }));
}

// Whatever decodes is what encode makes of it; whatever does not is an error and no crash.
TEST(EventCodec, AcceptsOnlyWhatItMakes) {
  const EventTypes types = shop_types();
  EXPECT_TRUE(rc::check([&] {
    std::string bytes = encoded(any_event(types), types);
    const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << *rc::gen::inRange(0, 8)));
    if (*rc::gen::arbitrary<bool>()) bytes.resize(*rc::gen::inRange<std::size_t>(0, bytes.size()));
    Event back;
    if (decode_event(as_bytes(bytes), types, back).ok()) RC_ASSERT(encoded(back, types) == bytes);
  }));
}

TEST(EventCodec, RejectsEveryPrefixAndEveryTail) {
  const EventTypes types = shop_types();
  Event event, back;
  event.user = "17850";
  event.item = "85123A";
  event.type = EventType::kPurchase;
  event.quantity = 6;
  event.price = 2.55;
  event.time = 1291191960000;
  const std::string bytes = encoded(event, types);
  EXPECT_LE(bytes.size(), 28U);
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_FALSE(decode_event(as_bytes(bytes.substr(0, n)), types, back).ok()) << n;
  EXPECT_FALSE(decode_event(as_bytes(bytes + '\0'), types, back).ok());
}

// "share" was a shop's own type until it became a built-in one: what was written then is read.
TEST(EventCodec, AShopsOwnTypeMayHaveBecomeBuiltIn) {
  Event event, back;
  event.item = event.user = "a";
  event.type = EventType::kShare;
  std::string bytes = encoded(event, EventTypes());
  bytes[1] = static_cast<char>(bytes[1] | 0x80);  // the type by name
  bytes.replace(2, 1, "\x05share");
  ASSERT_TRUE(decode_event(as_bytes(bytes), EventTypes(), back).ok());
  EXPECT_TRUE(same(event, back));
  bytes.replace(2, 6, "\x04view");
  EXPECT_FALSE(decode_event(as_bytes(bytes), EventTypes(), back).ok());
}

TEST(EventCodec, ATypeThatTheShopNoLongerHasIsNamed) {
  const EventTypes types = shop_types();
  Event event, back;
  event.item = event.user = "a";
  event.type = *types.find("wishlist");
  const auto decoded = decode_event(as_bytes(encoded(event, types)), EventTypes(), back);
  ASSERT_FALSE(decoded.ok());
  EXPECT_NE(decoded.error().message.find("wishlist"), std::string::npos) << decoded.error().message;
}

}  // namespace
}  // namespace vitrine

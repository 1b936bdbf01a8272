// An item and a user as the shop describes them: what comes in by file or REST and is logged.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/value.h"
#include "data/ids.h"

namespace vitrine {

struct Item {
  std::string id;
  std::string title, description, brand, currency, image;
  std::vector<std::string> category;  // a path, from wide to narrow
  std::vector<std::string> tags;
  std::optional<double> price;
  bool available = true;
  Timestamp created = kNoTime;
  Table attributes;  // free, scalars and lists of scalars
  std::vector<std::pair<std::string, std::vector<float>>>
      vectors;  // named vectors that a shop brings
};

struct User {
  std::string id;
  Table attributes;
  Timestamp created = kNoTime;
};

inline constexpr std::size_t kTextBytesMax = 16 * 1024;  // title, description, one attribute
inline constexpr std::size_t kItemListMax = 64;          // category levels, tags, vectors
inline constexpr std::size_t kAttributesMax = 64;
inline constexpr std::size_t kVectorMax = 4096;  // numbers of one vector

// JSON <-> Item. Reading names the wrong field; an unknown field is an error. patch_item changes
// the fields that are present, all or none: null empties one, objects (attributes, vectors) are
// merged by key (RFC 7396). The id cannot be changed.
Result<Item> item_from_json(const Value& json);
Status patch_item(Item& item, const Value& json);
Value item_to_json(const Item& item);
Result<User> user_from_json(const Value& json);
Status patch_user(User& user, const Value& json);
Value user_to_json(const User& user);

// An event as JSON: {"user": ..., "item": ..., "type": "view", "time": seconds or RFC 3339, ...}.
class EventTypes;
struct Event;
Result<Event> event_from_json(const Value& json, const EventTypes& types);
Value event_to_json(const Event& event, const EventTypes& types);

// RFC 3339 ("2011-12-09T12:50:00Z", offsets, a space for T; without an offset UTC, without a time
// midnight), or a Unix time as digits: up to 11 of them are seconds, which may have a fraction,
// more are milliseconds. Years 1 to 9999; digits behind the milliseconds are cut off.
Result<Timestamp> parse_time(std::string_view text);
std::string format_time(
    Timestamp time);  // "2011-12-09T12:50:00Z", milliseconds where there are any

}  // namespace vitrine

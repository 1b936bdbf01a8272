// An event as the shop tells it, with outside ids: raw, logged, never changed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/ids.h"

namespace vitrine {

// The built-in types keep their numbers for ever; types that a shop configures follow them.
enum class EventType : std::uint8_t {
  kImpression,
  kView,
  kClick,
  kFavourite,
  kCart,
  kPurchase,
  kRating,
  kReturn,
  kSearch,
  kLike,
  kDislike,
  kFirstCustom
};

// The names of the event types: the built-in ones and a shop's own. Immutable after set-up;
// thread-safe.
class EventTypes {
 public:
  EventTypes();
  // Adds a shop's own type; at most 200 of them. A known name keeps its number.
  Result<EventType> add(std::string_view name);
  // The type of a name, kInvalid naming the nearest known one otherwise.
  Result<EventType> find(std::string_view name) const;
  std::string_view name(EventType type) const;
  std::size_t size() const { return names_.size(); }

 private:
  std::vector<std::string> names_;
};

// Strings are UTF-8. Empty = absent, NaN = absent for numbers, kNoTime = absent for times.
struct Event {
  std::string id;    // idempotency key; empty: the source derives one
  std::string user;  // empty: anonymous, then `session` joins the events of one visit
  std::string session;
  std::string item;  // empty only for searches
  EventType type = EventType::kView;
  double value;                  // rating, or any weight of its own
  double quantity;               // pieces; negative for returns in some sources
  double price;                  // of one piece, in the shop's currency
  std::string order;             // invoice, basket: groups the events bought together
  std::string slate;             // the slate that led here
  Timestamp time = kNoTime;      // when it happened
  Timestamp received = kNoTime;  // when we heard of it
  std::string context;           // compact JSON object, or empty

  Event();
  void clear();  // as new, keeping the strings' memory
};

// Limits of what an event may hold; ids over them are rejected where they come in.
inline constexpr std::size_t kIdBytesMax = 256;
inline constexpr std::size_t kContextBytesMax = 4096;

// An id is 1 to 256 bytes of valid UTF-8 without control characters. `what` names it in the
// message.
Status check_id(std::string_view id, std::string_view what);
// All of an event's fields: ids, lengths, finite numbers, an item unless it is a search, a user or
// a session.
Status check_event(const Event& event);

}  // namespace vitrine

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
  kRemoveFromCart,  // takes pieces out of the person's latest carts of the item
  kShare,
  kHide,    // "not this one"
  kReport,  // "something is wrong with it"
  kComment,
  kFirstCustom
};

// What led to an event: a list of ours, the shop's own pages, or nobody knows. An event with a
// slate id came from that slate.
enum class Origin : std::uint8_t { kUnknown, kOrganic, kSlate };
std::string_view origin_name(Origin origin);
Result<Origin> find_origin(std::string_view name);  // kInvalid, naming the known ones

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
  std::string item;  // empty only for searches, and for returns of a whole order
  EventType type = EventType::kView;
  double value;       // rating, or any weight of its own
  double quantity;    // pieces; negative for returns in some sources
  double price;       // of one piece, in the shop's currency
  std::string order;  // invoice, basket: groups the events bought together
  std::string slate;  // the slate that led here
  std::string query;  // what was searched for
  Origin origin = Origin::kUnknown;
  Timestamp time = kNoTime;      // when it happened
  Timestamp received = kNoTime;  // when we heard of it
  std::string context;           // compact JSON object, or empty

  Event();
  void clear();  // as new, keeping the strings' memory
};

// Limits of what an event may hold; ids over them are rejected where they come in.
inline constexpr std::size_t kIdBytesMax = 256;
inline constexpr std::size_t kContextBytesMax = 4096;
inline constexpr std::size_t kQueryBytesMax = 1024;

// An id is 1 to 256 bytes of valid UTF-8 without control characters. `what` names it in the
// message.
Status check_id(std::string_view id, std::string_view what);
// All of an event's fields: ids, lengths, finite numbers, a user or a session, an item unless it is
// a search or the return of a whole order.
Status check_event(const Event& event);

}  // namespace vitrine

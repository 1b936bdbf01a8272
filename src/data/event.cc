#include "data/event.h"

#include <cmath>
#include <limits>

#include "base/options.h"
#include "data/text.h"

namespace vitrine {
namespace {

constexpr std::string_view kBuiltInTypes[] = {
    "impression", "view", "click",   "favourite",        "cart",  "purchase", "rating", "return",
    "search",     "like", "dislike", "remove_from_cart", "share", "hide",     "report", "comment"};
constexpr std::string_view kOrigins[] = {"unknown", "organic", "slate"};
static_assert(std::size(kBuiltInTypes) == static_cast<std::size_t>(EventType::kFirstCustom));
constexpr std::size_t kCustomTypesMax = 200;
constexpr std::size_t kTypeNameMax = 32;
constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

Error invalid(std::string message) { return Error{Code::kInvalid, std::move(message)}; }

Status check_optional_id(std::string_view id, std::string_view what) {
  if (id.empty()) return {};
  return check_id(id, what);
}

Status check_number(double number, std::string_view what) {
  if (std::isinf(static_cast<float>(number)))  // that is how it is kept
    return invalid(std::string(what) + ": must be a finite number, of at most 3.4e38");
  return {};
}

}  // namespace

EventTypes::EventTypes() : names_(std::begin(kBuiltInTypes), std::end(kBuiltInTypes)) {}

Result<EventType> EventTypes::add(std::string_view name) {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i] == name) return static_cast<EventType>(i);
  }
  bool fine = !name.empty() && name.size() <= kTypeNameMax;
  for (const char c : name) {
    fine = fine && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
  }
  if (!fine) {
    return invalid("event type " + shown(name) +
                   ": a name has 1 to 32 of the characters a-z, 0-9 and _");
  }
  if (names_.size() >= std::size(kBuiltInTypes) + kCustomTypesMax) {
    return Error{Code::kExhausted, "event type " + shown(name) + ": there are " +
                                       std::to_string(kCustomTypesMax) + " types already"};
  }
  names_.emplace_back(name);
  return static_cast<EventType>(names_.size() - 1);
}

Result<EventType> EventTypes::find(std::string_view name) const {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i] == name) return static_cast<EventType>(i);
  }
  const std::vector<std::string_view> known(names_.begin(), names_.end());
  const std::string_view near = nearest(name, known);
  std::string message = "unknown event type " + shown(name);
  if (!near.empty()) message += ", did you mean '" + std::string(near) + "'?";
  return invalid(std::move(message));
}

std::string_view EventTypes::name(EventType type) const {
  const auto i = static_cast<std::size_t>(type);
  return i < names_.size() ? std::string_view(names_[i]) : std::string_view();
}

std::string_view origin_name(Origin origin) {
  const auto i = static_cast<std::size_t>(origin);
  return i < std::size(kOrigins) ? kOrigins[i] : std::string_view();
}

Result<Origin> find_origin(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kOrigins); ++i) {
    if (kOrigins[i] == name) return static_cast<Origin>(i);
  }
  return invalid("unknown origin " + shown(name) + ": expected organic, slate or unknown");
}

Event::Event() : value(kAbsent), quantity(kAbsent), price(kAbsent) {}

void Event::clear() {
  for (std::string* text : {&id, &user, &session, &item, &order, &slate, &query, &context})
    text->clear();
  type = EventType::kView;
  origin = Origin::kUnknown;
  value = quantity = price = kAbsent;
  time = received = kNoTime;
}

Status check_id(std::string_view id, std::string_view what) {
  if (!id.empty() && id.size() <= kIdBytesMax && is_printable_ascii(id)) return {};
  if (id.empty()) return invalid(std::string(what) + ": is empty");
  if (id.size() > kIdBytesMax) {
    return invalid(std::string(what) + ": has " + std::to_string(id.size()) +
                   " bytes, the limit is " + std::to_string(kIdBytesMax));
  }
  if (!is_valid_utf8(id)) return invalid(std::string(what) + ": is not valid UTF-8");
  if (has_control_characters(id)) {
    return invalid(std::string(what) + ": contains a control character");
  }
  return {};
}

Status check_event(const Event& event) {
  VT_TRY(check_optional_id(event.id, "id"));
  VT_TRY(check_optional_id(event.user, "user"));
  VT_TRY(check_optional_id(event.session, "session"));
  VT_TRY(check_optional_id(event.item, "item"));
  VT_TRY(check_optional_id(event.order, "order"));
  VT_TRY(check_optional_id(event.slate, "slate"));
  VT_TRY(check_number(event.value, "value"));
  VT_TRY(check_number(event.quantity, "quantity"));
  VT_TRY(check_number(event.price, "price"));
  if (event.user.empty() && event.session.empty()) {
    return invalid("user: is missing, and so is session; an event needs one of them");
  }
  const bool whole_order = event.type == EventType::kReturn && !event.order.empty();
  if (event.item.empty() && event.type != EventType::kSearch && !whole_order) {
    return invalid(event.type == EventType::kReturn
                       ? "item: is missing, and so is order; a return needs one of them"
                       : "item: is missing; only a search may leave it out");
  }
  if (!event.slate.empty() && event.origin == Origin::kOrganic) {
    return invalid("origin: is organic, but a slate is named");
  }
  VT_TRY(check_text(event.query, "query", kQueryBytesMax));
  return check_text(event.context, "context", kContextBytesMax);
}

}  // namespace vitrine

#include <cmath>

#include "base/json.h"
#include "data/event.h"
#include "data/item.h"
#include "data/json_fields.h"

namespace vitrine {
namespace {

constexpr std::pair<std::string_view, std::string Event::*> kIds[] = {
    {"id", &Event::id},     {"user", &Event::user},   {"session", &Event::session},
    {"item", &Event::item}, {"order", &Event::order}, {"slate", &Event::slate}};
constexpr std::pair<std::string_view, double Event::*> kNumbers[] = {
    {"value", &Event::value}, {"quantity", &Event::quantity}, {"price", &Event::price}};
constexpr std::pair<std::string_view, Timestamp Event::*> kTimes[] = {
    {"time", &Event::time}, {"received", &Event::received}};

// Reads one field; false when the event has no such field.
Result<bool> read_field(Event& event, std::string_view name, const Value& json,
                        const EventTypes& types) {
  for (const auto& [field, member] : kIds) {
    if (field != name) continue;
    VT_TRY(event.*member, id_from(json, field));
    return true;
  }
  for (const auto& [field, member] : kNumbers) {
    if (field != name) continue;
    VT_TRY(event.*member, number_from(json, field));
    return true;
  }
  for (const auto& [field, member] : kTimes) {
    if (field != name) continue;
    VT_TRY(event.*member, time_from(json, field));
    return true;
  }
  if (name == "type") {
    if (json.as_string() == nullptr) return wrong_type("type", "a string", json);
    auto type = types.find(*json.as_string());
    if (!type.ok()) return type.error().prefixed("type");
    event.type = *type;
    return true;
  }
  if (name == "query") {
    if (json.as_string() == nullptr) return wrong_type("query", "a string", json);
    event.query = *json.as_string();
    return true;
  }
  if (name == "origin") {
    if (json.as_string() == nullptr) return wrong_type("origin", "a string", json);
    auto origin = find_origin(*json.as_string());
    if (!origin.ok()) return origin.error().prefixed("origin");
    event.origin = *origin;
    return true;
  }
  if (name != "context") return false;
  if (json.as_table() == nullptr) return wrong_type("context", "an object", json);
  event.context = to_json(json);
  return true;
}

Error unknown(std::string_view name) {
  std::vector<std::string_view> known{"type", "query", "origin", "context"};
  for (const auto& field : kIds) known.push_back(field.first);
  for (const auto& field : kNumbers) known.push_back(field.first);
  for (const auto& field : kTimes) known.push_back(field.first);
  return unknown_field(name, known);
}

}  // namespace

Result<Event> event_from_json(const Value& json, const EventTypes& types) {
  const Table* table = json.as_table();
  if (table == nullptr) return wrong_type("event", "an object", json);
  const Value* type = table->find("type");
  if (type == nullptr || type->is_null()) return Error{Code::kInvalid, "type: is missing"};
  Event event;
  for (const Table::Entry& entry : *table) {
    if (entry.second.is_null()) continue;
    VT_TRY(const bool known, read_field(event, entry.first, entry.second, types));
    if (!known) return unknown(entry.first);
  }
  VT_TRY(check_event(event));
  return event;
}

Value event_to_json(const Event& event, const EventTypes& types) {
  Table table;
  for (const auto& [name, member] : kIds) {
    if (!(event.*member).empty()) table.set(name, event.*member);
  }
  table.set("type", types.name(event.type));
  for (const auto& [name, member] : kNumbers) {
    if (!std::isnan(event.*member)) table.set(name, event.*member);
  }
  for (const auto& [name, member] : kTimes) {
    if (event.*member != kNoTime) table.set(name, format_time(event.*member));
  }
  if (!event.query.empty()) table.set("query", event.query);
  if (event.origin != Origin::kUnknown) table.set("origin", origin_name(event.origin));
  if (!event.context.empty()) {
    const auto context = parse_json(event.context);
    if (context.ok()) table.set("context", *context);
  }
  return table;
}

}  // namespace vitrine

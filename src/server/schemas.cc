#include "server/schemas.h"

#include "data/event.h"

namespace vitrine {
namespace {

Table ref(const char* name) { return {{"$ref", "#/components/schemas/" + std::string(name)}}; }
Table type(const char* name, const char* help = "") {
  Table schema{{"type", name}};
  if (*help != '\0') schema.set("description", help);
  return schema;
}
Table list_of(Table items) { return {{"type", "array"}, {"items", std::move(items)}}; }
Table object(Table properties, List required = {}) {
  Table schema{{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) schema.set("required", std::move(required));
  return schema;
}
Table closed(Table schema) {
  schema.set("additionalProperties", false);
  return schema;
}
Table whole(std::int64_t low, const char* help = "") {
  Table schema = type("integer", help);
  schema.set("minimum", low);
  return schema;
}
Table id(const char* help) {
  Table schema = type("string", help);
  schema.set("minLength", 1);
  schema.set("maxLength", static_cast<std::int64_t>(kIdBytesMax));
  return schema;
}
Table time_of(const char* help) {
  return {{"description", help},
          {"oneOf", List{Table{{"type", "string"}}, Table{{"type", "number"}}}}};
}
Table one_or_many(const char* record, const char* batch) {
  return {{"oneOf", List{ref(record), list_of(ref(record)),
                         closed(object({{batch, list_of(ref(record))}}, {batch}))}}};
}

// An event, or the entry of a history: a purchase when it does not say.
Table event_schema(List required) {
  return closed(object(
      {{"id", id("idempotency key: a repeat changes nothing")},
       {"user", id("whose event; without it, session")},
       {"session", id("joins the events of an anonymous visit")},
       {"item", id("absent for searches, and for the return of a whole order")},
       {"type",
        id("impression, view, click, favourite, cart, remove_from_cart, purchase, rating, return, "
           "search, like, dislike, share, hide, report, comment, or a type of the shop")},
       {"value", type("number", "a rating")},
       {"quantity", type("number")},
       {"price", type("number", "of one piece")},
       {"order", id("groups what was bought together")},
       {"slate", id("the slate_id of the list that led here")},
       {"query", type("string", "what was searched for")},
       {"origin", type("string", "what led here: organic, slate or unknown")},
       {"time", time_of("RFC 3339, or Unix seconds; now when absent")},
       {"received", time_of("set by the server when absent")},
       {"context", type("object")}},
      std::move(required)));
}

Table item_schema() {
  return closed(object({{"id", id("the path's, where there is one")},
                        {"title", type("string")},
                        {"description", type("string")},
                        {"brand", type("string")},
                        {"category", list_of(type("string"))},
                        {"tags", list_of(type("string"))},
                        {"price", type("number")},
                        {"currency", type("string")},
                        {"image", type("string")},
                        {"available", type("boolean", "an item that is not is never shown")},
                        {"created", time_of("RFC 3339, or Unix seconds")},
                        {"attributes", type("object", "free: scalars and lists of scalars")},
                        {"vectors", type("object", "named vectors of numbers")}}));
}

// The fields of a record, each of which null empties.
Table changes_of(Table schema) {
  Table fields;
  for (const Table::Entry& field : *schema.find("properties")->as_table()) {
    fields.set(field.first, field.first == "id"
                                ? field.second
                                : Value(Table{{"anyOf", List{field.second, type("null")}}}));
  }
  schema.set("properties", std::move(fields));
  return schema;
}

Table user_schema() {
  return closed(object({{"id", id("the path's, where there is one")},
                        {"attributes", type("object")},
                        {"created", time_of("RFC 3339, or Unix seconds")}}));
}

// A record as it is answered with.
Table known(Table schema) {
  schema.find("properties")
      ->as_table()
      ->set("incomplete",
            type("boolean",
                 "true: only events mention it, it was never described; absent otherwise"));
  return schema;
}

Table request_schema() {
  return closed(object(
      {{"user", type("string", "known or not; absent: an anonymous visitor")},
       {"session", type("string", "of an anonymous visitor: their logged events count")},
       {"history", list_of(Table{{"oneOf", List{id("an item they bought"), ref("HistoryEvent")}}})},
       {"placement", type("string", "one of the configured placements (home)")},
       {"n", whole(1, "length of the list (10)")},
       {"exclude", list_of(type("string"))},
       {"models", list_of(type("string"))},
       {"repeat", Table{{"type", "string"}, {"enum", List{"never", "after_cycle", "always"}}}},
       {"item", type("string", "the item that is being looked at")},
       {"cart", list_of(type("string"))},
       {"categories", list_of(type("string", "a path, levels joined by >"))},
       {"context", type("object", "device, country, ...")},
       {"explain", type("boolean", "add reasons")},
       {"pages", type("boolean", "freeze a longer list, to be paged through without repeats")},
       {"next", type("string", "of an earlier answer: what comes behind it")},
       {"min_sequence", whole(0, "answer from state that holds at least this acknowledgement")}}));
}

Table slate_schema() {
  const Table reason =
      object({{"item", type("string")},
              {"title", type("string")},
              {"type", type("string")},
              {"time", type("string")},
              {"share", type("number", "of the item's score, lost without this event")}});
  const Table item = object({{"id", type("string")},
                             {"title", type("string")},
                             {"score", type("number")},
                             {"propensity", type("number")},
                             {"source", type("string", "the model")},
                             {"because", type("string")},
                             {"reasons", list_of(reason)}},
                            {"id", "score"});
  return object(
      {{"slate_id", type("string", "give it back with the events that this list leads to")},
       {"snapshot", type("string")},
       {"sequence", whole(0, "the state that answered holds the log up to here")},
       {"items", list_of(item)},
       {"degraded", type("string", "why this list is less than usual")},
       {"shortfall", type("string", "why there are fewer than n")},
       {"next", type("string", "with pages: give it back for the items that come next")}},
      {"slate_id", "snapshot", "sequence", "items"});
}

Table status_schema() {
  Table properties;
  for (const char* name :
       {"sequence", "snapshot_sequence", "users", "items", "events", "persons_live",
        "slates_logged", "slates_dropped", "new_items", "new_items_shown", "memory_bytes"}) {
    properties.set(name, whole(0));
  }
  properties.set("incomplete_items", whole(0, "that events mention and nothing describes"));
  properties.set("ready", type("boolean"));
  properties.set("new_item_seconds",
                 type("number", "mean, until an item that came after the snapshot was in a list"));
  properties.set("snapshot", type("string"));
  properties.set("training", type("string", "idle, running, or failed: and the reason"));
  return object(std::move(properties), {"ready", "snapshot", "sequence"});
}

}  // namespace

Table all_schemas() {
  return {
      {"Event", event_schema({"type"})},
      {"HistoryEvent", event_schema({})},
      {"Events", one_or_many("Event", "events")},
      {"Item", item_schema()},
      {"Items", one_or_many("Item", "items")},
      {"KnownItem", known(item_schema())},
      {"ItemChanges", changes_of(item_schema())},
      {"User", user_schema()},
      {"KnownUser", known(user_schema())},
      {"UserChanges", changes_of(user_schema())},
      {"Users", one_or_many("User", "users")},
      {"Merge", closed(object({{"session", type("string", "whose events become the user's")},
                               {"user", type("string", "or this user's")}}))},
      {"Ack", object({{"sequence", whole(0, "durable up to here")},
                      {"accepted", whole(0)},
                      {"repeated", whole(0)}},
                     {"sequence", "accepted", "repeated"})},
      {"EventsAck",
       object({{"sequence", whole(0, "durable up to here")},
               {"accepted", whole(0)},
               {"repeated", whole(0, "ids that were known: they change nothing")},
               {"rejected", list_of(object({{"index", whole(0, "in the batch, from 0")},
                                            {"message", type("string", "what is wrong with it")}},
                                           {"index", "message"}))}},
              {"sequence", "accepted", "repeated"})},
      {"History",
       object({{"id", type("string")}, {"events", list_of(type("object"))}}, {"id", "events"})},
      {"RecommendationRequest", request_schema()},
      {"ExplanationRequest", request_schema()},
      {"Slate", slate_schema()},
      {"Explanation",
       object({{"item", type("string")}, {"models", list_of(type("object"))}}, {"item", "models"})},
      {"Status", status_schema()},
      {"Snapshots", object({{"published", type("string")}, {"snapshots", list_of(type("object"))}},
                           {"published", "snapshots"})},
      {"TrainingRequest",
       closed(object({{"force", type("boolean", "publish whatever the gate says")},
                      {"reason", type("string", "recorded in the snapshot")}}))},
      {"Health", object({{"status", type("string")}, {"snapshot", type("string")}}, {"status"})},
      {"OpenAPI", type("object")},
      {"Error", object({{"error", object({{"code", type("string")}, {"message", type("string")}},
                                         {"code", "message"})}},
                       {"error"})},
  };
}

}  // namespace vitrine

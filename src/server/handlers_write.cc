// Handlers of everything that changes state: events, items, users.
#include <optional>

#include "base/json.h"
#include "base/json_view.h"
#include "base/json_writer.h"
#include "data/item.h"
#include "server/gather.h"
#include "server/quick_read.h"
#include "server/routes.h"

namespace vitrine {
namespace {

Value ack_json(const Ack& ack) {
  return Table{{"sequence", ack.sequence}, {"accepted", ack.accepted}, {"repeated", ack.repeated}};
}

// A batch is a list, an object that holds one under `name`, or a single record.
Result<std::vector<const Value*>> records_of(const Value& body, std::string_view name,
                                             int batch_max) {
  const List* list = body.as_list();
  if (const Table* table = body.as_table()) {
    const Value* inner = table->find(name);
    if (inner == nullptr) return std::vector<const Value*>{&body};
    list = inner->as_list();
    if (table->size() != 1) {
      return Error{Code::kInvalid, "an object with '" + std::string(name) + "' holds nothing else"};
    }
  }
  if (list == nullptr) {
    return Error{Code::kInvalid, "expected an object or a list of objects, found a " +
                                     std::string(body.type_name())};
  }
  if (list->empty()) return Error{Code::kInvalid, "the batch is empty"};
  if (list->size() > static_cast<std::size_t>(batch_max)) {
    return Error{Code::kInvalid, "the batch has " + std::to_string(list->size()) +
                                     " records, the limit is " + std::to_string(batch_max) +
                                     "; send it in parts"};
  }
  std::vector<const Value*> records;
  for (const Value& record : *list) records.push_back(&record);
  return records;
}

// Reads every record of the body or says which one is wrong: "events[3]: ...".
template <class Record, class Read>
Result<std::vector<Record>> read_batch(const Call& call, std::string_view name, const Read& read) {
  VT_TRY(const Value body, call.json());
  VT_TRY(const auto records, records_of(body, name, call.options.batch_max));
  std::vector<Record> batch;
  for (std::size_t i = 0; i < records.size(); ++i) {
    auto record = read(*records[i]);
    if (!record.ok())
      return record.error().prefixed(std::string(name) + "[" + std::to_string(i) + "]");
    batch.push_back(*std::move(record));
  }
  return batch;
}

struct RejectedEvent {
  std::size_t index;  // in the batch
  std::string message;
};
struct EventBatch {
  std::vector<Event> events;
  std::vector<RejectedEvent> rejected;
};

// The body as a batch of at least one event and at most batch_max; nothing when it is anything
// else.
std::optional<std::vector<JsonView>> events_of(const Call& call) {
  const auto body = parse_json_view(call.request.body);
  if (!body) return std::nullopt;
  JsonView list = *body;
  std::vector<JsonView> events;
  if (body->kind() == JsonView::Kind::kObject) {
    bool named = false;
    std::size_t fields = 0;
    body->each_field([&](std::string_view key, const JsonView& field) {
      named = named || key == "events";
      list = field;
      return ++fields < 2;
    });
    if (!named) return std::vector{*body};
    if (fields != 1) return std::nullopt;
  }
  const auto most = static_cast<std::size_t>(call.options.batch_max);
  const bool fits = list.kind() == JsonView::Kind::kList && list.each_element([&](JsonView event) {
    events.push_back(event);
    return events.size() <= most;
  });
  if (!fits || events.empty()) return std::nullopt;
  return events;
}

Result<EventBatch> read_events(const Call& call) {
  const EventTypes& types = call.engine.types();
  const auto slowly = [&](const Value& json) { return event_from_json(json, types); };
  EventBatch batch;
  const auto views = events_of(call);
  if (!views) {  // an error, as a rule
    VT_TRY(batch.events, read_batch<Event>(call, "events", slowly));
    return batch;
  }
  batch.events.reserve(views->size());
  std::optional<Error> first;
  for (std::size_t i = 0; i < views->size(); ++i) {
    if (auto event = quick_event((*views)[i], types)) {
      batch.events.push_back(*std::move(event));
      continue;
    }
    auto value = (*views)[i].value();
    auto event = value.ok() ? slowly(*value) : Result<Event>(value.error());
    if (event.ok()) {
      batch.events.push_back(*std::move(event));
      continue;
    }
    if (!first) first = event.error().prefixed("events[" + std::to_string(i) + "]");
    batch.rejected.push_back({i, event.error().message});
  }
  if (batch.events.empty()) return *std::move(first);
  return batch;
}

Result<HttpResponse> events_response(const Result<Ack>& ack,
                                     const std::vector<RejectedEvent>& rejected) {
  if (!ack.ok()) return ack.error();
  HttpResponse response;
  JsonWriter json(response.body);
  json.open('{');
  json.key("sequence").integer(static_cast<std::int64_t>(ack->sequence));
  json.key("accepted").integer(static_cast<std::int64_t>(ack->accepted));
  json.key("repeated").integer(static_cast<std::int64_t>(ack->repeated));
  if (!rejected.empty()) json.key("rejected").open('[');
  for (const RejectedEvent& event : rejected) {
    json.open('{');
    json.key("index").integer(static_cast<std::int64_t>(event.index));
    json.key("message").text(event.message);
    json.close('}');
  }
  if (!rejected.empty()) json.close(']');
  json.close('}');
  return response;
}

// The body of a PUT, whose id may be left out but not differ from the path's.
Result<Value> body_with_id(const Call& call) {
  VT_TRY(Value body, call.json());
  Table* table = body.as_table();
  if (table == nullptr)
    return Error{Code::kInvalid, "expected an object, found a " + std::string(body.type_name())};
  const Value* id = table->find("id");
  if (id != nullptr && (id->as_string() == nullptr || *id->as_string() != call.path[0])) {
    return Error{Code::kInvalid, "id: differs from the id in the path"};
  }
  table->set("id", call.path[0]);
  return body;
}

Result<Value> changes_without_id(const Call& call) {
  VT_TRY(Value body, body_with_id(call));
  body.as_table()->erase("id");
  return body;
}

// A record, and whether events alone mention it.
HttpResponse known_response(Value record, bool incomplete) {
  if (incomplete) record.as_table()->set("incomplete", true);
  return json_response(record);
}

Result<HttpResponse> acknowledged(const Result<Ack>& ack) {
  if (!ack.ok()) return ack.error();
  return json_response(ack_json(*ack));
}

}  // namespace

// The good events are kept, the bad ones named. An error when none is good.
Result<HttpResponse> post_events(const Call& call) {
  VT_TRY(const EventBatch batch, read_events(call));
  return events_response(call.engine.add_events(batch.events), batch.rejected);
}

void gather_events(const Call& call, EventGather& gather, std::function<void(HttpResponse)> done) {
  auto batch = read_events(call);
  if (!batch.ok()) return done(error_response(batch.error()));
  gather.add(std::move(batch->events),
             [done = std::move(done), rejected = std::move(batch->rejected)](const auto& ack) {
               const auto response = events_response(ack, rejected);
               done(response.ok() ? *response : error_response(response.error()));
             });
}

Result<HttpResponse> post_items(const Call& call) {
  VT_TRY(const auto items, read_batch<Item>(call, "items", item_from_json));
  return acknowledged(call.engine.put_items(items));
}

Result<HttpResponse> put_item(const Call& call) {
  VT_TRY(const Value body, body_with_id(call));
  VT_TRY(const Item item, item_from_json(body));
  return acknowledged(call.engine.put_items(std::span(&item, 1)));
}

Result<HttpResponse> patch_item(const Call& call) {
  VT_TRY(const Value changes, changes_without_id(call));
  return acknowledged(call.engine.patch_item(call.path[0], changes));
}

Result<HttpResponse> get_item(const Call& call) {
  VT_TRY(const KnownItem item, call.engine.item(call.path[0]));
  return known_response(item_to_json(item), item.incomplete);
}

Result<HttpResponse> delete_item(const Call& call) {
  return acknowledged(call.engine.erase_item(call.path[0]));
}

Result<HttpResponse> post_users(const Call& call) {
  VT_TRY(const auto users, read_batch<User>(call, "users", user_from_json));
  return acknowledged(call.engine.put_users(users));
}

Result<HttpResponse> put_user(const Call& call) {
  VT_TRY(const Value body, body_with_id(call));
  VT_TRY(const User user, user_from_json(body));
  return acknowledged(call.engine.put_users(std::span(&user, 1)));
}

Result<HttpResponse> patch_user(const Call& call) {
  VT_TRY(const Value changes, changes_without_id(call));
  return acknowledged(call.engine.patch_user(call.path[0], changes));
}

Result<HttpResponse> get_user(const Call& call) {
  VT_TRY(const KnownUser user, call.engine.user(call.path[0]));
  return known_response(user_to_json(user), user.incomplete);
}

Result<HttpResponse> get_user_history(const Call& call) {
  VT_TRY(const LivePerson person, call.engine.person(call.path[0]));
  List events;
  for (std::size_t i = 0; i < person.history.size(); ++i) {
    const HistoryEvent& event = person.history[i];
    Table row{{"item", person.items[i]}, {"type", call.engine.types().name(event.type)}};
    if (event.time != kNoTime) row.set("time", format_time(event.time));
    row.set("value", event.value);
    events.emplace_back(std::move(row));
  }
  return json_response(Table{{"id", person.id}, {"events", std::move(events)}});
}

Result<HttpResponse> delete_user(const Call& call) {
  return acknowledged(call.engine.erase_user(call.path[0]));
}

Result<HttpResponse> post_user_merge(const Call& call) {
  VT_TRY(const Value body, call.json());
  if (body.as_table() == nullptr)
    return Error{Code::kInvalid, "expected an object, found a " + std::string(body.type_name())};
  Merge merge;
  merge.to = call.path[0];
  for (const auto& [key, value] : *body.as_table()) {
    if (key != "session" && key != "user")
      return Error{Code::kInvalid, key + ": is no field; give \"session\" or \"user\""};
    if (value.as_string() == nullptr) return Error{Code::kInvalid, key + ": expected a string"};
    (key == "user" ? merge.user : merge.session) = *value.as_string();
  }
  return acknowledged(call.engine.merge(merge));
}

}  // namespace vitrine

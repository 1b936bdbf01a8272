// Handlers that answer with lists.
#include <chrono>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/options.h"
#include "data/item.h"
#include "server/limits.h"
#include "server/quick_read.h"
#include "server/routes.h"

namespace vitrine {
namespace {

void field(JsonWriter& json, std::string_view key, std::string_view text) {
  if (!text.empty()) json.key(key).text(text);
}

void write_reasons(JsonWriter& json, const std::vector<AnsweredReason>& reasons) {
  json.key("reasons").open('[');
  for (const AnsweredReason& reason : reasons) {
    json.open('{');
    json.key("item").text(reason.item);
    json.key("title").text(reason.title);
    json.key("type").text(reason.type);
    if (reason.time != kNoTime) json.key("time").text(format_time(reason.time));
    json.key("share").number(reason.share);
    json.close('}');
  }
  json.close(']');
}

void write_items(JsonWriter& json, const std::vector<AnsweredItem>& items) {
  json.open('[');
  for (const AnsweredItem& item : items) {
    json.open('{');
    json.key("id").text(item.id);
    field(json, "title", item.title);
    json.key("score").number(item.score);
    json.key("propensity").number(item.propensity);
    field(json, "source", item.source);
    field(json, "because", item.because);
    if (!item.reasons.empty()) write_reasons(json, item.reasons);
    json.close('}');
  }
  json.close(']');
}

HttpResponse slate_response(const Answer& answer) {
  constexpr std::size_t kHeadBytes = 256, kItemBytes = 160;  // about, without reasons
  HttpResponse response;
  response.body.reserve(kHeadBytes + kItemBytes * answer.items.size());
  JsonWriter json(response.body);
  json.open('{');
  json.key("slate_id").text(answer.slate_id);
  json.key("snapshot").text(answer.snapshot);
  json.key("sequence").integer(static_cast<std::int64_t>(answer.sequence));
  write_items(json.key("items"), answer.items);
  field(json, "degraded", answer.degraded);
  field(json, "shortfall", answer.shortfall);
  field(json, "next", answer.next);
  json.close('}');
  return response;
}

Error wrong_type(std::string_view key, std::string_view wanted, const Value& found) {
  return Error{Code::kInvalid, std::string(key) + ": expected " + std::string(wanted) +
                                   ", found a " + std::string(found.type_name())};
}

// Reads the keys of one JSON object, each once; leftovers are unknown keys.
class Reader {
 public:
  explicit Reader(const Table& table) : table_(table) {}

  Status text(std::string_view key, std::string& into) {
    const Value* value = take(key);
    if (value == nullptr) return {};
    if (value->as_string() == nullptr) return wrong_type(key, "a string", *value);
    into = *value->as_string();
    return {};
  }
  Status flag(std::string_view key, bool& into) {
    const Value* value = take(key);
    if (value == nullptr) return {};
    if (value->as_bool() == nullptr) return wrong_type(key, "true or false", *value);
    into = *value->as_bool();
    return {};
  }
  Status number(std::string_view key, std::int64_t low, std::int64_t high, std::int64_t& into) {
    const Value* value = take(key);
    if (value == nullptr) return {};
    if (value->as_int() == nullptr) return wrong_type(key, "a whole number", *value);
    if (*value->as_int() < low || *value->as_int() > high) {
      return Error{Code::kInvalid, std::string(key) + ": " + std::to_string(*value->as_int()) +
                                       " is out of range, expected " + std::to_string(low) +
                                       " to " + std::to_string(high)};
    }
    into = *value->as_int();
    return {};
  }
  Status texts(std::string_view key, std::size_t most, std::vector<std::string>& into) {
    const Value* value = take(key);
    if (value == nullptr) return {};
    if (value->as_list() == nullptr) return wrong_type(key, "a list of strings", *value);
    if (value->as_list()->size() > most) {
      return Error{Code::kInvalid,
                   std::string(key) + ": more than " + std::to_string(most) + " entries"};
    }
    for (const Value& entry : *value->as_list()) {
      if (entry.as_string() == nullptr) return wrong_type(key, "a list of strings", entry);
      into.push_back(*entry.as_string());
    }
    return {};
  }
  const Value* take(std::string_view key) {
    known_.push_back(key);
    const Value* value = table_.find(key);
    return value != nullptr && value->is_null() ? nullptr : value;
  }
  Status finish() const {
    for (const Table::Entry& entry : table_) {
      bool found = false;
      for (const std::string_view key : known_) found = found || key == entry.first;
      if (!found) return options_detail::unknown_key(entry.first, known_, "body");
    }
    return {};
  }

 private:
  const Table& table_;
  std::vector<std::string_view> known_;
};

// {"item": ..., "type": "purchase", ...} or just the item's id.
Status read_history(const Call& call, Reader& reader, std::vector<Event>& history) {
  const Value* value = reader.take("history");
  if (value == nullptr) return {};
  if (value->as_list() == nullptr) return wrong_type("history", "a list", *value);
  if (value->as_list()->size() > static_cast<std::size_t>(call.options.batch_max)) {
    return Error{Code::kInvalid,
                 "history: more than " + std::to_string(call.options.batch_max) + " entries"};
  }
  for (std::size_t i = 0; i < value->as_list()->size(); ++i) {
    const Value& entry = (*value->as_list())[i];
    const std::string where = "history[" + std::to_string(i) + "]";
    Table table;
    if (entry.as_string() != nullptr)
      table.set("item", entry);
    else if (entry.as_table() != nullptr)
      table = *entry.as_table();
    else
      return wrong_type(where, "an item id or an event", entry);
    const Value* type = table.find("type");
    if (type == nullptr || type->is_null()) table.set("type", "purchase");
    if (table.find("user") == nullptr && table.find("session") == nullptr)
      table.set("session", "asked");
    auto event = event_from_json(table, call.engine.types());
    if (!event.ok()) return event.error().prefixed(where);
    history.push_back(*std::move(event));
  }
  return {};
}

Status read_context(Reader& reader, RecommendRequest& request) {
  const Value* value = reader.take("context");
  if (value == nullptr) return {};
  if (value->as_table() == nullptr) return wrong_type("context", "an object", *value);
  if (value->as_table()->size() > kAttributesMax)
    return Error{Code::kInvalid, "context: too many keys"};
  for (const Table::Entry& entry : *value->as_table()) {
    if (entry.second.as_list() != nullptr || entry.second.as_table() != nullptr) {
      return wrong_type("context." + entry.first, "a string, number or boolean", entry.second);
    }
    const std::string* text = entry.second.as_string();
    request.context.emplace_back(entry.first, text != nullptr ? *text : to_json(entry.second));
  }
  return {};
}

Result<Value> object_of(const Call& call) {
  VT_TRY(Value body, call.json());
  if (body.as_table() == nullptr) return wrong_type("body", "an object", body);
  return body;
}

Status read_fields(const Call& call, Reader& reader, RecommendRequest& request) {
  const auto most = static_cast<std::size_t>(call.options.batch_max);
  std::int64_t n = request.n, min_sequence = 0;
  VT_TRY(reader.text("user", request.user));
  VT_TRY(reader.text("session", request.session));
  VT_TRY(reader.text("placement", request.placement));
  VT_TRY(reader.text("repeat", request.repeat));
  VT_TRY(reader.text("item", request.item));
  VT_TRY(reader.number("n", 1, call.options.n_max, n));
  VT_TRY(reader.number("min_sequence", 0, std::numeric_limits<std::int64_t>::max(), min_sequence));
  VT_TRY(reader.flag("explain", request.explain));
  VT_TRY(reader.flag("pages", request.pages));
  VT_TRY(reader.text("next", request.next));
  VT_TRY(reader.texts("exclude", most, request.exclude));
  VT_TRY(reader.texts("models", kItemListMax, request.models));
  VT_TRY(reader.texts("cart", most, request.cart));
  VT_TRY(reader.texts("categories", kItemListMax, request.categories));
  VT_TRY(read_history(call, reader, request.history));
  VT_TRY(read_context(reader, request));
  request.n = static_cast<int>(n);
  request.min_sequence = static_cast<std::uint64_t>(min_sequence);
  return {};
}

Result<RecommendRequest> read_request(const Call& call) {
  if (auto quick = quick_request(call)) return *std::move(quick);
  VT_TRY(const Value body, object_of(call));
  Reader reader(*body.as_table());
  RecommendRequest request;
  VT_TRY(read_fields(call, reader, request));
  VT_TRY(reader.finish());
  return request;
}

}  // namespace

namespace {

// The time that the client, or else the shop, gives an answer, less what it waited for its turn.
Status read_deadline(const Call& call, RecommendRequest& request) {
  int allowed_ms = call.options.deadline_ms;
  if (const std::string& text = call.request.deadline_ms; !text.empty()) {
    VT_TRY(allowed_ms, whole_number("X-Deadline-Ms", text, 1, kDeadlineMsMax));
  }
  if (allowed_ms == 0) return {};
  const std::chrono::duration<double, std::milli> waited =
      std::chrono::steady_clock::now() - call.request.received;
  request.ms_left = allowed_ms - waited.count();
  return {};
}

}  // namespace

Result<HttpResponse> post_recommendations(const Call& call) {
  VT_TRY(RecommendRequest request, read_request(call));
  VT_TRY(read_deadline(call, request));
  VT_TRY(const Answer answer, call.engine.recommend(request));
  return slate_response(answer);
}

Result<HttpResponse> post_explanations(const Call& call) {
  VT_TRY(RecommendRequest request, read_request(call));
  if (request.item.empty())
    return Error{Code::kInvalid, "item: is missing, name the item to explain"};
  const std::string item = std::exchange(request.item, {});
  VT_TRY(const auto models, call.engine.explain(request, item));
  HttpResponse response;
  JsonWriter json(response.body);
  json.open('{');
  json.key("item").text(item);
  write_items(json.key("models"), models);
  json.close('}');
  return response;
}

Result<HttpResponse> get_similar(const Call& call) {
  VT_TRY(const int n, call.query_int("n", 10, 1, call.options.n_max));
  VT_TRY(const SimilarBy by, parse_similar(call.query_text("by")));
  std::vector<std::string> exclude;
  const std::string text = call.query_text("exclude");
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    if (comma > begin) exclude.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  VT_TRY(const Answer answer, call.engine.similar(call.path[0], n, by, exclude));
  return slate_response(answer);
}

namespace {

Result<CountedRequest> read_counted(const Call& call) {
  CountedRequest request;
  VT_TRY(request.n, call.query_int("n", 10, 1, call.options.n_max));
  VT_TRY(request.hours, call.query_int("hours", 0, 0, 24 * 3650));
  request.category = call.query_text("category");
  request.region = call.query_text("region");
  return request;
}

}  // namespace

Result<HttpResponse> get_popular(const Call& call) {
  VT_TRY(CountedRequest request, read_counted(call));
  VT_TRY(request.days, call.query_int("days", 0, 0, 3650));
  VT_TRY(const Answer answer, call.engine.popular(request));
  return slate_response(answer);
}

Result<HttpResponse> get_trending(const Call& call) {
  VT_TRY(const CountedRequest request, read_counted(call));
  VT_TRY(const Answer answer, call.engine.trending(request));
  return slate_response(answer);
}

}  // namespace vitrine

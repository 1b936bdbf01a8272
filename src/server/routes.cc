#include "server/routes.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/json.h"
#include "base/options.h"

namespace vitrine {

std::span<const Route> all_routes() {
  static const std::vector<Parameter> kNone;
  static const std::vector<Route> kRoutes = {
      {"POST",
       "/v1/events",
       Scope::kWrite,
       true,
       post_events,
       "Log one event or a batch. Durable when answered; repeats of an event id change nothing. "
       "Bad "
       "events of a batch are named by their index, the good ones are kept.",
       "Events",
       "EventsAck",
       {}},
      {"POST",
       "/v1/items",
       Scope::kWrite,
       true,
       post_items,
       "Put a batch of items, each whole.",
       "Items",
       "Ack",
       {}},
      {"PUT",
       "/v1/items/{id}",
       Scope::kWrite,
       true,
       put_item,
       "Put one item, whole.",
       "Item",
       "Ack",
       {}},
      {"PATCH",
       "/v1/items/{id}",
       Scope::kWrite,
       true,
       patch_item,
       "Change the given fields of an item; null empties one.",
       "ItemChanges",
       "Ack",
       {}},
      {"GET", "/v1/items/{id}", Scope::kRead, false, get_item, "One item.", "", "KnownItem", {}},
      {"DELETE",
       "/v1/items/{id}",
       Scope::kWrite,
       true,
       delete_item,
       "Erase an item: it is never shown again.",
       "",
       "Ack",
       {}},
      {"POST",
       "/v1/users",
       Scope::kWrite,
       true,
       post_users,
       "Put a batch of users, each whole.",
       "Users",
       "Ack",
       {}},
      {"PUT",
       "/v1/users/{id}",
       Scope::kWrite,
       true,
       put_user,
       "Put one user, whole.",
       "User",
       "Ack",
       {}},
      {"PATCH",
       "/v1/users/{id}",
       Scope::kWrite,
       true,
       patch_user,
       "Change the given fields of a user; null empties one.",
       "UserChanges",
       "Ack",
       {}},
      {"GET", "/v1/users/{id}", Scope::kRead, false, get_user, "One user.", "", "KnownUser", {}},
      {"GET",
       "/v1/users/{id}/history",
       Scope::kRead,
       false,
       get_user_history,
       "The events of a user that recommendations go by, oldest first.",
       "",
       "History",
       {}},
      {"DELETE",
       "/v1/users/{id}",
       Scope::kWrite,
       true,
       delete_user,
       "Erase a user: nothing of them is used from the next list on.",
       "",
       "Ack",
       {}},
      {"POST",
       "/v1/users/{id}/merge",
       Scope::kWrite,
       true,
       post_user_merge,
       "Give a user what a session, or another user, did so far: a login, a new id.",
       "Merge",
       "Ack",
       {}},
      {"POST",
       "/v1/recommendations",
       Scope::kRead,
       false,
       post_recommendations,
       "What a user, a session or a given history should see at a placement. With X-Deadline-Ms "
       "the "
       "answer comes within so many milliseconds, with the best that is ready.",
       "RecommendationRequest",
       "Slate",
       {}},
      {"POST",
       "/v1/explanations",
       Scope::kRead,
       false,
       post_explanations,
       "Why one item for one visitor: score and reasons by model.",
       "ExplanationRequest",
       "Explanation",
       {}},
      {"GET",
       "/v1/items/{id}/similar",
       Scope::kRead,
       false,
       get_similar,
       "Items like this one, in one of several ways, or bought together with it.",
       "",
       "Slate",
       {{"n", "integer", "length of the list (10)"},
        {"by", "string", "behaviour (default), content, graph, embedding or together"},
        {"exclude", "string", "item ids, separated by commas"}}},
      {"GET",
       "/v1/popular",
       Scope::kRead,
       false,
       get_popular,
       "What most people take.",
       "",
       "Slate",
       {{"n", "integer", "length of the list (10)"},
        {"days", "integer", "of the last so many days; 0 (default): all time"},
        {"hours", "integer", "of the last so many hours, instead of days"},
        {"category", "string", "only on or below this category path, levels joined by >"},
        {"region", "string", "only of this region, which is known for 28 days"}}},
      {"GET",
       "/v1/trending",
       Scope::kRead,
       false,
       get_trending,
       "What rises most against its own past.",
       "",
       "Slate",
       {{"n", "integer", "length of the list (10)"},
        {"hours", "integer", "that are compared with the last 28 days (24)"},
        {"category", "string", "only on or below this category path, levels joined by >"},
        {"region", "string", "only of this region"}}},
      {"GET",
       "/v1/status",
       Scope::kRead,
       false,
       get_status,
       "Counts, sequence, snapshot, training.",
       "",
       "Status",
       {}},
      {"GET",
       "/v1/snapshots",
       Scope::kRead,
       false,
       get_snapshots,
       "What was trained, newest first.",
       "",
       "Snapshots",
       {}},
      {"POST",
       "/v1/snapshots/{name}/publish",
       Scope::kAdmin,
       true,
       publish_snapshot,
       "Publish a snapshot that is on disk: roll back or forward.",
       "",
       "Status",
       {}},
      {"POST",
       "/v1/training",
       Scope::kAdmin,
       true,
       post_training,
       "Train in the background and publish through the gate.",
       "TrainingRequest",
       "Status",
       {}},
      {"GET",
       "/healthz",
       Scope::kOpen,
       false,
       get_healthz,
       "200 while the process lives.",
       "",
       "Health",
       {}},
      {"GET",
       "/readyz",
       Scope::kOpen,
       false,
       get_readyz,
       "200 when lists come from a snapshot, else 503.",
       "",
       "Health",
       {}},
      {"GET", "/metrics", Scope::kRead, false, get_metrics, "Prometheus metrics.", "", "text", {}},
      {"GET",
       "/openapi.json",
       Scope::kOpen,
       false,
       get_openapi,
       "This document.",
       "",
       "OpenAPI",
       {}},
  };
  return kRoutes;
}

namespace {

// The next segment of a path, from its slash to the one after; nothing behind the last.
std::optional<std::string_view> next_segment(std::string_view& path) {
  if (!path.starts_with('/')) return std::nullopt;
  const std::size_t end = std::min(path.find('/', 1), path.size());
  const std::string_view segment = path.substr(1, end - 1);
  path.remove_prefix(end);
  return segment;
}

// Whether `given` is of the form of `pattern`; calls value(segment) for each {...}.
template <class Value>
bool fits(std::string_view pattern, std::string_view given, const Value& value) {
  while (true) {
    const auto wanted = next_segment(pattern), found = next_segment(given);
    if (!wanted || !found) return !wanted && !found && given.empty();
    if (!wanted->starts_with('{')) {
      if (*wanted != *found) return false;
    } else if (found->empty()) {
      return false;
    } else {
      value(*found);
    }
  }
}

}  // namespace

Match match_route(std::string_view method, std::string_view path) {
  Match match;
  if (method == "HEAD") method = "GET";
  const auto ignore = [](std::string_view) {};
  for (const Route& route : all_routes()) {
    if (!fits(route.path, path, ignore)) continue;
    if (route.method != method) {
      match.allowed += (match.allowed.empty() ? "" : ", ") + std::string(route.method);
      continue;
    }
    match.route = &route;
    fits(route.path, path, [&](std::string_view segment) {
      auto value = percent_decode(segment);
      if (!value.ok())
        match.malformed = true;
      else
        match.path.push_back(*std::move(value));
    });
    return match;
  }
  return match;
}

int http_status(Code code) {
  switch (code) {
    case Code::kInvalid:
      return 400;
    case Code::kUnauthorized:
      return 401;
    case Code::kForbidden:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kExists:
      return 409;
    case Code::kUnsupported:
      return 422;
    case Code::kUnavailable:
    case Code::kCancelled:
      return 503;
    case Code::kExhausted:
      return 507;
    case Code::kIo:
    case Code::kCorrupt:
    case Code::kInternal:
      return 500;
  }
  return 500;
}

HttpResponse json_response(const Value& value, int status) {
  HttpResponse response;
  response.status = status;
  response.body = to_json(value);
  return response;
}

HttpResponse error_response(int status, std::string_view code, std::string_view message) {
  return json_response(Table{{"error", Table{{"code", code}, {"message", message}}}}, status);
}

HttpResponse error_response(const Error& error) {
  HttpResponse response =
      error_response(http_status(error.code), code_name(error.code), error.message);
  if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (response.status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

Result<Value> Call::json() const {
  if (request.body.empty()) return Error{Code::kInvalid, "the body is empty, expected JSON"};
  auto value = parse_json(request.body);
  if (!value.ok()) return value.error().prefixed("body");
  return value;
}

std::string Call::query_text(std::string_view name) const {
  for (const auto& pair : request.query) {
    if (pair.first == name) return pair.second;
  }
  return {};
}

Result<int> Call::query_int(std::string_view name, int otherwise, int low, int high) const {
  const std::string text = query_text(name);
  if (text.empty()) return otherwise;
  return whole_number(name, text, low, high);
}

Result<int> whole_number(std::string_view name, std::string_view text, int low, int high) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < low || number > high) {
    return Error{Code::kInvalid, std::string(name) + ": expected a whole number from " +
                                     std::to_string(low) + " to " + std::to_string(high) +
                                     ", found '" + std::string(text) + "'"};
  }
  return number;
}

}  // namespace vitrine

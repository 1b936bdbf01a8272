// The one table of everything that can be asked: method, path, scope, handler and a line of
// documentation. OpenAPI, docs/api.md, the metrics' labels and the 405s come from it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "engine/engine.h"
#include "server/auth.h"
#include "server/http.h"

namespace vitrine {

class EventGather;
class Metrics;

// What a handler gets: the request, taken apart.
struct Call {
  Engine& engine;
  const ServerOptions& options;
  Metrics& metrics;
  const HttpRequest& request;
  std::vector<std::string> path;  // the decoded values of {…} in the route's path

  Result<Value> json() const;  // the body
  Result<int> query_int(std::string_view name, int otherwise, int low, int high) const;
  std::string query_text(std::string_view name) const;  // empty when absent
};

// A query parameter of a route, for the documents and to refuse unknown ones.
struct Parameter {
  std::string_view name, type, help;  // type: "integer" or "string"
};

struct Route {
  std::string_view method, path;
  Scope scope;
  bool blocks;  // waits for the disk
  Result<HttpResponse> (*handle)(const Call&);
  std::string_view summary;
  std::string_view request_schema;  // names of schemas.cc; empty: no body
  std::string_view response_schema;
  std::vector<Parameter> parameters;
};

std::span<const Route> all_routes();

struct Match {
  const Route* route = nullptr;  // null: not found, or `allowed` is not empty: wrong method
  std::vector<std::string> path;
  std::string allowed;     // "GET, PUT"
  bool malformed = false;  // an undecodable path
};
Match match_route(std::string_view method, std::string_view path);

// kInvalid, naming what it is, unless `text` is a number of that range.
Result<int> whole_number(std::string_view name, std::string_view text, int low, int high);

// One function maps a code to a status.
int http_status(Code code);
HttpResponse json_response(const Value& value, int status = 200);
HttpResponse error_response(const Error& error);
HttpResponse error_response(int status, std::string_view code, std::string_view message);

// The handlers, by topic.
Result<HttpResponse> post_events(const Call&);
// post_events() of a small body, without waiting: calls `done` once, at once when nothing is
// logged.
void gather_events(const Call&, EventGather& gather, std::function<void(HttpResponse)> done);
Result<HttpResponse> post_items(const Call&);
Result<HttpResponse> put_item(const Call&);
Result<HttpResponse> patch_item(const Call&);
Result<HttpResponse> get_item(const Call&);
Result<HttpResponse> delete_item(const Call&);
Result<HttpResponse> post_users(const Call&);
Result<HttpResponse> put_user(const Call&);
Result<HttpResponse> patch_user(const Call&);
Result<HttpResponse> get_user(const Call&);
Result<HttpResponse> get_user_history(const Call&);
Result<HttpResponse> delete_user(const Call&);
Result<HttpResponse> post_user_merge(const Call&);
Result<HttpResponse> post_recommendations(const Call&);
Result<HttpResponse> post_explanations(const Call&);
Result<HttpResponse> get_similar(const Call&);
Result<HttpResponse> get_popular(const Call&);
Result<HttpResponse> get_trending(const Call&);
Result<HttpResponse> get_status(const Call&);
Result<HttpResponse> get_snapshots(const Call&);
Result<HttpResponse> publish_snapshot(const Call&);
Result<HttpResponse> post_training(const Call&);
Result<HttpResponse> get_healthz(const Call&);
Result<HttpResponse> get_readyz(const Call&);
Result<HttpResponse> get_metrics(const Call&);
Result<HttpResponse> get_openapi(const Call&);

}  // namespace vitrine

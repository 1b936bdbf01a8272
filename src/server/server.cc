#include "server/server.h"

#include <chrono>
#include <thread>

#include "server/gather.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/routes.h"

namespace vitrine {
namespace {

Status check_query(const HttpRequest& request, const Route& route) {
  for (const auto& pair : request.query) {
    bool known = false;
    for (const Parameter& parameter : route.parameters)
      known = known || parameter.name == pair.first;
    if (!known) {
      return Error{Code::kInvalid, "unknown query parameter '" + pair.first +
                                       "'; see docs/api.md or /openapi.json"};
    }
  }
  return {};
}

// Whether an answer may have to wait for a sequence number; an escape may spell the key otherwise.
bool may_wait(const HttpRequest& request) {
  return request.body.find("min_sequence") != std::string::npos ||
         request.body.find("\\u00") != std::string::npos;
}

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

HttpResponse no_route(const Match& match) {
  if (match.allowed.empty()) {
    return error_response(404, "not_found", "there is no such path; /openapi.json lists them");
  }
  HttpResponse response = error_response(405, "invalid", "this path takes " + match.allowed);
  response.headers.emplace_back("Allow", match.allowed);
  return response;
}

}  // namespace

struct Server::State {
  State(Engine& e, ServerOptions o, Keys k)
      : engine(e), options(std::move(o)), keys(std::move(k)) {}
  Engine& engine;
  const ServerOptions options;
  const Keys keys;
  Metrics metrics;
  std::unique_ptr<HttpServer> http;
  EventGather gather{engine};  // last: what it answers goes to http

  Status admit(const HttpRequest& request, const Match& match) const {
    VT_TRY(keys.admit(request.authorization, request.api_key, match.route->scope));
    if (match.malformed) return Error{Code::kInvalid, "the path is not well encoded"};
    return check_query(request, *match.route);
  }

  Result<HttpResponse> dispatch(const HttpRequest& request, const Match& match) {
    VT_TRY(admit(request, match));
    return match.route->handle(Call{engine, options, metrics, request, match.path});
  }

  HttpResponse handle(const HttpRequest& request) {
    const auto start = std::chrono::steady_clock::now();
    const Match match = match_route(request.method, request.path);
    HttpResponse response;
    if (match.route == nullptr) {
      response = no_route(match);
    } else {
      auto result = dispatch(request, match);
      response = result.ok() ? *std::move(result) : error_response(result.error());
    }
    metrics.count(match.route, response.status, since(start));
    return response;
  }

  static HttpWay way(const HttpRequest& request) {
    const Match match = match_route(request.method, request.path);
    if (match.route == nullptr || match.route->scope == Scope::kOpen) return HttpWay::kAtOnce;
    if (match.route->handle == post_events && request.body.size() <= kGatheredBytesMax)
      return HttpWay::kLater;
    return match.route->blocks || may_wait(request) ? HttpWay::kBlocking : HttpWay::kInTurn;
  }

  // Small writes of events, the one kind of request that is answered later.
  void handle_later(const HttpRequest& request, std::function<void(HttpResponse)> done) {
    const auto start = std::chrono::steady_clock::now();
    const Match match = match_route(request.method, request.path);
    auto counted = [this, start, route = match.route,
                    done = std::move(done)](HttpResponse response) {
      metrics.count(route, response.status, since(start));
      done(std::move(response));
    };
    const Status admitted = admit(request, match);
    if (!admitted.ok()) return counted(error_response(admitted.error()));
    gather_events(Call{engine, options, metrics, request, match.path}, gather, std::move(counted));
  }
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() { stop(); }

Result<std::unique_ptr<Server>> Server::start(Engine& engine, const ServerOptions& options) {
  VT_TRY(Keys keys, Keys::open(real_files(), options));
  auto state = std::make_unique<State>(engine, options, std::move(keys));
  HttpServer::Callbacks callbacks;
  callbacks.way = State::way;
  callbacks.handle_later = [s = state.get()](const HttpRequest& request, auto done) {
    s->handle_later(request, std::move(done));
  };
  callbacks.handle = [s = state.get()](const HttpRequest& request) { return s->handle(request); };
  callbacks.failed = [s = state.get()](int status, std::string_view message) {
    s->metrics.count(nullptr, status, 0);
    const bool theirs = status == 413 || status == 431 || status == 400;
    const Code code = theirs          ? Code::kInvalid
                      : status == 500 ? Code::kInternal
                      : status == 429 ? Code::kExhausted
                                      : Code::kUnavailable;
    return error_response(status, code_name(code), message);
  };
  const HttpLimits limits{options.body_bytes_max, options.request_seconds_max,
                          options.connections_max, kBlockingQueueMax, options.queue_ms_max};
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int threads = options.threads > 0 ? options.threads : std::max(1, cores);
  VT_TRY(state->http,
         HttpServer::start(options.host, options.port, threads, limits, std::move(callbacks)));
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

int Server::port() const { return state_->http->port(); }
void Server::stop() { state_->http->stop(); }
void Server::wait() { state_->http->wait(); }

}  // namespace vitrine

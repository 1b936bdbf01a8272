// HTTP/1.1 over TCP, without a thought about what is asked: requests in, responses out, limits and
// time-outs in between. Boost.Beast is known to http.cc alone.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "server/limits.h"

namespace vitrine {

struct HttpRequest {
  std::string method;                                      // "GET"
  std::string path;                                        // as sent, without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded
  std::string authorization, api_key, deadline_ms;         // of the headers of that name
  std::string body;
  std::chrono::steady_clock::time_point received;  // the last byte
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

struct HttpLimits {
  int body_bytes_max;
  int request_seconds_max;              // to send a request, and to take its answer
  int connections_max;                  // further ones get 503 and are closed
  int waiting_max = kBlockingQueueMax;  // requests that block; further ones get 429
  int queue_ms_max = 0;  // who would wait longer for a thread gets 429; 0: nobody is refused
};

// Decodes %XX; kInvalid when it is malformed. '+' stays.
Result<std::string> percent_decode(std::string_view text);

// Splits a request's target into path and decoded query, where '+' is a space; an undecodable
// value stays as it was sent.
void parse_target(std::string_view target, HttpRequest& request);

// How a request is answered: by handle() where it was read, before what waits, if it costs next to
// nothing; by handle() in turn with the others; by handle() on one of the threads that may wait for
// a disk, so that it never holds up a recommendation; or by handle_later().
enum class HttpWay { kAtOnce, kInTurn, kBlocking, kLater };

class HttpServer {
 public:
  // `handle` may be called from any of the threads at once; an exception is answered with 500.
  // `handle_later` must not block; it, or any other thread afterwards, calls what it is given once
  // with the answer, at the latest when stop() has returned. `failed` makes the response to what
  // never became a request (too large, malformed, overload).
  struct Callbacks {
    std::function<HttpWay(const HttpRequest&)> way;
    std::function<HttpResponse(const HttpRequest&)> handle;
    std::function<void(const HttpRequest&, std::function<void(HttpResponse)>)> handle_later;
    std::function<HttpResponse(int status, std::string_view message)> failed;
  };
  static Result<std::unique_ptr<HttpServer>> start(const std::string& host, int port, int threads,
                                                   const HttpLimits& limits, Callbacks callbacks);
  ~HttpServer();
  int port() const;
  // Stops accepting, closes idle connections, waits up to kDrainSecondsMax for answers to requests
  // that were read; idempotent.
  void stop();
  void wait();  // until stop()

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace vitrine

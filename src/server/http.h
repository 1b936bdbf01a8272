// HTTP/1.1 over TCP, without a thought about what is asked: requests in, responses out, limits and
// time-outs in between. Boost.Beast is known to http.cc alone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/http_message.h"
#include "server/limits.h"

namespace vitrine {

struct HttpLimits {
  int body_bytes_max;
  int request_seconds_max;              // to send a request, and to take its answer
  int connections_max;                  // further ones get 503 and are closed
  int waiting_max = kBlockingQueueMax;  // requests that block; further ones get 429
  int queue_ms_max = 0;  // who waits longer for a thread may get 429 (turns.h); 0: nobody does
};

// How a request is answered: by handle() where it was read, before what waits, if it costs next to
// nothing; by handle() in turn with the others; by handle() on one of the threads that may wait for
// a disk, so that it never holds up a recommendation; or by handle_later().
enum class HttpWay { kAtOnce, kInTurn, kBlocking, kLater };

class HttpServer {
 public:
  // `handle` may be called from any of the threads at once; an exception is answered with 500.
  // `handle_later` must not block; it, or any other thread afterwards, calls what it is given once
  // with the answer, at the latest when stop() has returned, and has no request from then on.
  // `failed` makes the response to what never became a request (too large, malformed, overload).
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

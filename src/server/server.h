// The HTTP face of one engine: HTTP/1.1 keep-alive, JSON. Routes, documents and limits come from
// the table in routes.cc.
#pragma once

#include <memory>

#include "base/run.h"
#include "engine/engine.h"

namespace vitrine {

class Server {
 public:
  // Binds and starts listening. kInvalid without keys unless options.development (then loopback
  // only); a port in use is an error that names it and the remedy.
  static Result<std::unique_ptr<Server>> start(Engine& engine, const ServerOptions& options);
  ~Server();  // stops
  int port() const;
  // Stops accepting, lets running requests finish (bounded), closes. Idempotent; any thread.
  void stop();
  // Blocks until stop().
  void wait();

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The OpenAPI 3.1 document of the routes table, as JSON; docs/openapi.json is this text.
std::string openapi_document();
// docs/api.md, generated from the same table.
std::string api_markdown();

}  // namespace vitrine

#include <fmt/format.h>

#include "cli/command.h"
#include "server/server.h"

namespace vitrine {
namespace {

struct ServeFlags {
  std::string host;
  int port = -1;
  bool development = false;
};

Status serve(Session& session, const ServeFlags& flags) {
  ServerOptions options = session.config().server;
  if (!flags.host.empty()) options.host = flags.host;
  if (flags.port >= 0) options.port = flags.port;
  if (flags.development) options.development = true;
  VT_TRY(const auto engine, session.engine(OpenMode::kServe));
  VT_TRY(const auto server, Server::start(*engine, options));
  const EngineStatus status = engine->status();
  fmt::print(stderr, "vitrine: listening on http://{}:{}  snapshot {}  {} events, {} items{}\n",
             options.host, server->port(), status.snapshot.empty() ? "none" : status.snapshot,
             format_count(status.events), format_count(status.items),
             options.development ? "  (development: open without a key)" : "");
  std::fflush(stderr);
  wait_for_interrupt();
  fmt::print(stderr, "vitrine: stopping\n");
  server->stop();
  return {};
}

}  // namespace

Command serve_command() {
  auto flags = std::make_shared<ServeFlags>();
  return {"serve", "answer over HTTP",
          "Needs API keys ([server] keys), or --development to answer without one on loopback.\n\n"
          "  vitrine serve --development\n"
          "  curl -d '{\"user\": \"17850\", \"n\": 5}' http://127.0.0.1:8080/v1/recommendations\n",
          [flags](Flags& f) {
            f.text("--host", flags->host, "instead of server.host");
            f.number("--port", flags->port, 0, 65535, "instead of server.port; 0: any free one");
            f.flag("--development", flags->development, "answer without a key (loopback only)");
          },
          [flags](Session& session) { return serve(session, *flags); }};
}

}  // namespace vitrine

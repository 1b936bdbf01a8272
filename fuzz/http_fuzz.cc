// Requests as a client may form them, through routing, decoding and every handler that needs no
// admin key, against a live engine: no crash, and never a 500.
#include <cstdlib>
#include <filesystem>
#include <string>

#include "server/metrics.h"
#include "server/routes.h"

namespace {

using namespace vitrine;

struct World {
  World()
      : folder(std::filesystem::temp_directory_path() /
               ("vitrine-http-fuzz-" + std::to_string(getpid()))) {
    std::filesystem::remove_all(folder);
    Config config = config_from_table({}, "").value();
    config.shop.folder = folder.string();
    config.server.batch_max = 50;
    options = config.server;
    engine =
        Engine::open(config, real_files(), OpenMode::kServe, Run{Random(1), pool, monitor}).value();
  }
  ~World() {
    engine.reset();
    std::filesystem::remove_all(folder);
  }
  std::filesystem::path folder;
  ThreadPool pool{1};
  QuietMonitor monitor;
  ServerOptions options;
  Metrics metrics;
  std::unique_ptr<Engine> engine;
};

}  // namespace

// The input: method and target on the first line, the body behind it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(text.find('\n'), text.size());
  const std::size_t space = std::min(text.find(' '), line);
  HttpRequest request;
  request.method = text.substr(0, space);
  const std::string target = space < line ? text.substr(space + 1, line - space - 1) : "";
  parse_target(target, request);
  request.body = line < text.size() ? text.substr(line + 1) : "";
  const Match match = match_route(request.method, request.path);
  if (match.route == nullptr || match.malformed || match.route->scope == Scope::kAdmin) return 0;
  const auto response =
      match.route->handle(Call{*world.engine, world.options, world.metrics, request, match.path});
  const int status = response.ok() ? response->status : http_status(response.error().code);
  if (status == 500) std::abort();
  return 0;
}

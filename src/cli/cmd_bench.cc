#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "cli/command.h"
#include "cli/load.h"
#include "cli/text_table.h"
#include "server/server.h"

namespace vitrine {
namespace {

struct BenchFlags {
  double rate = 1000, seconds = 10;
  int connections = 16, n = 20, port = 0;
  std::string key, users, placement = "home";
  bool no_explain = false;
};

constexpr int kSampledUsers = 2000;

// One id per line, or a sample of the shop's own.
Result<std::vector<std::string>> load_users(const BenchFlags& flags, const Engine* engine) {
  if (flags.users.empty()) {
    if (engine == nullptr)
      return Error{Code::kInvalid, "--port needs --users: a file with a user id per line"};
    return engine->some_users(kSampledUsers);
  }
  VT_TRY(const std::string text, read_file(real_files(), flags.users));
  std::vector<std::string> users;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) users.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return users;
}

void report(Session& session, const BenchFlags& flags, const LoadResult& result) {
  TextTable table(
      {">requests", ">failed", ">rate/s", ">p50 ms", ">p90 ms", ">p99 ms", ">p99.9 ms", ">max ms"});
  const double rate = static_cast<double>(result.requests) / result.elapsed_s;
  table.row({format_count(result.requests), format_count(result.failed),
             fmt::format("{:.0f}", rate), fmt::format("{:.3f}", result.percentile(.5)),
             fmt::format("{:.3f}", result.percentile(.9)),
             fmt::format("{:.3f}", result.percentile(.99)),
             fmt::format("{:.3f}", result.percentile(.999)),
             fmt::format("{:.3f}", result.percentile(1))});
  std::string text = fmt::format(
      "top-{} for known customers, {}, {:.0f} requests/s due, {} connections\n", flags.n,
      flags.no_explain ? "without reasons" : "explained", flags.rate, flags.connections);
  text += table.str();
  if (!result.first_failure.empty()) text += "first failure: " + result.first_failure + "\n";
  session.print(Table{{"requests", result.requests},
                      {"failed", result.failed},
                      {"rate", rate},
                      {"p50_ms", result.percentile(.5)},
                      {"p90_ms", result.percentile(.9)},
                      {"p99_ms", result.percentile(.99)},
                      {"p999_ms", result.percentile(.999)},
                      {"max_ms", result.percentile(1)}},
                text);
}

Status bench(Session& session, const BenchFlags& flags) {
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Server> server;
  LoadPlan plan;
  plan.port = flags.port;
  if (flags.port == 0) {
    VT_TRY(engine, session.engine(OpenMode::kServe));
    ServerOptions options = session.config().server;
    options.host = "127.0.0.1";
    options.port = 0;
    options.development = true;
    options.keys.clear();  // nobody else is to know this server
    options.n_max = std::max(options.n_max, flags.n);
    VT_TRY(server, Server::start(*engine, options));
    plan.port = server->port();
  }
  VT_TRY(const auto users, load_users(flags, engine.get()));
  if (users.empty()) return Error{Code::kInvalid, "no users to ask for: import events first"};
  plan.rate = flags.rate;
  plan.seconds = flags.seconds;
  plan.connections = flags.connections;
  plan.key = flags.key;
  plan.path = "/v1/recommendations";
  const Random random =
      Random(static_cast<std::uint64_t>(session.config().shop.seed)).fork("bench");
  plan.body = [&](std::uint64_t i) {
    const Value body = Table{{"user", users[random.below(i, users.size())]},
                             {"n", flags.n},
                             {"placement", flags.placement},
                             {"explain", !flags.no_explain}};
    return to_json(body);
  };
  VT_TRY(const LoadResult result, run_load(plan));
  report(session, flags, result);
  if (result.failed > 0)
    return Error{Code::kUnavailable, "requests failed: " + result.first_failure};
  return {};
}

}  // namespace

Command bench_command() {
  auto flags = std::make_shared<BenchFlags>();
  return {"bench", "how fast the server answers under a fixed load",
          "Starts a server of its own on loopback, or asks the one at --port. Open loop: requests "
          "leave at the\n"
          "given rate, and a latency counts from the moment its request was due.\n\n"
          "  vitrine bench\n"
          "  vitrine bench --port 8080 --users ids.txt --rate 5000 --seconds 30\n",
          [flags](Flags& f) {
            f.number("--rate", flags->rate, 1, 1'000'000, "requests per second");
            f.number("--seconds", flags->seconds, 0.1, 600, "how long");
            f.number("--connections", flags->connections, 1, 1000, "kept alive, one thread each");
            f.number("-n,--number", flags->n, 1, 1000, "length of the lists");
            f.number("--port", flags->port, 0, 65535,
                     "of a running server on 127.0.0.1; 0: start one");
            f.text("--key", flags->key, "API key of that server");
            f.text("--users", flags->users,
                   "file with one user id per line; default: a sample of the log");
            f.text("--placement", flags->placement, "one of [placements.*]");
            f.flag("--no-explain", flags->no_explain, "ask without reasons");
          },
          [flags](Session& session) { return bench(session, *flags); }};
}

}  // namespace vitrine

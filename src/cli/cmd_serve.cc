#include <fmt/format.h>

#include "cli/command.h"
#include "cli/text_table.h"
#include "engine/plan.h"
#include "server/server.h"

namespace vitrine {
namespace {

constexpr double kPlanMax = 1e12;

struct ServeFlags {
  std::string host;
  int port = -1;
  bool development = false;
  bool plan = false;
  double users = 0, items = 0, events = 0, regions = 0;
};

// What a shop of that size takes, instead of serving one.
Status print_plan(const Session& session, const ServeFlags& flags) {
  if (flags.users < 1 || flags.items < 1 || flags.events < 1) {
    return Error{Code::kInvalid,
                 "--plan needs --users, --items and --events: how large the shop will be"};
  }
  PlanSize size;
  size.users = static_cast<std::uint64_t>(flags.users);
  size.items = static_cast<std::uint64_t>(flags.items);
  size.events = static_cast<std::uint64_t>(flags.events);
  size.regions = static_cast<std::uint64_t>(flags.regions);
  const Plan planned = plan(size, session.config());
  TextTable table({"", ">memory MB", ">disk MB"});
  const auto mb = [](std::uint64_t bytes) {
    return bytes == 0 ? std::string() : fmt::format("{:.1f}", static_cast<double>(bytes) / 1e6);
  };
  for (const Plan::Row& row : planned.rows)
    table.row({row.what, mb(row.memory_bytes), mb(row.disk_bytes)});
  table.rule();
  table.row({"together", mb(planned.memory_bytes()), mb(planned.disk_bytes())});
  table.note(
      "Models and snapshots come on top. Users are known ones and sessions; events those of "
      "92 days.");
  session.print(planned.to_json(), table.str());
  return {};
}

Status serve(Session& session, const ServeFlags& flags) {
  if (flags.plan) return print_plan(session, flags);
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
          "  curl -d '{\"user\": \"17850\", \"n\": 5}' http://127.0.0.1:8080/v1/recommendations\n"
          "  vitrine serve --plan --users 2e6 --items 1e5 --events 1e7\n",
          [flags](Flags& f) {
            f.text("--host", flags->host, "instead of server.host");
            f.number("--port", flags->port, 0, 65535, "instead of server.port; 0: any free one");
            f.flag("--development", flags->development, "answer without a key (loopback only)");
            f.flag("--plan", flags->plan, "print what a shop takes of memory and disk, and stop");
            f.number("--users", flags->users, 0, kPlanMax, "of --plan: users and sessions");
            f.number("--items", flags->items, 0, kPlanMax, "of --plan");
            f.number("--events", flags->events, 0, kPlanMax, "of --plan: of 92 days");
            f.number("--regions", flags->regions, 0, kPlanMax, "of --plan: named by events");
          },
          [flags](Session& session) { return serve(session, *flags); }};
}

}  // namespace vitrine

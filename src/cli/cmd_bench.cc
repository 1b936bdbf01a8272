#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/json.h"
#include "cli/changed_lists.h"
#include "cli/command.h"
#include "cli/load.h"
#include "cli/text_table.h"
#include "server/server.h"

namespace vitrine {
namespace {

struct BenchFlags {
  double rate = 1000, seconds = 10;
  int connections = 16, threads = 1, n = 20, port = 0, events = 0, swap = 0;
  std::string key, users, placement = "home", path;
  bool no_explain = false, changed = false;
};

constexpr int kSampledUsers = 2000;
constexpr int kSyncs = 200;                                  // timed beside durable ingest
constexpr std::uint64_t kPersons = 50'000, kItems = 10'000;  // of made-up events
constexpr std::string_view kScratch = ".bench";              // behind the name of the shop's folder

double process_cpu_s() {
  timespec cpu{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  return static_cast<double>(cpu.tv_sec) + 1e-9 * static_cast<double>(cpu.tv_nsec);
}

// The server under load: this process's own, or one that runs elsewhere.
struct Target {
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Server> server;
  std::string scratch;  // a folder to take away afterwards, or empty
  int port = 0;
  ~Target() {
    server.reset();
    engine.reset();
    if (!scratch.empty()) remove_tree(scratch);
  }
  static void remove_tree(const std::string& path) {
    const auto names = real_files().list(path);
    if (names.ok()) {
      for (const std::string& name : *names) remove_tree(path + "/" + name);
    }
    static_cast<void>(real_files().remove(path).ok());
  }
};

// What an engine needs to go on from where the shop is.
Status copy_shop(const std::string& from, const std::string& to) {
  VT_TRY(real_files().make_folder(to));
  for (const char* part : {"log", "snapshots", "checkpoint", "vocabulary"}) {
    std::error_code error;
    if (!std::filesystem::exists(from + "/" + part, error)) continue;
    std::filesystem::copy(from + "/" + part, to + "/" + part,
                          std::filesystem::copy_options::recursive, error);
    if (error)
      return Error{Code::kIo,
                   fmt::format("cannot copy {}/{} to {}: {}", from, part, to, error.message())};
  }
  return {};
}

// Made-up events go to a shop of their own, on the same disk.
Status start(Session& session, const BenchFlags& flags, Target& target) {
  target.port = flags.port;
  if (flags.port != 0) return {};
  if (flags.events > 0 || flags.changed) {
    Config config = session.config();
    const std::string folder = config.resolve(config.shop.folder);
    target.scratch = folder + std::string(kScratch);
    Target::remove_tree(target.scratch);
    if (flags.changed) VT_TRY(copy_shop(folder, target.scratch));
    config.shop.folder = target.scratch;
    VT_TRY(target.engine,
           Engine::open(std::move(config), real_files(), OpenMode::kServe, session.run()));
  } else {
    VT_TRY(target.engine, session.engine(OpenMode::kServe));
  }
  ServerOptions options = session.config().server;
  options.host = "127.0.0.1";
  options.port = 0;
  options.development = true;
  options.keys.clear();  // nobody else is to know this server
  options.n_max = std::max(options.n_max, flags.n);
  VT_TRY(target.server, Server::start(*target.engine, options));
  target.port = target.server->port();
  return {};
}

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

// Lists for known customers, each body made once.
Status ask_for_lists(Session& session, const BenchFlags& flags, const Target& target,
                     LoadPlan& plan) {
  VT_TRY(const auto users, load_users(flags, target.engine.get()));
  if (users.empty()) return Error{Code::kInvalid, "no users to ask for: import events first"};
  auto bodies = std::make_shared<std::vector<std::string>>();
  for (const std::string& user : users) {
    bodies->push_back(to_json(Table{{"user", user},
                                    {"n", flags.n},
                                    {"placement", flags.placement},
                                    {"explain", !flags.no_explain}}));
  }
  const Random random =
      Random(static_cast<std::uint64_t>(session.config().shop.seed)).fork("bench");
  plan.path = "/v1/recommendations";
  plan.body = [bodies, random](std::uint64_t i) {
    return (*bodies)[random.below(i, bodies->size())];
  };
  return {};
}

// Batches of made-up views; every event id is new.
void post_events(const Session& session, const BenchFlags& flags, LoadPlan& plan) {
  const Random random =
      Random(static_cast<std::uint64_t>(session.config().shop.seed)).fork("bench/events");
  const auto run = std::chrono::system_clock::now().time_since_epoch().count();
  const auto batch = static_cast<std::uint64_t>(flags.events);
  plan.path = "/v1/events";
  plan.body = [random, run, batch](std::uint64_t i) {
    fmt::memory_buffer text;
    auto out = fmt::appender(text);
    for (std::uint64_t j = i * batch; j < (i + 1) * batch; ++j) {
      fmt::format_to(out,
                     R"({}{{"id":"b{:x}-{}","user":"bench-{}","item":"item-{}","type":"view"}})",
                     j == i * batch ? "[" : ",", run, j, random.below(2 * j, kPersons),
                     random.below(2 * j + 1, kItems));
    }
    text.push_back(']');
    return fmt::to_string(text);
  };
}

// Milliseconds of appending a small block and syncing it, sorted.
Result<std::vector<double>> time_syncs(const std::string& folder) {
  const std::string path = folder + "/bench-sync";
  VT_TRY(const auto file, real_files().create(path));
  const std::string block(4096, 'x');
  std::vector<double> ms;
  for (int i = 0; i < kSyncs; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    VT_TRY(file->append(as_bytes(block)));
    VT_TRY(file->sync());
    const std::chrono::duration<double, std::milli> taken =
        std::chrono::steady_clock::now() - begin;
    ms.push_back(taken.count());
  }
  VT_TRY(real_files().remove(path));
  std::sort(ms.begin(), ms.end());
  return ms;
}

struct Measured {
  LoadResult load;
  double server_cpu_s = 0;  // of our own server
};

Result<Measured> measure(const LoadPlan& plan) {
  const double before = process_cpu_s();
  VT_TRY(LoadResult load, run_load(plan));
  const double cpu_s = process_cpu_s() - before - load.cpu_s;
  return Measured{std::move(load), cpu_s};
}

Table row_json(const Measured& measured, bool own) {
  const LoadResult& load = measured.load;
  const double answered = static_cast<double>(load.answered);
  Table row{{"requests", load.answered},
            {"refused", load.refused},
            {"failed", load.failed},
            {"unsent", load.unsent},
            {"rate", answered / load.elapsed_s},
            {"p50_ms", load.percentile(.5)},
            {"p90_ms", load.percentile(.9)},
            {"p99_ms", load.percentile(.99)},
            {"p999_ms", load.percentile(.999)},
            {"max_ms", load.percentile(1)}};
  if (own && load.answered > 0) row.set("server_cpu_us", 1e6 * measured.server_cpu_s / answered);
  return row;
}

TextTable new_table() {
  return TextTable({"", ">answered", ">refused", ">failed", ">unsent", ">rate/s", ">p50 ms",
                    ">p90 ms", ">p99 ms", ">p99.9 ms", ">max ms", ">server CPU us"});
}

void add_row(TextTable& table, std::string_view name, const Table& row) {
  const auto count = [&](std::string_view key) {
    return format_count(static_cast<std::uint64_t>(row.find(key)->number()));
  };
  const auto ms = [&](std::string_view key) {
    return fmt::format("{:.3f}", row.find(key)->number());
  };
  const Value* cpu = row.find("server_cpu_us");
  table.row({std::string(name), count("requests"), count("refused"), count("failed"),
             count("unsent"), fmt::format("{:.0f}", row.find("rate")->number()), ms("p50_ms"),
             ms("p90_ms"), ms("p99_ms"), ms("p999_ms"), ms("max_ms"),
             cpu == nullptr ? "" : fmt::format("{:.1f}", cpu->number())});
}

std::string headline(const BenchFlags& flags) {
  const std::string rate =
      flags.rate > 0 ? fmt::format("{:.0f} requests/s due", flags.rate) : "as fast as answers come";
  std::string what = fmt::format("top-{} for known customers, {}", flags.n,
                                 flags.no_explain ? "without reasons" : "explained");
  if (flags.changed) what = "a purchase, and the list that it makes";
  if (flags.events > 0) what = fmt::format("batches of {} events", flags.events);
  if (!flags.path.empty()) what = "GET " + flags.path;
  return fmt::format("{}, {}, {} connections\n", what, rate, flags.connections);
}

// The same load twice; during the second, the two newest snapshots are published in turns.
Result<Table> bench_swaps(const BenchFlags& flags, const LoadPlan& plan, Engine& engine,
                          TextTable& table, LoadResult& total) {
  VT_TRY(const auto snapshots, engine.snapshots());
  if (snapshots.empty())
    return Error{Code::kUnavailable, "no snapshot yet; `vitrine train` makes one"};
  const std::string served = engine.status().snapshot;
  VT_TRY(const Measured still, measure(plan));
  std::atomic<bool> done{false};
  Status published;
  std::thread publisher([&] {
    const auto pause = std::chrono::duration<double>(plan.seconds / flags.swap);
    for (int i = 0; i < flags.swap && !done && published.ok(); ++i) {
      std::this_thread::sleep_for(pause);
      const std::size_t which =
          static_cast<std::size_t>(i) % std::min<std::size_t>(2, snapshots.size());
      published = engine.publish(snapshots[which].name);
    }
  });
  auto swapped = measure(plan);
  done = true;
  publisher.join();
  VT_TRY(engine.publish(served));
  if (!published.ok()) return published.error();
  if (!swapped.ok()) return swapped.error();
  const Table before = row_json(still, true), during = row_json(*swapped, true);
  add_row(table, "unchanged", before);
  add_row(table, fmt::format("{} swaps", flags.swap), during);
  total = swapped->load;
  total.failed += still.load.failed;
  return Table{{"unchanged", before},
               {"swapped", during},
               {"p99_ratio", swapped->load.percentile(.99) / still.load.percentile(.99)}};
}

Status bench(Session& session, const BenchFlags& flags) {
  if (flags.swap > 0 && (flags.port != 0 || flags.events > 0 || flags.changed))
    return Error{Code::kInvalid, "--swap asks a server of its own for lists"};
  if (flags.changed && (flags.port != 0 || flags.events > 0 || !flags.path.empty()))
    return Error{Code::kInvalid, "--changed makes its own requests, to a copy of the shop"};
  Target target;
  VT_TRY(start(session, flags, target));
  LoadPlan plan;
  plan.port = target.port;
  plan.rate = flags.rate;
  plan.seconds = flags.seconds;
  plan.connections = std::max(flags.connections, flags.threads);
  plan.threads = flags.threads;
  plan.key = flags.key;
  plan.path = flags.path;
  std::unique_ptr<ChangedLists> changed;
  if (flags.changed) {
    VT_TRY(changed, ChangedLists::of(*target.engine, target.engine->some_users(kSampledUsers),
                                     flags.n, flags.placement));
    plan.connections = std::min(plan.connections, static_cast<int>(changed->users()));
    changed->plan(plan);
  } else if (flags.events > 0) {
    post_events(session, flags, plan);
  } else if (flags.path.empty()) {
    VT_TRY(ask_for_lists(session, flags, target, plan));
  }
  TextTable table = new_table();
  Table json;
  LoadResult load;
  std::string notes;
  if (flags.swap > 0) {
    VT_TRY(json, bench_swaps(flags, plan, *target.engine, table, load));
    notes += fmt::format("p99 with swaps / without: {:.2f}\n", json.find("p99_ratio")->number());
  } else {
    VT_TRY(const Measured measured, measure(plan));
    json = row_json(measured, target.server != nullptr);
    add_row(table, "", json);
    load = measured.load;
  }
  if (flags.events > 0) {
    const double rate = json.find("rate")->number() * flags.events;
    json.set("events_per_s", rate);
    notes += fmt::format("{:.0f} events/s\n", rate);
  }
  if (!target.scratch.empty()) {
    VT_TRY(const auto syncs, time_syncs(target.scratch));
    json.set("sync_p50_ms", syncs[syncs.size() / 2]);
    json.set("sync_p99_ms", syncs[syncs.size() * 99 / 100]);
    notes += fmt::format("one sync of 4 KiB on this disk: p50 {:.3f} ms, p99 {:.3f} ms\n",
                         syncs[syncs.size() / 2], syncs[syncs.size() * 99 / 100]);
  }
  if (!load.first_failure.empty()) notes += "first failure: " + load.first_failure + "\n";
  session.print(json, headline(flags) + table.str() + notes);
  if (load.failed > 0) return Error{Code::kUnavailable, "requests failed: " + load.first_failure};
  return {};
}

}  // namespace

Command bench_command() {
  auto flags = std::make_shared<BenchFlags>();
  return {
      "bench", "how fast the server answers under a fixed load",
      "Starts a server of its own on loopback, or asks the one at --port. Open loop: requests "
      "leave at the\n"
      "given rate, and a latency counts from the moment its request was due. Refused is what the "
      "server's\n"
      "admission control answered with 429 or 503, unsent what found no free connection before the "
      "end.\n\n"
      "  vitrine bench\n"
      "  vitrine bench --rate 0 --connections 64        the capacity\n"
      "  vitrine bench --events 100 --connections 8     durable ingest into a shop of its own\n"
      "  vitrine bench --changed --rate 200             from a click to the list that it changed\n"
      "  vitrine bench --swap 100                       snapshots change meanwhile\n"
      "  vitrine bench --port 8080 --users ids.txt --rate 5000 --seconds 30\n",
      [flags](Flags& f) {
        f.number("--rate", flags->rate, 0, 1'000'000,
                 "requests per second; 0: each connection asks again when it is answered");
        f.number("--seconds", flags->seconds, 0.1, 600, "how long");
        f.number("--connections", flags->connections, 1, 10'000,
                 "kept alive: the most requests in flight");
        f.number("--threads", flags->threads, 1, 64, "of the load generator");
        f.number("-n,--number", flags->n, 1, 1000, "length of the lists");
        f.number("--port", flags->port, 0, 65535, "of a running server on 127.0.0.1; 0: start one");
        f.text("--key", flags->key, "API key of that server");
        f.text("--users", flags->users,
               "file with one user id per line; default: a sample of the log");
        f.text("--placement", flags->placement, "one of [placements.*]");
        f.flag("--no-explain", flags->no_explain, "ask without reasons");
        f.number("--events", flags->events, 0, 10'000,
                 "post batches of so many made-up events instead; a server at --port keeps them");
        f.text("--path", flags->path, "GET this path instead: a peer's file, /healthz");
        f.flag("--changed", flags->changed,
               "known customers buy what is on top of their list, in a copy of the shop; timed "
               "until the list without it");
        f.number("--swap", flags->swap, 0, 10'000, "publish snapshots in turns so many times");
      },
      [flags](Session& session) { return bench(session, *flags); }};
}

}  // namespace vitrine

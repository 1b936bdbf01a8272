// Starting a server and what it holds: an engine over a log of so many events, without a checkpoint
// and from one, then writing beside a checkpoint. Each step is a process of its own.
//
//   start_bench [EVENTS] [FOLDER]     default: 1000000 events in a temporary folder
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "engine/config.h"
#include "engine/engine.h"
#include "engine/usage.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

constexpr std::uint64_t kEventsPerPerson = 7, kItems = 100'000;
constexpr Timestamp kFirst = 1'600'000'000'000;

struct Bench {
  std::uint64_t events;
  Config config;
};

// Views and purchases over 92 days, few items taking most of them.
void fill(const Bench& bench) {
  const EventTypes types;
  auto log = open_file_log(real_files(), bench.config.shop.folder + "/log", {});
  VT_CHECK(log.ok());
  const Random random(1);
  const std::uint64_t persons = bench.events / kEventsPerPerson + 1;
  Event event;
  std::string payloads;
  std::vector<std::size_t> ends;
  std::vector<std::string> ids;
  for (std::uint64_t i = 0; i < bench.events; ++i) {
    const std::uint64_t who = random.below(3 * i, persons), what = random.below(3 * i + 1, kItems);
    event.clear();
    event.id = "event-" + std::to_string(i);
    event.user = "user-" + std::to_string(who);
    event.item = "item-" + std::to_string(what * what / kItems);
    event.type = i % 4 == 0 ? EventType::kPurchase : EventType::kView;
    event.time = kFirst + static_cast<Timestamp>(i * (92 * kDay / bench.events));
    event.received = event.time;
    if (event.type == EventType::kPurchase) event.order = "order-" + std::to_string(who);
    encode_event(event, types, payloads);
    ends.push_back(payloads.size());
    ids.push_back(event.id);
    if (ends.size() < 10'000 && i + 1 < bench.events) continue;
    std::vector<NewRecord> records;
    for (std::size_t k = 0, begin = 0; k < ends.size(); begin = ends[k++])
      records.push_back({RecordKind::kEvent, ids[k],
                         as_bytes(std::string_view(payloads).substr(begin, ends[k] - begin)),
                         kFirst, 0});
    VT_CHECK((*log)->append_unsynced(records).ok());
    payloads.clear();
    ends.clear();
    ids.clear();
  }
  VT_CHECK((*log)->sync().ok());
}

void start(const Bench& bench, const char* how) {
  SystemUsage usage;
  const Usage before = usage.now();
  ThreadPool pool(1);
  QuietMonitor monitor;
  const Run run{Random(1), pool, monitor};
  auto engine = Engine::open(bench.config, real_files(), OpenMode::kServe, run);
  VT_CHECK(engine.ok());
  const Usage opened = usage.now();
  const EngineStatus status = (*engine)->status();
  std::printf("%-22s %9lu events  %6.2f s, %6.2f s of CPU  %7.1f MB resident, %5.1f bytes each\n",
              how, static_cast<unsigned long>(status.events), opened.elapsed_s - before.elapsed_s,
              opened.cpu_s - before.cpu_s, static_cast<double>(opened.memory_bytes) / 1e6,
              static_cast<double>(opened.memory_bytes - before.memory_bytes) /
                  static_cast<double>(std::max<std::uint64_t>(1, status.events)));
  std::fflush(stdout);
  engine->reset();
  const Usage closed = usage.now();
  std::printf("%-22s %25.2f s, %6.2f s of CPU  %7.1f MB at most\n", "  closed",
              closed.elapsed_s - opened.elapsed_s, closed.cpu_s - opened.cpu_s,
              static_cast<double>(closed.memory_peak_bytes) / 1e6);
  std::fflush(stdout);
}

// Events one by one, each durable, with checkpoints every so many minutes; what the slowest took.
void write_events(Bench bench, double checkpoint_minutes, const char* how) {
  using Clock = std::chrono::steady_clock;
  bench.config.live.checkpoint_minutes = checkpoint_minutes;
  ThreadPool pool(1);
  QuietMonitor monitor;
  auto engine =
      Engine::open(bench.config, real_files(), OpenMode::kServe, {Random(1), pool, monitor});
  VT_CHECK(engine.ok());
  const Random random(2);
  std::vector<double> times;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    Event event;
    event.user = "user-" + std::to_string(random.below(i, bench.events / kEventsPerPerson + 1));
    event.item = "item-" + std::to_string(i % kItems);
    event.time = kFirst + 92 * kDay;
    const Clock::time_point begin = Clock::now();
    VT_CHECK((*engine)->add_events(std::vector{event}).ok());
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  std::printf("%-22s one event: median %.2f ms, 99 %% %.2f, 99.9 %% %.2f, at most %.2f\n", how,
              times[5'000], times[9'900], times[9'990], times.back());
  std::fflush(stdout);
  engine->reset();
}

void in_a_process(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    work();
    std::_Exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  VT_CHECK(status == 0);
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  using namespace vitrine;
  const TempFolder temporary;
  Bench bench;
  bench.events = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  bench.config = config_from_table({}, "").value();
  bench.config.shop.folder = argc > 2 ? argv[2] : temporary.path() + "/shop";
  VT_CHECK(real_files().make_folder(bench.config.shop.folder).ok());
  if (bench.events > 0) in_a_process([&] { fill(bench); });
  in_a_process([&] { start(bench, "without a checkpoint"); });
  in_a_process([&] { start(bench, "from a checkpoint"); });
  in_a_process([&] { write_events(bench, 0, "without checkpoints"); });
  in_a_process([&] { write_events(bench, 0.01, "with one all the time"); });
}

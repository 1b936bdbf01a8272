// What an answer costs: the demo shop imported and trained into a temporary folder, then asked in
// this process, one request at a time. CPU time is the figure; the server adds HTTP and JSON.
#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "engine/engine.h"

namespace vitrine {
namespace {

// The demo shop, served from a folder that goes away with it.
class DemoShop {
 public:
  DemoShop() {
    std::string pattern = std::filesystem::temp_directory_path() / "vitrine-bench-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    const std::string base = VITRINE_SOURCE_DIR "/examples/online-retail/vitrine.toml";
    auto config = read_config(real_files(), base, {"shop.folder=" + folder_});
    if (!config.ok()) fail(config.error());
    ThreadPool pool(2);
    QuietMonitor monitor;
    const Run run{Random(1), pool, monitor};
    auto engine = Engine::open(*config, real_files(), OpenMode::kServe, run);
    if (!engine.ok()) fail(engine.error());
    for (const SourceOptions& source : config->sources) {
      if (const auto report = (*engine)->import(run, source, false); !report.ok()) {
        fail(report.error());
      }
    }
    if (const auto report = (*engine)->train(run, TrainRequest{false, "", false}); !report.ok())
      fail(report.error());
    engine_ = std::move(engine).value();
    users_ = engine_->some_users(500);
  }
  ~DemoShop() {
    engine_.reset();
    std::filesystem::remove_all(folder_);
  }
  DemoShop(const DemoShop&) = delete;
  DemoShop& operator=(const DemoShop&) = delete;

  Engine& engine() { return *engine_; }
  const std::vector<std::string>& users() const { return users_; }

 private:
  [[noreturn]] static void fail(const Error& error) {
    std::cerr << error.message << "\n";
    std::exit(1);
  }
  std::string folder_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::string> users_;
};

DemoShop& shop() {
  static DemoShop demo;
  return demo;
}

double thread_cpu_us() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) * 1e-3;
}

// Of known customers in turn; a cost depends on the length of the history.
void recommend(benchmark::State& state) {
  DemoShop& demo = shop();
  RecommendRequest request;
  request.n = 20;
  request.explain = state.range(0) != 0;
  request.models = {"ease", "item_knn", "popularity"};
  std::vector<double> costs;
  for (auto _ : state) {
    request.user = demo.users()[costs.size() % demo.users().size()];
    const double before = thread_cpu_us();
    benchmark::DoNotOptimize(demo.engine().recommend(request));
    costs.push_back(thread_cpu_us() - before);
  }
  std::sort(costs.begin(), costs.end());
  state.counters["median_us"] = costs[costs.size() / 2];
  state.counters["p99_us"] = costs[costs.size() * 99 / 100];
}
BENCHMARK(recommend)->ArgName("explain")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

void similar(benchmark::State& state) {
  DemoShop& demo = shop();
  for (auto _ : state) {
    benchmark::DoNotOptimize(demo.engine().similar("85123A", 20, SimilarBy::kBehaviour, {}));
  }
}
BENCHMARK(similar)->Unit(benchmark::kMicrosecond);

// One durable event at a time: the log's sync is most of it.
void add_event(benchmark::State& state) {
  DemoShop& demo = shop();
  Event event;
  event.item = "85123A";
  event.type = EventType::kView;
  std::size_t i = 0;
  for (auto _ : state) {
    event.user = demo.users()[i++ % demo.users().size()];
    benchmark::DoNotOptimize(demo.engine().add_events(std::span(&event, 1)));
  }
}
BENCHMARK(add_event)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace vitrine

BENCHMARK_MAIN();

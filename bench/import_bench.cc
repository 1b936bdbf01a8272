// Importing CSV events: rows per CPU-second of each stage, and the memory that a large file takes.
// VITRINE_DATA names the folder of the data sets; without it, ../shared/data beside the sources.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "data/import.h"
#include "data/vocabulary.h"
#include "store/event_log.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

std::string online_retail() {
  const char* const folder = std::getenv("VITRINE_DATA");
  return (folder != nullptr ? std::string(folder)
                            : std::string(VITRINE_SOURCE_DIR "/../shared/data")) +
         "/online-retail/events.csv.gz";
}

SourceOptions online_retail_source() {
  SourceOptions source;
  source.path = online_retail();
  source.user = "user_id";
  source.item = "item_id";
  source.type = "event";
  source.quantity = "value";
  source.price = "unit_price";
  source.order = "invoice";
  source.time = "timestamp";
  source.context = {"country"};
  source.types = {"adjust=return"};
  source.anonymous_by_order = true;
  return source;
}

double rss_peak_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// Runs the import and counts its rows; rates are per CPU-second.
void import_all(benchmark::State& state, const SourceOptions& source, const ImportSink& sink) {
  ThreadPool pool(1);
  QuietMonitor monitor;
  const Run run{Random(1), pool, monitor};
  std::uint64_t rows = 0;
  for (auto _ : state) {
    const auto report = import_source(run, real_files(), source, EventTypes(), false, sink);
    if (!report.ok()) return state.SkipWithError(report.error().message.c_str());
    rows += report->rows;
    state.counters["rejected"] = static_cast<double>(report->rejected);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(rows));
  state.counters["rss_peak_mb"] = rss_peak_mb();
}

// gunzip, CSV, mapping, schema check, derived ids; nothing is kept.
void parse_and_check(benchmark::State& state) {
  ImportSink sink;
  sink.events = [](std::span<const Event>) { return Status(); };
  import_all(state, online_retail_source(), sink);
}
BENCHMARK(parse_and_check)->Unit(benchmark::kMillisecond);

// A large plain file, made once: memory must not depend on its size.
void large_file(benchmark::State& state) {
  const TempFolder folder;
  const std::string path = folder.path() + "/large.csv";
  std::FILE* const file = std::fopen(path.c_str(), "w");
  std::fputs("user_id,item_id,event,value,timestamp,invoice,unit_price,country\n", file);
  long bytes = 0;
  for (unsigned i = 0; bytes < state.range(0) << 20; ++i) {
    bytes +=
        std::fprintf(file, "%u,\"SKU \"\"%u\"\"\",purchase,%u,%u,%u,%u.%02u,\"Korea, South\"\n",
                     i * 2654435761u % 1000000, i * 40503u % 50000, i % 7 + 1, 1291191960 + i,
                     i / 20, i % 90, i % 100);
  }
  std::fclose(file);
  SourceOptions source = online_retail_source();
  source.path = path;
  ImportSink sink;
  sink.events = [](std::span<const Event>) { return Status(); };
  import_all(state, source, sink);
}
BENCHMARK(large_file)->Arg(20)->Arg(200)->Unit(benchmark::kMillisecond)->Iterations(1);

// The whole way into the event log, one sync per batch of 10,000 rows.
void into_the_log(benchmark::State& state) {
  const EventTypes types;
  std::string bytes;
  std::vector<std::pair<std::size_t, std::size_t>> places;
  std::vector<NewRecord> records;
  const TempFolder folder;
  auto log = open_file_log(real_files(), folder.path() + "/log", EventLogOptions{});
  if (!log.ok()) return state.SkipWithError(log.error().message.c_str());
  ImportSink sink;
  sink.events = [&](std::span<const Event> events) -> Status {
    bytes.clear();
    places.clear();
    records.clear();
    for (const Event& event : events) {
      const std::size_t begin = bytes.size();
      encode_event(event, types, bytes);
      places.emplace_back(begin, bytes.size() - begin);
    }
    for (std::size_t i = 0; i < events.size(); ++i) {
      records.push_back(
          {RecordKind::kEvent, events[i].id,
           as_bytes(std::string_view(bytes).substr(places[i].first, places[i].second)),
           events[i].received, 0});
    }
    VT_TRY((*log)->append_unsynced(records));
    return (*log)->sync();
  };
  import_all(state, online_retail_source(), sink);
}
BENCHMARK(into_the_log)->Unit(benchmark::kMillisecond)->Iterations(1);

// As many ids as Online Retail has rows, each new or one in `range` new; added, then looked up.
void vocabulary_add_and_find(benchmark::State& state) {
  constexpr std::uint32_t kRows = 541'909;
  std::vector<std::string> ids;
  for (std::uint32_t i = 0; i < kRows; ++i) {
    ids.push_back("customer_" + std::to_string(i * 2654435761u % (kRows / state.range(0))));
  }
  for (auto _ : state) {
    StringIndex index;
    for (const std::string& id : ids) benchmark::DoNotOptimize(index.add(id));
    for (const std::string& id : ids) benchmark::DoNotOptimize(index.find(id));
    state.counters["bytes_per_id"] =
        static_cast<double>(index.memory_bytes()) / static_cast<double>(index.size());
  }
  state.SetItemsProcessed(state.iterations() * 2 * kRows);
}
BENCHMARK(vocabulary_add_and_find)->Arg(1)->Arg(100)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace vitrine

BENCHMARK_MAIN();

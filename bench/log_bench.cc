// The event log: encoding, appending with one sync per batch, opening (which rebuilds the
// idempotency window) and reading; RocksDB with its write-ahead log synced the same way beside it.
// Rates are per CPU-second, of the whole process; "wall" counts the waiting for the disk too.
#include <benchmark/benchmark.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "store/event_log.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

constexpr std::size_t kDistinct = 100'000;

std::vector<Event> events() {
  std::vector<Event> all(kDistinct);
  for (std::size_t i = 0; i < all.size(); ++i) {
    Event& event = all[i];
    event.user = std::to_string(12'000 + i % 4'300);
    event.item = std::to_string(20'000 + i * 7 % 3'700) + "A";
    event.type = i % 5 == 0 ? EventType::kPurchase : EventType::kView;
    if (event.type == EventType::kPurchase) {
      event.quantity = static_cast<double>(i % 12 + 1);
      event.price = static_cast<double>(i % 2'000) / 100;
      event.order = std::to_string(536'365 + i / 20);
    }
    event.session = "s" + std::to_string(i / 9);
    event.time = 1'291'191'960'000 + static_cast<Timestamp>(i) * 300;
    event.received = event.time + 120;
  }
  return all;
}

// Encoded payloads and ids that never repeat.
class Feed {
 public:
  Feed() {
    const EventTypes types;
    for (const Event& event : events()) encode_event(event, types, payloads_.emplace_back());
  }
  std::span<const NewRecord> next(std::size_t count) {
    ids_.resize(count);
    records_.resize(count);
    for (std::size_t i = 0; i < count; ++i, ++number_) {
      ids_[i] = "web-7f3a-" + std::to_string(number_);
      records_[i] = {RecordKind::kEvent, ids_[i], as_bytes(payloads_[number_ % kDistinct]), 1, 0};
    }
    return records_;
  }

 private:
  std::vector<std::string> payloads_, ids_;
  std::vector<NewRecord> records_;
  std::size_t number_ = 0;
};

std::unique_ptr<EventLog> open(const std::string& folder) {
  auto log = open_file_log(real_files(), folder, {});
  VT_CHECK(log.ok());
  return std::move(*log);
}

void fill(EventLog& log, std::size_t count) {
  Feed feed;
  for (std::size_t done = 0; done < count; done += 10'000)
    VT_CHECK(log.append_unsynced(feed.next(10'000)).ok());
  VT_CHECK(log.sync().ok());
}

void BM_Encode(benchmark::State& state) {
  const EventTypes types;
  const auto all = events();
  std::string bytes;
  for (auto _ : state) {
    bytes.clear();
    for (const Event& event : all) encode_event(event, types, bytes);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(all.size()));
  state.counters["bytes"] = static_cast<double>(bytes.size()) / static_cast<double>(all.size());
}

void BM_Decode(benchmark::State& state) {
  const EventTypes types;
  std::vector<std::string> payloads;
  for (const Event& event : events()) encode_event(event, types, payloads.emplace_back());
  Event event;
  for (auto _ : state)
    for (const std::string& payload : payloads)
      VT_CHECK(decode_event(as_bytes(payload), types, event).ok());
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(payloads.size()));
}

void wall_rate(benchmark::State& state, std::chrono::steady_clock::time_point start) {
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  state.counters["wall/s"] = static_cast<double>(state.items_processed()) / wall.count();
}

// One batch, one sync.
void BM_Append(benchmark::State& state) {
  const TempFolder folder;
  const auto log = open(folder.path());
  Feed feed;
  const auto batch = static_cast<std::size_t>(state.range(0));
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) VT_CHECK(log->append(feed.next(batch)).ok());
  state.SetItemsProcessed(state.iterations() * state.range(0));
  wall_rate(state, start);
}

void BM_AppendRocksdb(benchmark::State& state) {
  const TempFolder folder;
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  VT_CHECK(rocksdb::DB::Open(options, folder.path() + "/db", &opened).ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  rocksdb::WriteOptions write;
  write.sync = true;
  Feed feed;
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) {
    rocksdb::WriteBatch batch;
    for (const NewRecord& record : feed.next(static_cast<std::size_t>(state.range(0))))
      batch.Put({record.id.data(), record.id.size()},
                {as_text(record.payload).data(), record.payload.size()});
    VT_CHECK(db->Write(write, &batch).ok());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  wall_rate(state, start);
}

// Threads that append batches: how well a sync is shared. Threads, records a batch, interval or
// not.
void BM_AppendThreads(benchmark::State& state) {
  const TempFolder folder;
  EventLogOptions options;
  if (state.range(2) != 0) options.durability = "interval";
  auto log = std::move(*open_file_log(real_files(), folder.path(), options));
  const auto count = static_cast<std::size_t>(state.range(0));
  const auto batch = static_cast<std::size_t>(state.range(1));
  const std::size_t each = batch == 1 ? 200 : 400;  // batches of a thread
  const std::string payload(36, 'p');
  std::size_t round = 0;
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) {
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < count; ++t)
      threads.emplace_back([&, t, round] {
        std::vector<std::string> ids(batch);
        std::vector<NewRecord> records(batch);
        for (std::size_t i = 0; i < each; ++i) {
          for (std::size_t k = 0; k < batch; ++k) {
            ids[k] = std::to_string(t) + "/" + std::to_string((round * each + i) * batch + k);
            records[k] = {RecordKind::kEvent, ids[k], as_bytes(payload), 1, 0};
          }
          VT_CHECK(log->append(records).ok());
        }
      });
    for (std::thread& thread : threads) thread.join();
    ++round;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(count * each * batch));
  wall_rate(state, start);
}

// What a sync costs by itself: 4 KB appended to a file, fdatasync.
void BM_Sync(benchmark::State& state) {
  const TempFolder folder;
  auto file = std::move(*real_files().create(folder.path() + "/file"));
  const std::string page(4096, 'p');
  std::vector<double> milliseconds;
  for (auto _ : state) {
    VT_CHECK(file->append(as_bytes(page)).ok());
    const auto start = std::chrono::steady_clock::now();
    VT_CHECK(file->sync().ok());
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    milliseconds.push_back(took.count());
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  state.counters["median_ms"] = milliseconds[milliseconds.size() / 2];
  state.counters["p99_ms"] = milliseconds[milliseconds.size() * 99 / 100];
}

void BM_Open(benchmark::State& state) {
  const TempFolder folder;
  fill(*open(folder.path()), static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) VT_CHECK(open(folder.path())->last_sequence() > 0);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void BM_Read(benchmark::State& state) {
  const TempFolder folder;
  const auto log = open(folder.path());
  fill(*log, static_cast<std::size_t>(state.range(0)));
  std::uint64_t bytes = 0;
  for (auto _ : state)
    VT_CHECK(log->read(1,
                       [&](const LogRecord& record) -> Status {
                         bytes += record.payload.size();
                         return {};
                       })
                 .ok());
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

BENCHMARK(BM_Encode)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Decode)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Append)->Arg(1)->Arg(100)->Arg(10'000)->MeasureProcessCPUTime();
BENCHMARK(BM_AppendRocksdb)->Arg(100)->MeasureProcessCPUTime();
BENCHMARK(BM_AppendThreads)
    ->ArgNames({"threads", "batch", "interval"})
    ->Args({16, 1, 0})
    ->Args({8, 100, 0})
    ->Args({128, 1, 0})
    ->Args({8, 100, 1})
    ->Args({128, 1, 1})
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Sync)->Iterations(1'000);
BENCHMARK(BM_Open)->Arg(4'000'000)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Read)->Arg(4'000'000)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace vitrine

BENCHMARK_MAIN();

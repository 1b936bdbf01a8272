// Live state: folding events in, asking for histories in memory and out of the state store, popular
// lists.
#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <string>

#include "engine/live_state.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

constexpr std::uint32_t kPersons = 100'000, kItems = 40'000;

struct Live {
  explicit Live(std::uint64_t memory_bytes) {
    auto opened = open_state_store("rocksdb:" + folder.path() + "/state");
    VT_CHECK(opened.ok());
    store = std::move(*opened);
    LiveLimits limits;
    limits.memory_bytes = memory_bytes;
    auto live = LiveState::open({}, types, *store, limits);
    VT_CHECK(live.ok());
    state = std::move(*live);
    event.type = EventType::kPurchase;
    event.quantity = 2;
  }
  // The next event, of a person who is drawn; 300 ms behind the one before it.
  void apply() {
    const Random random(1);
    event.time = 1'291'191'960'000 + static_cast<Timestamp>(sequence) * 300;
    event.order.assign("o").append(std::to_string(sequence / 20));
    const UserIndex user{static_cast<std::uint32_t>(random.below(2 * sequence, kPersons))};
    const ItemIndex item{static_cast<std::uint32_t>(random.below(2 * sequence + 1, kItems))};
    VT_CHECK(state->apply(++sequence, event, {user, ""}, item).ok());
  }

  TempFolder folder;
  EventTypes types;
  std::unique_ptr<StateStore> store;
  std::unique_ptr<LiveState> state;
  Event event;
  std::uint64_t sequence = 0;
};

// By size; emptied before the program ends, because RocksDB's own statics go first.
std::map<std::int64_t, std::unique_ptr<Live>> lives;

// A million events, made once for each size: Google Benchmark calls a function several times.
Live& filled(std::int64_t mb) {
  std::unique_ptr<Live>& live = lives[mb];
  if (live == nullptr) {
    live = std::make_unique<Live>(static_cast<std::uint64_t>(mb) << 20);
    for (int i = 0; i < 1'000'000; ++i) live->apply();
  }
  return *live;
}

// Arguments: MB for persons (1024: all in memory; 16: most come from the state store).
void BM_Apply(benchmark::State& state) {
  Live& live = filled(state.range(0));
  for (auto _ : state) live.apply();
  state.SetItemsProcessed(state.iterations());
  state.counters["persons"] = static_cast<double>(live.state->stats().persons);
  state.counters["mb"] = static_cast<double>(live.state->stats().memory_bytes) / (1 << 20);
}

void BM_History(benchmark::State& state) {
  Live& live = filled(state.range(0));
  const Random random(2);
  std::uint64_t draw = 0, events = 0;
  for (auto _ : state) {
    const UserIndex user{static_cast<std::uint32_t>(random.below(draw++, kPersons))};
    events += live.state->history({user, ""})->size();
  }
  state.counters["events"] = static_cast<double>(events) / static_cast<double>(draw);
}

void BM_Popular(benchmark::State& state) {
  Live& live = filled(1024);
  for (auto _ : state)
    benchmark::DoNotOptimize(live.state->popular({.days = static_cast<int>(state.range(0))}, 20,
                                                 [](ItemIndex) { return true; }));
}

BENCHMARK(BM_Apply)->Arg(1024)->Arg(16);
BENCHMARK(BM_History)->Arg(1024)->Arg(16);
BENCHMARK(BM_Popular)->Arg(0)->Arg(7)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  vitrine::lives.clear();
}

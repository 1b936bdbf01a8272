// CPU seconds of an epoch of `sasrec` on the training part of Amazon Beauty (all but the last two
// events of each person), one thread unless told otherwise; beside the rate of a step's commonest
// product, which bounds it. And what one live history of 50 events costs against 100,000 items.
// Usage: sasrec_bench [epochs] [threads]
// bench/peers/sasrec_torch.py is the peer; run it in the same sitting.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/blas.h"
#include "bench/datasets.h"
#include "engine/usage.h"
#include "model/sasrec.h"

namespace vitrine {
namespace {

Histories without_last(const Histories& all, std::size_t count) {
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  for (std::size_t r = 0; r < all.rows(); ++r) {
    const auto row = all.row(r);
    const std::size_t kept = row.size() - std::min(count, row.size());
    events.insert(events.end(), row.begin(), row.begin() + static_cast<std::ptrdiff_t>(kept));
    offsets.push_back(events.size());
  }
  return {std::move(offsets), std::move(events), all.users(), all.items()};
}

// Floating-point operations of an epoch's products, forward and back.
double operations_of(const SasrecOptions& o, double tokens) {
  const double d = o.factors;
  const double dense = o.blocks * (4 + 2 * o.hidden) * d * d + d * (o.negatives + 1);
  return 3 * 2 * tokens * dense;
}

// GFLOP/s of (rows x inner) (inner x cols), in this thread.
double gemm_rate(Monitor& monitor, std::int64_t rows, std::int64_t inner, std::int64_t cols) {
  ThreadPool here(1);
  const Matrix a(rows, inner), b(inner, cols);
  Matrix c(rows, cols);
  const double work = 2e-9 * static_cast<double>(rows * inner * cols);
  const int repeats = static_cast<int>(10 / work) + 1;
  const Usage before = monitor.usage();
  for (int r = 0; r < repeats; ++r) gemm(here, 1, a.view(), false, b.view(), false, 0, c.view());
  return work * repeats / between(before, monitor.usage()).cpu_s;
}

Status measure_epochs(const Run& run, const Histories& histories, SasrecOptions options,
                      double bound) {
  const Interactions interactions = build_interactions(histories, {});
  const Catalogue catalogue;
  std::size_t tokens = 0;
  for (std::size_t r = 0; r < histories.rows(); ++r)
    tokens += std::max<std::size_t>(histories.row(r).size(), 1) - 1;
  const Usage before = run.monitor.usage();
  VT_TRY(const auto model, fit_sasrec(run, options, {histories, interactions, catalogue}));
  const double s = between(before, run.monitor.usage()).cpu_s / options.epochs;
  const double rate = operations_of(options, static_cast<double>(tokens)) / s * 1e-9;
  fmt::print(
      "{} blocks, {} negatives: {:.2f} CPU-s an epoch, {:.0f} GFLOP/s ({:.0f} % of the "
      "products' rate), peak {:.0f} MB\n",
      options.blocks, options.negatives, s, rate, 100 * rate / bound,
      static_cast<double>(run.monitor.usage().memory_peak_bytes) / (1 << 20));
  return {};
}

// Everybody takes 50 of 100,000 items.
Status measure_answer(const Run& run) {
  constexpr std::uint32_t kPersons = 2000, kItems = 100'000, kLength = 50;
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  for (std::uint32_t e = 0; e < kPersons * kLength; ++e) {
    HistoryEvent event;
    event.item = ItemIndex{e};
    events.push_back(event);
    if (e % kLength == kLength - 1) offsets.push_back(events.size());
  }
  const Histories histories(std::move(offsets), std::move(events), kPersons, kItems);
  const Interactions interactions = build_interactions(histories, {});
  const Catalogue catalogue;
  SasrecOptions options;
  options.epochs = 1;
  options.negatives = 16;
  VT_TRY(const auto model, fit_sasrec(run, options, {histories, interactions, catalogue}));
  std::vector<double> milliseconds;
  const ItemMask everything;
  CandidateBlock block;
  for (std::uint32_t r = 0; r < 1000; ++r) {
    Query query;
    query.history = histories.row(r);
    const Usage before = run.monitor.usage();
    model->retrieve({&query, 1}, {&everything, 1}, 20, block);
    milliseconds.push_back(between(before, run.monitor.usage()).cpu_s * 1e3);
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  fmt::print("one history of {} events, top 20 of {} items: median {:.2f} ms, 99 % {:.2f} ms\n",
             kLength, kItems, milliseconds[500], milliseconds[990]);
  return {};
}

Status measure_all(int epochs, int threads) {
  ThreadPool pool(threads);
  UsageMonitor monitor;
  const Run run{Random(1), pool, monitor};
  VT_TRY(measure_answer(run));
  SourceOptions source;
  source.path = "amazon-beauty/events.csv.gz";
  source.user = "user_id";
  source.item = "item_id";
  source.default_type = "view";
  VT_TRY(const auto histories, read_histories(run, {&source, 1}));
  const Histories training = without_last(histories[0], 2);
  SasrecOptions options;
  options.batch = 64;
  options.epochs = epochs;
  options.negatives = 256;
  const double dense = gemm_rate(monitor, 190, 64, 64), scores = gemm_rate(monitor, 190, 64, 256);
  fmt::print(
      "products of a shard: (190 x 64)(64 x 64) {:.0f} GFLOP/s, (190 x 64)(64 x 256) {:.0f}\n",
      dense, scores);
  for (const int negatives : {256, 1024}) {
    options.negatives = negatives;
    VT_TRY(measure_epochs(run, training, options, dense));
  }
  return {};
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  const int epochs = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
  const int threads = argc > 2 ? std::max(1, std::atoi(argv[2])) : 1;
  const vitrine::Status status = vitrine::measure_all(epochs, threads);
  if (!status.ok()) {
    fmt::print(stderr, "{}\n", status.error().message);
    return 1;
  }
  return 0;
}

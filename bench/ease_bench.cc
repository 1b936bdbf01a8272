// What `ease` and `slim` cost beside the limits of the machine. Usage: ease_bench [threads]
// [repeats of dense]
//
//   dense   the inverse of ease against the products of the same library: items^3 operations (half
//           of them multiplications) at the rate of a 2,048 x 2,048 product
//   sparse  a planted catalogue of 100,000 items: CPU seconds and the peak memory of the process
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/blas.h"
#include "engine/usage.h"
#include "model/ease.h"
#include "model/slim.h"

namespace vitrine {
namespace {

struct Shape {
  std::uint32_t persons, items, tastes, events;  // events: per person, on average
};

// Everybody has a few tastes; items of a taste are taken the more often the lower their number.
Histories planted(const Shape& shape) {
  const Random random = Random(1).fork("planted");
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  std::uint64_t draw = 0;
  for (std::uint32_t p = 0; p < shape.persons; ++p) {
    const std::uint64_t first = random.below(draw++, shape.tastes);
    const auto count = 1 + random.below(draw++, 2 * shape.events - 1);
    for (std::uint64_t e = 0; e < count; ++e) {
      const std::uint64_t taste = (first + random.below(draw++, 3) * 7) % shape.tastes;
      const double u = random.uniform(draw++);
      const auto place = static_cast<std::uint64_t>(u * u * (shape.items / shape.tastes));
      HistoryEvent event{ItemIndex{static_cast<std::uint32_t>(place * shape.tastes + taste)},
                         EventType::kPurchase};
      event.weight = 1;
      events.push_back(event);
    }
    offsets.push_back(events.size());
  }
  return {std::move(offsets), std::move(events), shape.persons, shape.items};
}

// Billions of multiplications and additions per CPU second of a product.
double product_rate(const Run& run) {
  constexpr std::int64_t kSide = 2048;
  Matrix a(kSide, kSide), b(kSide, kSide), c(kSide, kSide);
  for (std::int64_t i = 0; i < kSide; ++i) {
    std::fill_n(a.row(i).data(), kSide, 0.5f);
    std::fill_n(b.row(i).data(), kSide, 0.25f);
  }
  double best = 0;
  for (int r = 0; r < 5; ++r) {
    const Usage before = run.monitor.usage();
    gemm(run.pool, 1, a.view(), false, b.view(), false, 0, c.view());
    const double seconds = between(before, run.monitor.usage()).cpu_s;
    best = std::max(best, 2.0 * kSide * kSide * kSide / seconds / 1e9);
  }
  return best;
}

using Fit = Result<std::unique_ptr<const Model>> (*)(const Run&, const TrainingSet&);

Status report(const Run& run, const char* label, const Histories& histories, int repeats, Fit fit,
              double flops, double rate) {
  const Interactions interactions = build_interactions(histories, {});
  const Catalogue catalogue;
  std::vector<double> seconds;
  Usage used;
  for (int r = 0; r < repeats; ++r) {
    const Usage before = run.monitor.usage();
    VT_TRY(const auto model, fit(run, {histories, interactions, catalogue}));
    used = between(before, run.monitor.usage());
    seconds.push_back(used.cpu_s);
  }
  std::sort(seconds.begin(), seconds.end());
  fmt::print("{:40} {:8.2f} {:8.2f} {:8.2f}  {:8.0f} MB", label, seconds.front(),
             seconds[seconds.size() / 2], seconds.back(),
             static_cast<double>(used.memory_peak_bytes) / (1 << 20));
  if (flops > 0) {
    const double got = flops / seconds.front() / 1e9;
    fmt::print("  {:.0f} GFLOP/s, {:.2f} of the product's", got, got / rate);
  }
  fmt::print("\n");
  std::fflush(stdout);
  return {};
}

Status measure(int threads, int repeats) {
  ThreadPool pool(threads);
  UsageMonitor monitor;
  const Run run{Random(1), pool, monitor};
  const double rate = product_rate(run);
  fmt::print("product {:.0f} GFLOP per CPU second; {} thread(s), {} repeats\n", rate, threads,
             repeats);
  fmt::print("{:40} {:>8} {:>8} {:>8}  CPU seconds, peak memory\n", "fit", "least", "middle",
             "most");
  const Fit ease = [](const Run& r, const TrainingSet& set) { return fit_ease(r, {}, set); };
  const Fit slim = [](const Run& r, const TrainingSet& set) { return fit_slim(r, {}, set); };
  const Histories small = planted({20'000, 6'000, 60, 20});
  const double side = small.items();
  VT_TRY(report(run, "ease, dense, 6,000 items", small, repeats, ease, side * side * side, rate));
  const Histories large = planted({100'000, 100'000, 400, 20});
  fmt::print("{} persons, {} items, {} events:\n", large.rows(), large.items(), large.size());
  VT_TRY(report(run, "ease, sparse, 100,000 items", large, 1, ease, 0, rate));
  return report(run, "slim, 100,000 items", large, 1, slim, 0, rate);
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
  const int repeats = argc > 2 ? std::max(1, std::atoi(argv[2])) : 3;
  const vitrine::Status status = vitrine::measure(threads, repeats);
  if (!status.ok()) fmt::print(stderr, "{}\n", status.error().message);
  return status.ok() ? 0 : 1;
}

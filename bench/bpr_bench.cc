// CPU seconds of one epoch of `bpr` on the training part of Gowalla (LightGCN's split) with one
// negative per cell: the difference between fits of 2 and of 12 epochs, over 10. One thread unless
// told otherwise. Usage: bpr_bench [repeats] [threads]
// bench/peers/libmf_bpr.py is the peer; run it in the same sitting.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "bench/datasets.h"
#include "engine/usage.h"
#include "model/bpr.h"

namespace vitrine {
namespace {

constexpr int kShort = 2, kLong = 12;

Result<double> fit_cpu_s(const Run& run, int factors, int epochs, const TrainingSet& set) {
  BprOptions options;
  options.factors = factors;
  options.epochs = epochs;
  options.loss = "pairwise";
  options.negatives = 1;
  const Usage before = run.monitor.usage();
  VT_TRY(const auto model, fit_bpr(run, options, set));
  return between(before, run.monitor.usage()).cpu_s;
}

Status measure(int repeats, int threads) {
  ThreadPool pool(threads);
  UsageMonitor monitor;
  const Run run{Random(1), pool, monitor};
  SourceOptions source;
  source.path = "gowalla-lightgcn/train.csv.gz";
  source.user = "user_id";
  source.item = "item_id";
  source.default_type = "view";
  VT_TRY(const auto histories, read_histories(run, {&source, 1}));
  const Interactions cells = build_interactions(histories[0], {});
  const Catalogue catalogue;
  fmt::print("{:>7} {:>7} {:>7} {:>7}  CPU seconds per epoch\n", "factors", "least", "middle",
             "most");
  for (const int factors : {32, 64, 128}) {
    std::vector<double> seconds;
    for (int r = 0; r < repeats; ++r) {
      VT_TRY(const double few, fit_cpu_s(run, factors, kShort, {histories[0], cells, catalogue}));
      VT_TRY(const double many, fit_cpu_s(run, factors, kLong, {histories[0], cells, catalogue}));
      seconds.push_back((many - few) / (kLong - kShort));
    }
    std::sort(seconds.begin(), seconds.end());
    fmt::print("{:7} {:7.3f} {:7.3f} {:7.3f}\n", factors, seconds.front(),
               seconds[seconds.size() / 2], seconds.back());
    std::fflush(stdout);
  }
  return {};
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  const int repeats = argc > 1 ? std::atoi(argv[1]) : 3;
  const int threads = argc > 2 ? std::atoi(argv[2]) : 1;
  const vitrine::Status status = vitrine::measure(std::max(repeats, 1), std::max(threads, 1));
  if (!status.ok()) fmt::print(stderr, "{}\n", status.error().message);
  return status.ok() ? 0 : 1;
}

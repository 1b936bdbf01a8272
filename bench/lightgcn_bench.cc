// CPU seconds of training `lightgcn` on the training part of Gowalla (LightGCN's split), scaled
// from a number of steps to an epoch; and what the propagation alone costs. One thread unless told
// otherwise. Usage: lightgcn_bench [steps] [threads]
// bench/peers/lightgcn_torch.py is the peer; run it in the same sitting.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "bench/datasets.h"
#include "engine/usage.h"
#include "model/lightgcn_trainer.h"

namespace vitrine {
namespace {

struct Job {
  const char* label;
  const char* loss;
  int layers, batch, negatives;
};

void measure(const Run& run, const Job& job, const Interactions& interactions, int steps) {
  LightGcnOptions options;
  options.loss = job.loss;
  options.layers = job.layers;
  options.batch = job.batch;
  options.negatives = job.negatives;
  LightGcnTrainer trainer(run, options, interactions);
  trainer.begin_epoch(0);
  std::vector<double> seconds;
  for (int s = -2; s < steps; ++s) {
    const Usage before = run.monitor.usage();
    trainer.step(s + 2);
    if (s >= 0) seconds.push_back(between(before, run.monitor.usage()).cpu_s);
  }
  std::sort(seconds.begin(), seconds.end());
  const double middle = seconds[seconds.size() / 2];
  fmt::print("{:34} {:8.4f} {:8.4f} {:8.4f} {:12.1f} {:10.0f}\n", job.label, seconds.front(),
             middle, seconds.back(), middle * static_cast<double>(trainer.batches()),
             static_cast<double>(run.monitor.usage().memory_peak_bytes) / (1 << 20));
  std::fflush(stdout);
}

// All three layers of all nodes, forward: three whole products.
void measure_products(const Run& run, const Interactions& interactions, int repeats) {
  constexpr int kLayers = 3, kWidth = 64;
  GraphPropagation graph(run.pool, interactions, kLayers, true, kWidth);
  const Matrix embeddings(graph.nodes(), kWidth);
  std::vector<std::uint32_t> all(static_cast<std::size_t>(graph.nodes()));
  for (std::uint32_t n = 0; n < all.size(); ++n) all[n] = n;
  Matrix out(graph.nodes(), kWidth);
  std::vector<double> seconds;
  for (int r = 0; r < repeats; ++r) {
    const Usage before = run.monitor.usage();
    graph.forward(embeddings, all, out);
    seconds.push_back(between(before, run.monitor.usage()).cpu_s / kLayers);
  }
  std::sort(seconds.begin(), seconds.end());
  const double middle = seconds[seconds.size() / 2];
  const double bytes = 2.0 * static_cast<double>(interactions.by_row.columns.size()) * kWidth * 2;
  fmt::print("one product: {:.4f} {:.4f} {:.4f} CPU seconds; {:.0f} MB of rows read, {:.1f} GB/s\n",
             seconds.front(), middle, seconds.back(), bytes / 1e6, bytes / 1e9 / middle);
}

Status measure_all(int steps, int threads) {
  ThreadPool pool(threads);
  UsageMonitor monitor;
  const Run run{Random(1), pool, monitor};
  SourceOptions source;
  source.path = "gowalla-lightgcn/train.csv.gz";
  source.user = "user_id";
  source.item = "item_id";
  source.default_type = "view";
  VT_TRY(const auto histories, read_histories(run, {&source, 1}));
  const Interactions interactions = build_interactions(histories[0], {});
  fmt::print("Gowalla: {} persons, {} items, {} pairs; {} thread(s), {} steps\n",
             interactions.by_row.rows(), interactions.items, interactions.by_row.columns.size(),
             threads, steps);
  measure_products(run, interactions, steps);
  fmt::print("{:34} {:>8} {:>8} {:>8} {:>12} {:>10}\n", "CPU seconds of a step", "least", "middle",
             "most", "an epoch", "peak MB");
  measure(run, {"bpr, 3 layers, batch 2,048", "bpr", 3, 2048, 1}, interactions, steps);
  measure(run, {"softmax, 2 layers, batch 8,192", "softmax", 2, 8192, 1024}, interactions, steps);
  return {};
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  const int steps = argc > 1 ? std::max(1, std::atoi(argv[1])) : 20;
  const int threads = argc > 2 ? std::max(1, std::atoi(argv[2])) : 1;
  const vitrine::Status status = vitrine::measure_all(steps, threads);
  if (!status.ok()) {
    fmt::print(stderr, "{}\n", status.error().message);
    return 1;
  }
  return 0;
}

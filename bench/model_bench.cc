// CPU seconds of fitting the closed-form models on MovieLens 1M, everything from interactions to
// the finished model. One thread unless told otherwise. Usage: model_bench [repeats] [threads]
// bench/peers/ease_numpy.py is the peer of `ease`; run it in the same sitting.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "bench/datasets.h"
#include "engine/usage.h"
#include "model/model.h"

namespace vitrine {
namespace {

struct Job {
  const char* label;
  const char* model;
  Table options;
};

Status measure(const Run& run, const Job& job, const Histories& histories, int repeats) {
  VT_TRY(const ModelKind* kind, find_model(job.model));
  const Interactions interactions = build_interactions(histories, {});
  const Catalogue catalogue;
  std::vector<double> seconds;
  for (int r = 0; r < repeats; ++r) {
    const Usage before = run.monitor.usage();
    VT_TRY(const auto model,
           kind->fit(run, job.options, {histories, interactions, catalogue}, nullptr));
    seconds.push_back(between(before, run.monitor.usage()).cpu_s);
  }
  std::sort(seconds.begin(), seconds.end());
  fmt::print("{:44} {:7.3f} {:7.3f} {:7.3f}\n", job.label, seconds.front(),
             seconds[seconds.size() / 2], seconds.back());
  std::fflush(stdout);
  return {};
}

Status measure_all(int repeats, int threads) {
  ThreadPool pool(threads);
  UsageMonitor monitor;
  const Run run{Random(1), pool, monitor};
  VT_TRY(const Histories histories, read_ml1m(run));
  const Job jobs[] = {
      {"ease", "ease", Table{{"lambda", 300.0}}},
      {"item_knn (order ignored)", "item_knn",
       Table{{"window", 0}, {"distance_decay", 1.0}, {"backward", 1.0}}},
      {"item_knn (the defaults: 20 steps, order)", "item_knn", {}},
      {"popularity", "popularity", {}},
  };
  fmt::print("MovieLens 1M: {} persons, {} items, {} events; {} thread(s), {} repeats\n",
             histories.rows(), histories.items(), histories.size(), threads, repeats);
  fmt::print("{:44} {:>7} {:>7} {:>7}  CPU seconds\n", "fit", "least", "middle", "most");
  for (const Job& job : jobs) VT_TRY(measure(run, job, histories, repeats));
  return {};
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  const int repeats = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
  const int threads = argc > 2 ? std::max(1, std::atoi(argv[2])) : 1;
  const vitrine::Status status = vitrine::measure_all(repeats, threads);
  if (!status.ok()) fmt::print(stderr, "{}\n", status.error().message);
  return status.ok() ? 0 : 1;
}

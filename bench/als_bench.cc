// CPU seconds of one epoch of `als` on the training part of Gowalla (LightGCN's split): the
// difference between fits of 1 and of 1 + N epochs, over N. One thread unless told otherwise.
// Usage: als_bench [repeats] [threads] [solver:factors ...]
// bench/peers/implicit_als.py is the peer; run it in the same sitting.
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
  std::string solver;
  int factors;
};

constexpr int kEpochs = 5;

Result<double> fit_cpu_s(const Run& run, const Job& job, int epochs, const TrainingSet& set) {
  VT_TRY(const ModelKind* kind, find_model("als"));
  const Table options{{"solver", job.solver},
                      {"factors", job.factors},
                      {"epochs", epochs},
                      {"unobserved_weight", 0.05},
                      {"regularization", 0.01}};
  const Usage before = run.monitor.usage();
  VT_TRY(const auto model, kind->fit(run, options, set, nullptr));
  return between(before, run.monitor.usage()).cpu_s;
}

Status measure(const Run& run, const Job& job, const TrainingSet& set, int repeats) {
  std::vector<double> seconds, rest;
  for (int r = 0; r < repeats; ++r) {
    VT_TRY(const double one, fit_cpu_s(run, job, 1, set));
    VT_TRY(const double more, fit_cpu_s(run, job, 1 + kEpochs, set));
    seconds.push_back((more - one) / kEpochs);
    rest.push_back(one - seconds.back());
  }
  std::ranges::sort(seconds);
  std::ranges::sort(rest);
  const auto middle = static_cast<std::size_t>(repeats / 2);
  fmt::print("{:8} {:5} {:8.3f} {:8.3f} {:8.3f} {:10.3f} {:10.0f}\n", job.solver, job.factors,
             seconds.front(), seconds[middle], seconds.back(), rest[middle],
             static_cast<double>(run.monitor.usage().memory_peak_bytes) / (1 << 20));
  std::fflush(stdout);
  return {};
}

Status measure_all(int repeats, int threads, const std::vector<Job>& jobs) {
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
  const Catalogue catalogue;
  fmt::print("Gowalla: {} persons, {} items, {} interactions; {} thread(s), {} repeats\n",
             histories[0].rows(), interactions.items, interactions.by_row.columns.size(), threads,
             repeats);
  fmt::print("{:8} {:>5} {:>8} {:>8} {:>8} {:>10} {:>10}\n", "solver", "width", "least", "middle",
             "most", "the rest", "peak MB");
  for (const Job& job : jobs) {
    VT_TRY(measure(run, job, {histories[0], interactions, catalogue}, repeats));
  }
  return {};
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  const int repeats = argc > 1 ? std::max(1, std::atoi(argv[1])) : 3;
  const int threads = argc > 2 ? std::max(1, std::atoi(argv[2])) : 1;
  std::vector<vitrine::Job> jobs;
  for (int i = 3; i < argc; ++i) {
    const std::string job = argv[i];
    const std::size_t colon = job.find(':');
    if (colon == std::string::npos) continue;
    jobs.push_back({job.substr(0, colon), std::atoi(job.c_str() + colon + 1)});
  }
  if (jobs.empty()) {
    jobs = {{"cg", 64},     {"exact", 64},  {"block", 128},
            {"exact", 128}, {"block", 256}, {"exact", 256}};
  }
  const vitrine::Status status = vitrine::measure_all(repeats, threads, jobs);
  if (!status.ok()) fmt::print(stderr, "{}\n", status.error().message);
  return status.ok() ? 0 : 1;
}

// `spectral` and `node_embedding` on the training part of Gowalla (LightGCN's split): CPU seconds
// of a fit, of the top-20 of one person after the other, and of persons in batches, at several
// widths. One thread. Usage: spectral_bench [repeats] [model:width ...]
// bench/peers/gf_cf_scipy.py is the peer; run it in the same sitting.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/datasets.h"
#include "engine/usage.h"
#include "model/model.h"

namespace vitrine {
namespace {

struct Job {
  std::string model;
  int width;
};

// Milliseconds of CPU time for each of every 30th person, `together` of them at a time.
double answer_ms(const Run& run, const Model& model, const Histories& histories,
                 std::size_t together) {
  std::vector<Query> queries;
  for (std::size_t r = 0; r < histories.rows(); r += 30) {
    queries.emplace_back();
    queries.back().history = histories.row(r);
  }
  const ItemMask everything;
  CandidateBlock lists;
  const Usage before = run.monitor.usage();
  for (std::size_t q = 0; q < queries.size(); q += together) {
    model.retrieve(std::span(queries).subspan(q, std::min(together, queries.size() - q)),
                   {&everything, 1}, 20, lists);
  }
  return between(before, run.monitor.usage()).cpu_s * 1e3 / static_cast<double>(queries.size());
}

Status measure(const Run& run, const Job& job, const TrainingSet& set, int repeats) {
  VT_TRY(const ModelKind* kind, find_model(job.model));
  const Table options{{job.model == "spectral" ? "rank" : "factors", job.width}};
  std::vector<double> fit, single, batch;
  for (int r = 0; r < repeats; ++r) {
    const Usage before = run.monitor.usage();
    VT_TRY(const auto model, kind->fit(run, options, set, nullptr));
    fit.push_back(between(before, run.monitor.usage()).cpu_s);
    single.push_back(answer_ms(run, *model, set.histories, 1));
    batch.push_back(answer_ms(run, *model, set.histories, 1000));
  }
  fmt::print("{:16} {:5}", job.model, job.width);
  for (std::vector<double>* times : {&fit, &single, &batch}) {
    std::ranges::sort(*times);
    fmt::print("   {:6.2f} {:6.2f} {:6.2f}", times->front(), (*times)[times->size() / 2],
               times->back());
  }
  fmt::print("   {:6.0f}\n",
             static_cast<double>(run.monitor.usage().memory_peak_bytes) / (1 << 20));
  std::fflush(stdout);
  return {};
}

Status measure_all(int repeats, const std::vector<Job>& jobs) {
  ThreadPool pool(1);
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
  fmt::print("Gowalla: {} persons, {} items, {} events; {} repeats: least, middle, most\n",
             histories[0].rows(), histories[0].items(), histories[0].size(), repeats);
  fmt::print("{:22}   {:20}   {:20}   {:20}   {}\n", "", "fit, CPU-s", "one person, ms",
             "in batches, ms", "peak MB");
  for (const Job& job : jobs) {
    VT_TRY(measure(run, job, {histories[0], interactions, catalogue}, repeats));
  }
  return {};
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  const int repeats = argc > 1 ? std::max(1, std::atoi(argv[1])) : 3;
  std::vector<vitrine::Job> jobs;
  for (int i = 2; i < argc; ++i) {
    const std::string job = argv[i];
    const std::size_t colon = job.find(':');
    if (colon == std::string::npos) continue;
    jobs.push_back({job.substr(0, colon), std::atoi(job.c_str() + colon + 1)});
  }
  if (jobs.empty()) jobs = {{"spectral", 64}, {"spectral", 128}, {"spectral", 256}};
  const vitrine::Status status = vitrine::measure_all(repeats, jobs);
  if (!status.ok()) fmt::print(stderr, "{}\n", status.error().message);
  return status.ok() ? 0 : 1;
}

// What session_knn costs a visitor, and how good it is, on the Diginetica sessions of SR-GNN: every
// prefix of every test session asks for the next item among all. CPU time of each single answer.
// Usage: session_bench [validation|test] [name=value ...], options of session_knn
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "bench/datasets.h"
#include "engine/usage.h"
#include "model/model.h"

namespace vitrine {
namespace {

constexpr double kValidationShare = 0.1;  // the last sessions of the training part

SourceOptions source_of(const char* path) {
  SourceOptions source;
  source.path = path;
  source.session = "session_id";
  source.item = "item_id";
  source.default_type = "view";
  return source;
}

Histories rows_of(const Histories& all, std::size_t begin, std::size_t end) {
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  for (std::size_t r = begin; r < end; ++r) {
    const auto row = all.row(r);
    events.insert(events.end(), row.begin(), row.end());
    offsets.push_back(events.size());
  }
  return {std::move(offsets), std::move(events), 0, all.items()};
}

double thread_cpu_us() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) * 1e-3;
}

void ask_all(const Model& model, const Histories& test) {
  constexpr int kCutoff = 20;
  std::vector<double> microseconds;
  double hits = 0, reciprocal = 0;
  CandidateBlock block;
  const ItemMask everything;
  for (std::size_t r = 0; r < test.rows(); ++r) {
    const auto row = test.row(r);
    for (std::size_t length = 1; length < row.size(); ++length) {
      Query query;
      query.history = row.first(length);
      const double before = thread_cpu_us();
      model.retrieve({&query, 1}, {&everything, 1}, kCutoff, block);
      microseconds.push_back(thread_cpu_us() - before);
      const auto list = block.row(0);
      for (std::size_t c = 0; c < list.size(); ++c) {
        if (list[c].item != row[length].item) continue;
        hits += 1;
        reciprocal += 1 / static_cast<double>(c + 1);
      }
    }
  }
  std::sort(microseconds.begin(), microseconds.end());
  const auto n = static_cast<double>(microseconds.size());
  const auto at = [&](double share) { return microseconds[static_cast<std::size_t>(share * n)]; };
  fmt::print("P@20 {:.4f} MRR@20 {:.4f} of {}; us p50 {:.0f} p99 {:.0f} most {:.0f}\n", hits / n,
             reciprocal / n, n, at(0.5), at(0.99), microseconds.back());
}

Status measure(int argc, char** argv) {
  ThreadPool pool(1);
  UsageMonitor monitor;
  const Run run{Random(1), pool, monitor};
  const SourceOptions sources[] = {source_of("diginetica-sessions/train.csv.gz"),
                                   source_of("diginetica-sessions/test.csv.gz")};
  VT_TRY(const auto histories, read_histories(run, sources));
  const Histories& all = histories[0];
  const bool final = argc > 1 && std::string(argv[1]) == "test";
  const auto cut = static_cast<std::size_t>(static_cast<double>(all.rows()) *
                                            (final ? 1 : 1 - kValidationShare));
  const Histories train = rows_of(all, 0, cut);
  const Histories test = final ? histories[1] : rows_of(all, cut, all.rows());
  Table options{{"sessions", "histories"}};
  for (int i = 2; i < argc; ++i) {
    const std::string text = argv[i];
    const std::size_t equals = text.find('=');
    VT_TRY(set_path(options, text.substr(0, equals), text.substr(equals + 1)));
  }
  VT_TRY(const ModelKind* kind, find_model("session_knn"));
  const Interactions interactions;
  const Catalogue catalogue;
  const Usage before = run.monitor.usage();
  VT_TRY(const auto model, kind->fit(run, options, {train, interactions, catalogue}, nullptr));
  const Usage fit = between(before, run.monitor.usage());
  fmt::print("{} sessions, {} items, fit {:.3f} CPU-s, peak memory {:.0f} MB\n", train.rows(),
             train.items(), fit.cpu_s, static_cast<double>(fit.memory_peak_bytes) / (1 << 20));
  ask_all(*model, test);
  return {};
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  const vitrine::Status status = vitrine::measure(argc, argv);
  if (!status.ok()) fmt::print(stderr, "{}\n", status.error().message);
  return status.ok() ? 0 : 1;
}

// Writes lists of two random recommenders with their truth and our metrics, as `vitrine evaluate
// --dump` does, for tests/ranx/compare.py: short and empty lists, truth of many sizes, tied scores,
// ids that need escaping. Usage: ranx_dump FOLDER
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/evaluate.h"
#include "eval/trec.h"

namespace vitrine {
namespace {

constexpr std::uint32_t kItems = 300, kPersons = 1200;

// Up to `most` distinct items, early ones more often.
std::vector<ItemIndex> draw(const Random& random, std::uint64_t least, std::uint64_t most) {
  std::vector<ItemIndex> items;
  const std::uint64_t n = least + random.below(0, most - least + 1);
  for (std::uint64_t t = 1; items.size() < n; ++t) {
    const double u = random.uniform(t);
    const ItemIndex i{static_cast<std::uint32_t>(u * u * kItems)};
    if (std::find(items.begin(), items.end(), i) == items.end()) items.push_back(i);
  }
  std::sort(items.begin(), items.end());
  return items;
}

Split random_split() {
  const Random random = Random(1).fork("truth");
  Split split(Histories(std::vector<std::uint64_t>(kPersons + 1), std::vector<HistoryEvent>{},
                        kPersons, kItems),
              "random");
  for (std::uint32_t p = 0; p < kPersons; ++p) {
    const auto truth = draw(random.fork(p), 1, p % 50 == 0 ? 60 : 8);
    split.add_case({.truth = truth, .user = UserIndex{p}});
  }
  return split;
}

// Lists early items first, the truth a little more often than chance; now and then a short list or
// none.
Recommender random_recommender(const Split& split, const std::string& name) {
  Recommender recommender{.name = name, .recommend = {}, .score_all = {}};
  const Random random = Random(2).fork(name);
  recommender.recommend = [&split, random](std::span<const Query> queries,
                                           std::span<const std::span<const ItemIndex>>, int n,
                                           CandidateBlock& out) {
    out.reset(queries.size(), static_cast<std::size_t>(n));
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const std::uint32_t person = raw(*queries[q].user);
      const auto truth = split[person].truth;
      std::vector<Candidate> scored;
      for (std::uint32_t i = 0; i < kItems; ++i) {
        const bool hit = std::binary_search(truth.begin(), truth.end(), ItemIndex{i});
        const double luck = random.fork(person).uniform(i) + (hit ? 0.25 : 0);
        scored.push_back({ItemIndex{i}, static_cast<float>(static_cast<int>(40 * luck))});
      }
      std::sort(scored.begin(), scored.end(), better);
      const std::size_t most = person % 17 == 0 ? person % 5 : static_cast<std::size_t>(n);
      scored.resize(std::min(most, static_cast<std::size_t>(n)));
      std::copy(scored.begin(), scored.end(), out.room(q).begin());
      out.set_count(q, scored.size());
    }
  };
  return recommender;
}

Status dump(const std::string& folder) {
  ThreadPool pool(1);
  QuietMonitor monitor;
  const Run run{Random(1), pool, monitor};
  const Split split = random_split();
  const EvaluateOptions options{.cutoffs = {"1", "5", "10", "25"}, .bootstrap = 0};
  const CaseName case_name = [](std::size_t c) { return "person " + std::to_string(c); };
  const ItemName item_name = [](ItemIndex i) { return std::to_string(raw(i)) + "% wool"; };
  FileSystem& files = real_files();
  VT_TRY(files.make_folder(folder));
  List models;
  for (const std::string name : {"first", "second"}) {
    EvaluatedLists lists;
    VT_TRY(const Evaluation evaluation,
           evaluate(run, random_recommender(split, name), split, std::vector<std::uint32_t>(kItems),
                    options, &lists));
    VT_TRY(write_qrels(files, folder + "/random.qrels", lists, case_name, item_name));
    VT_TRY(write_run(files, folder + "/" + name + ".run", lists, case_name, item_name, name));
    Table metrics;
    for (const MetricValue& metric : evaluation.metrics) {
      metrics.set(metric.name, Table{{"mean", metric.mean}});
    }
    models.push_back(Table{{"name", name}, {"metrics", std::move(metrics)}});
  }
  return write_file_atomically(files, folder + "/metrics.json",
                               to_json_pretty(Table{{"models", std::move(models)}}));
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: ranx_dump FOLDER\n", stderr);
    return 2;
  }
  const vitrine::Status done = vitrine::dump(argv[1]);
  if (!done.ok()) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return done.ok() ? 0 : 1;
}

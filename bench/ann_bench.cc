// Retrieval among a million vectors of 64 dimensions, one query at a time, one thread: exact
// (beside sgemv and a selection), exact under masks. Usage: ann_bench [items] [isotropic].
#include <cblas.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "bench/planted.h"
#include "index/clustered.h"
#include "index/rows.h"
#include "index/scan.h"

namespace {

using namespace vitrine;

constexpr std::int64_t kWidth = 64, kQueries = 200;

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Least, middle and most milliseconds of CPU of one call for each query.
template <class Call>
void measure(const char* what, std::int64_t queries, Call call) {
  std::vector<double> ms;
  for (std::int64_t q = 0; q < queries; ++q) {
    const double before = cpu_seconds();
    call(q);
    ms.push_back(1e3 * (cpu_seconds() - before));
  }
  std::sort(ms.begin(), ms.end());
  fmt::print("{:40} {:8.3f} {:8.3f} {:8.3f} ms\n", what, ms.front(), ms[ms.size() / 2], ms.back());
}

void dump(const Matrix& m, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  for (std::int64_t i = 0; i < m.rows(); ++i) {
    out.write(reinterpret_cast<const char*>(m.row(i).data()),
              m.cols() * std::int64_t{sizeof(float)});
  }
}

MatrixView<const float> row_of(const Matrix& m, std::int64_t row) {
  return {m.row(row).data(), 1, m.cols(), m.stride()};
}

Bitmap random_mask(std::int64_t items, double share) {
  Bitmap mask(static_cast<std::size_t>(items));
  const Random random = Random(3).fork("mask");
  for (std::uint64_t i = 0; i < mask.size(); ++i) mask.set(i, random.uniform(i) < share);
  return mask;
}

void measure_exact(const Planted& planted) {
  std::vector<float> scores(static_cast<std::size_t>(planted.items.rows()));
  std::vector<Candidate> list(20);
  const ItemMask everything;
  measure("sgemv and selection", 20, [&](std::int64_t q) {
    cblas_sgemv(CblasRowMajor, CblasNoTrans, static_cast<int>(planted.items.rows()), kWidth, 1.0f,
                planted.items.data(), static_cast<int>(planted.items.stride()),
                planted.queries.row(q).data(), 1, 0.0f, scores.data(), 1);
    top_of_scores(scores, everything, 20, list);
  });
  for (const Kernels* row : all_kernels()) {
    const double before = cpu_seconds();
    const PackedItems packed(planted.items.view(), *row);
    fmt::print("{} row: packed in {:.2f} s\n", row->name, cpu_seconds() - before);
    CandidateBlock out;
    measure("  exact, top 20", row->name == "scalar" ? 20 : kQueries, [&](std::int64_t q) {
      scan_top(row_of(planted.queries, q), packed, std::span(&everything, 1), 20, out);
    });
    for (const std::int64_t count : {4, 8, 16, 32}) {
      measure(fmt::format("  exact, {} together", count).c_str(), 10, [&](std::int64_t q) {
        const MatrixView<const float> some{planted.queries.row(q).data(), count, kWidth,
                                           planted.queries.stride()};
        scan_top(some, packed, std::span(&everything, 1), 20, out);
      });
    }
    if (row != &kernels()) continue;
    for (const double share : {0.5, 0.2, 0.1, 0.05, 0.005, 0.0005}) {
      const Bitmap bitmap = random_mask(planted.items.rows(), share);
      const ItemMask mask{&bitmap, {}};
      measure(fmt::format("  exact, {} % of the items", 100 * share).c_str(), 50,
              [&](std::int64_t q) {
                scan_top(row_of(planted.queries, q), packed, std::span(&mask, 1), 20, out);
              });
    }
  }
}

// Of the exact list, the share that the other has.
double recall(std::span<const Candidate> exact, std::span<const Candidate> list) {
  std::size_t found = 0;
  for (const Candidate& c : exact)
    found += static_cast<std::size_t>(std::find(list.begin(), list.end(), c) != list.end());
  return exact.empty() ? 1 : static_cast<double>(found) / static_cast<double>(exact.size());
}

void measure_approximate(const Planted& planted) {
  constexpr int kTop = 10;
  std::vector<ItemIndex> names;
  for (std::uint32_t i = 0; i < planted.items.rows(); ++i) names.push_back(ItemIndex{i});
  ThreadPool pool(2);
  const double before = cpu_seconds();
  auto built = ClusteredItems::build(planted.items.view(), names, {}, {}, pool);
  const ClusteredItems& index = built.value();
  fmt::print("{} lists in {:.1f} CPU-s, {:.1f} MB\n", index.lists(), cpu_seconds() - before,
             1e-6 * static_cast<double>(index.bytes()));
  for (const ClusteredItems::Level& level : index.levels())
    fmt::print("  best {}: {} lists, recall {:.4f}\n", level.k, level.probes, level.recall);
  const PackedItems packed(planted.items.view());
  for (const double share : {1.0, 0.5, 0.2, 0.05, 0.02, 0.005}) {
    const Bitmap bitmap = random_mask(planted.items.rows(), share);
    const ItemMask mask{share < 1 ? &bitmap : nullptr, {}};
    CandidateBlock exact, out;
    scan_top(planted.queries.view(), packed, std::span(&mask, 1), kTop, exact);
    double sum = 0;
    measure(fmt::format("  approximate, {} % of the items", 100 * share).c_str(), kQueries,
            [&](std::int64_t q) {
              index.search(row_of(planted.queries, q), planted.items.view(), std::span(&mask, 1),
                           kTop, out);
              sum += recall(exact.row(static_cast<std::size_t>(q)), out.row(0));
            });
    fmt::print("    recall@10 {:.4f}\n", sum / kQueries);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t items = argc > 1 ? std::atoll(argv[1]) : 1'000'000;
  const bool isotropic = argc > 2 && std::string_view(argv[2]) == "isotropic";
  const Planted planted = planted_vectors(items, kQueries, kWidth, isotropic);
  if (argc > 3) {
    dump(planted.items, std::string(argv[3]) + "/ann_items.f32");
    dump(planted.queries, std::string(argv[3]) + "/ann_queries.f32");
  }
  measure_exact(planted);
  measure_approximate(planted);
}

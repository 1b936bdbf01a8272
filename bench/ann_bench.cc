// Retrieval among a million vectors of 64 dimensions, one query at a time, one thread: exact
// (beside sgemv and a selection), exact under masks. Usage: ann_bench [items] [isotropic].
#include <cblas.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "bench/planted.h"
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

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t items = argc > 1 ? std::atoll(argv[1]) : 1'000'000;
  const bool isotropic = argc > 2 && std::string_view(argv[2]) == "isotropic";
  const Planted planted = planted_vectors(items, kQueries, kWidth, isotropic);
  measure_exact(planted);
}

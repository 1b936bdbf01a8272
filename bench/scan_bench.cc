// Top-20 of 40,981 items for 29,858 query vectors of 64 dimensions (the shape of Gowalla), one
// thread. Prints CPU seconds (least, middle, most of the repeats) and GFLOP/s for each row of the
// kernel table, then the time of a single query. Vectors are normal; "skewed" gives the items norms
// that fall like those of fitted factors. Usage: scan_bench [repeats] [--dump FOLDER], which writes
// the vectors as raw float32 for bench/peers/implicit_topk.py.
#include "index/scan.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/random.h"

namespace {

using namespace vitrine;

constexpr std::int64_t kUsers = 29'858, kItems = 40'981, kWidth = 64;
constexpr int kTop = 20;

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

Matrix vectors(std::int64_t rows, const char* name, bool skewed) {
  Matrix m(rows, kWidth);
  const Random random = Random(1).fork(name);
  for (std::int64_t i = 0; i < rows; ++i) {
    const double scale = skewed ? std::pow(static_cast<double>(i * 7919 % rows + 1), -0.3) : 1;
    for (std::int64_t k = 0; k < kWidth; ++k) {
      m(i, k) =
          static_cast<float>(scale * random.normal(static_cast<std::uint64_t>(i * kWidth + k)));
    }
  }
  return m;
}

void dump(const Matrix& m, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  for (std::int64_t i = 0; i < m.rows(); ++i) {
    out.write(reinterpret_cast<const char*>(m.row(i).data()),
              m.cols() * std::int64_t{sizeof(float)});
  }
}

void measure(const char* what, const Kernels& row, const Matrix& users, const Matrix& items,
             int repeats) {
  const double start = cpu_seconds();
  const PackedItems packed(items.view(), row);
  const double packing = cpu_seconds() - start;
  const ItemMask everything;
  CandidateBlock out;
  std::vector<double> seconds;
  for (int r = 0; r < repeats; ++r) {
    const double before = cpu_seconds();
    scan_top(users.view(), packed, std::span(&everything, 1), kTop, out);
    seconds.push_back(cpu_seconds() - before);
  }
  std::sort(seconds.begin(), seconds.end());
  const double middle = seconds[seconds.size() / 2];
  constexpr int kSingles = 200;
  const double before = cpu_seconds();
  for (int q = 0; q < kSingles; ++q) {
    const MatrixView<const float> one{users.row(q * 100).data(), 1, kWidth, users.stride()};
    scan_top(one, packed, std::span(&everything, 1), kTop, out);
  }
  const double single = (cpu_seconds() - before) / kSingles;
  fmt::print(
      "{:8} {:7} {:6.3f} {:6.3f} {:6.3f} s {:7.1f} GFLOP/s   one query {:7.1f} us   pack {:.3f} "
      "s\n",
      what, row.name, seconds.front(), middle, seconds.back(),
      2e-9 * static_cast<double>(kUsers * kItems * kWidth) / middle, single * 1e6, packing);
}

}  // namespace

int main(int argc, char** argv) {
  const int repeats = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
  const Matrix users = vectors(kUsers, "users", false);
  for (const bool skewed : {false, true}) {
    const Matrix items = vectors(kItems, "items", skewed);
    const char* what = skewed ? "skewed" : "normal";
    if (argc > 3) {
      dump(items, std::string(argv[3]) + "/items_" + what + ".f32");
      dump(users, std::string(argv[3]) + "/users.f32");
    }
    for (const Kernels* row : all_kernels()) {
      measure(what, *row, users, items, row->name == "scalar" ? 1 : repeats);
    }
  }
}

// Pair counts and the inverse of EASE on data of the shape of ML-1M (6,040 x 3,706, a million
// ones), one thread. Prints CPU seconds (least, middle, most of the repeats). Usage: gram_bench
// [repeats]
#include "base/gram.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <vector>

#include "base/blas.h"
#include "base/random.h"

namespace {

using namespace vitrine;

constexpr std::int64_t kUsers = 6'040, kItems = 3'706;

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

void measure(const char* what, int repeats, const std::function<void()>& work) {
  std::vector<double> seconds;
  for (int r = 0; r < repeats; ++r) {
    const double before = cpu_seconds();
    work();
    seconds.push_back(cpu_seconds() - before);
  }
  std::sort(seconds.begin(), seconds.end());
  fmt::print("{:24} {:6.3f} {:6.3f} {:6.3f} s\n", what, seconds.front(),
             seconds[seconds.size() / 2], seconds.back());
}

struct Data {
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> columns;
};

// Activity and popularity fall like powers, as they do in ratings; about a million ones.
Data ratings() {
  Data data;
  const Random random(1);
  for (std::int64_t u = 0; u < kUsers; ++u) {
    const double activity = 15 * std::pow(static_cast<double>(u + 1) / kUsers, -0.55);
    for (std::int64_t i = 0; i < kItems; ++i) {
      const double popularity = 0.0075 * std::pow(static_cast<double>(i + 1) / kItems, -0.55);
      const double draw = random.uniform(static_cast<std::uint64_t>(u * kItems + i));
      if (draw < activity / 15 * popularity * 1.2)
        data.columns.push_back(static_cast<std::uint32_t>(i));
    }
    data.offsets.push_back(data.columns.size());
  }
  return data;
}

}  // namespace

int main(int argc, char** argv) {
  const int repeats = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
  const Data data = ratings();
  const BinaryRows x{data.offsets.data(), data.columns.data(), kUsers, kItems};
  fmt::print("{} users, {} items, {} ones\n", kUsers, kItems, data.columns.size());
  ThreadPool pool(1);
  Matrix gram(kItems, kItems);
  measure("pairs, sparse", repeats, [&] { count_pairs_sparse(pool, x, gram.view()); });
  for (const Kernels* row : all_kernels()) {
    const std::string what = fmt::format("pairs, dense, {}", row->name);
    measure(what.c_str(), repeats, [&] { count_pairs_dense(pool, x, gram.view(), *row); });
  }
  measure("pairs, chosen", repeats, [&] { cooccurrence_counts(pool, x, gram.view()); });
  measure("pairs and inverse", repeats, [&] {
    cooccurrence_counts(pool, x, gram.view());
    for (std::int64_t i = 0; i < kItems; ++i) gram(i, i) += 500;
    if (!invert_spd(pool, gram.view()).ok()) std::abort();
  });
}

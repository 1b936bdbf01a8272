// Vectors as learned item vectors look, for benchmarks and tests of retrieval.
//
// Cluster c of kClusters has the centre m_c[k] = (k + 1)^-0.3 N(0, 1). Item i lies in cluster
// floor(kClusters u^1.5) (so sizes differ), at f (m_c[k] + 0.6 (k + 1)^-0.3 N(0, 1)) with the
// factor f = exp(0.2 N(0, 1)) of its own. A query is 0.7 of one item plus 0.3 of another plus 0.3
// (k + 1)^-0.3 N(0, 1): near one cluster, drawn towards a second. "Isotropic" vectors are N(0, 1)
// each.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/matrix.h"
#include "base/random.h"

namespace vitrine {

struct Planted {
  Matrix items, queries;
};

inline Planted planted_vectors(std::int64_t items, std::int64_t queries, std::int64_t width,
                               bool isotropic, std::uint64_t clusters = 4'000) {
  Planted p{Matrix(items, width), Matrix(queries, width)};
  const Random random(7);
  const auto normal = [&](const char* name) {
    return [stream = random.fork(name), width](std::int64_t row, std::int64_t k) {
      const double x = stream.normal(static_cast<std::uint64_t>(row * width + k));
      return x;
    };
  };
  const auto noise = normal("items"), centre = normal("centres"), stray = normal("queries");
  const Random pick = random.fork("cluster"), factor = random.fork("factor");
  for (std::int64_t i = 0; i < items; ++i) {
    const auto at = static_cast<std::uint64_t>(i);
    const auto c =
        static_cast<std::int64_t>(static_cast<double>(clusters) * std::pow(pick.uniform(at), 1.5));
    const double f = std::exp(0.2 * factor.normal(at));
    for (std::int64_t k = 0; k < width; ++k) {
      const double fall = std::pow(static_cast<double>(k + 1), -0.3);
      const double v = isotropic ? noise(i, k) : f * fall * (centre(c, k) + 0.6 * noise(i, k));
      p.items(i, k) = static_cast<float>(v);
    }
  }
  const Random one = random.fork("one"), two = random.fork("two");
  for (std::int64_t q = 0; q < queries; ++q) {
    const auto at = static_cast<std::uint64_t>(q), bound = static_cast<std::uint64_t>(items);
    const auto a = static_cast<std::int64_t>(one.below(at, bound));
    const auto b = static_cast<std::int64_t>(two.below(at, bound));
    for (std::int64_t k = 0; k < width; ++k) {
      const double fall = std::pow(static_cast<double>(k + 1), -0.3);
      const double v = isotropic ? stray(q, k)
                                 : 0.7 * double{p.items(a, k)} + 0.3 * double{p.items(b, k)} +
                                       0.3 * fall * stray(q, k);
      p.queries(q, k) = static_cast<float>(v);
    }
  }
  return p;
}

}  // namespace vitrine

#include "base/gram.h"

#include <algorithm>
#include <vector>

#include "base/blas.h"
#include "base/result.h"

namespace vitrine {
namespace {

std::uint64_t row_size(const BinaryRows& x, std::int64_t r) {
  return x.offsets[r + 1] - x.offsets[r];
}

// Column -> where it occurs: the entry's place in `columns` and the place where its row starts.
struct Occurrences {
  struct Place {
    std::uint64_t row_start, entry;
  };
  std::vector<std::uint64_t> offsets;
  std::vector<Place> places;
};

Occurrences occurrences(const BinaryRows& x) {
  Occurrences found;
  found.offsets.assign(static_cast<std::size_t>(x.cols) + 1, 0);
  const std::uint64_t size = x.rows == 0 ? 0 : x.offsets[x.rows];
  for (std::uint64_t e = x.rows == 0 ? 0 : x.offsets[0]; e < size; ++e) {
    ++found.offsets[x.columns[e] + 1];
  }
  for (std::size_t c = 1; c < found.offsets.size(); ++c) found.offsets[c] += found.offsets[c - 1];
  found.places.resize(found.offsets.back());
  std::vector<std::uint64_t> next(found.offsets.begin(), found.offsets.end() - 1);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::uint64_t e = x.offsets[r]; e < x.offsets[r + 1]; ++e) {
      found.places[next[x.columns[e]]++] = {x.offsets[r], e};
    }
  }
  return found;
}

// Bit r - begin of bitmap c: row r has column c.
std::vector<std::uint64_t> column_bitmaps(ThreadPool& pool, const BinaryRows& x, std::int64_t begin,
                                          std::int64_t end, std::int64_t words) {
  std::vector<std::uint64_t> bits(static_cast<std::size_t>(x.cols * words), 0);
  parallel_for(pool, end - begin, 512, [&](std::int64_t from, std::int64_t to) {  // whole words
    for (std::int64_t r = from; r < to; ++r) {
      const std::uint64_t bit = std::uint64_t{1} << (r % 64);
      for (std::uint64_t e = x.offsets[begin + r]; e < x.offsets[begin + r + 1]; ++e) {
        bits[static_cast<std::size_t>(x.columns[e] * words + r / 64)] |= bit;
      }
    }
  });
  return bits;
}

void clear(MatrixView<float> out) {
  for (std::int64_t i = 0; i < out.rows; ++i)
    std::fill_n(out.data + i * out.stride, out.cols, 0.0f);
}

}  // namespace

void count_pairs_sparse(ThreadPool& pool, const BinaryRows& x, MatrixView<float> out) {
  const Occurrences found = occurrences(x);
  parallel_for(pool, x.cols, 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::uint32_t> counts(static_cast<std::size_t>(end));
    for (std::int64_t c = begin; c < end; ++c) {
      std::fill(counts.begin(), counts.end(), 0);
      for (std::uint64_t p = found.offsets[static_cast<std::size_t>(c)];
           p < found.offsets[static_cast<std::size_t>(c) + 1]; ++p) {
        const Occurrences::Place place = found.places[p];
        for (std::uint64_t e = place.row_start; e <= place.entry; ++e) ++counts[x.columns[e]];
      }
      float* row = out.data + c * out.stride;
      for (std::int64_t j = 0; j <= c; ++j) {
        row[j] = static_cast<float>(counts[static_cast<std::size_t>(j)]);
      }
    }
  });
  fill_upper(pool, out);
}

void count_pairs_dense(ThreadPool& pool, const BinaryRows& x, MatrixView<float> out,
                       const Kernels& kernels) {
  constexpr std::int64_t kRowsAtOnce = 1 << 15, kTile = 512;
  clear(out);
  const std::int64_t side = (x.cols + kTile - 1) / kTile;
  for (std::int64_t begin = 0; begin < x.rows; begin += kRowsAtOnce) {
    const std::int64_t end = std::min(x.rows, begin + kRowsAtOnce);
    const std::int64_t words = (end - begin + 511) / 512 * 8;
    const std::vector<std::uint64_t> bits = column_bitmaps(pool, x, begin, end, words);
    pool.run(side * side, [&](std::int64_t tile) {
      const std::int64_t i = tile / side * kTile, j = tile % side * kTile;
      if (j > i) return;
      kernels.count_common(bits.data() + i * words, std::min(kTile, x.cols - i),
                           bits.data() + j * words, std::min(kTile, x.cols - j), words,
                           out.data + i * out.stride + j, out.stride);
    });
  }
  fill_upper(pool, out);
}

void cooccurrence_counts(ThreadPool& pool, const BinaryRows& x, MatrixView<float> out,
                         const Kernels& kernels) {
  VT_CHECK(out.rows == x.cols && out.cols == x.cols);
  double updates = 0;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const auto n = static_cast<double>(row_size(x, r));
    updates += n * (n + 1) / 2;
  }
  const auto cols = static_cast<double>(x.cols);
  const double bits = static_cast<double>(x.rows) * cols * cols / 2;
  constexpr double kNsPerUpdate = 0.7;
  if (bits / static_cast<double>(kernels.common_bits_per_ns) < updates * kNsPerUpdate) {
    count_pairs_dense(pool, x, out, kernels);
  } else {
    count_pairs_sparse(pool, x, out);
  }
}

}  // namespace vitrine

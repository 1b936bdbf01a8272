#include "index/scan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/result.h"
#include "index/bfloat16.h"
#include "index/byte_scan.h"
#include "index/selection.h"

namespace vitrine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Queries that go through all chunks together: their buffers and one chunk share the L2 cache.
constexpr std::int64_t kGroup = 960;
static_assert(kGroup % kScanQueries == 0 && kGroup % kScreenTile == 0);
// Screened queries that meet one tile of items together stay in the L1 cache.
constexpr std::int64_t kQueryBytes = 32 << 10;
constexpr std::int64_t kCallMax = kScreenTilesMax * kScreenTile;

// One group of queries, packed for the kernel, against all chunks.
class Group {
 public:
  Group(const PackedItems& items, std::int64_t count)
      : items_(items), tile_(items.screens() ? kScreenTile : kScanQueries), call_(tile_) {
    if (items.screens()) {
      const std::int64_t tile_bytes = items.rounded_width() * tile_ * 2;
      call_ *= std::clamp<std::int64_t>(kQueryBytes / tile_bytes, 1, kScreenTilesMax);
    }
    const std::int64_t tiles = (std::min(count, kGroup) + tile_ - 1) / tile_;
    selections_.resize(static_cast<std::size_t>(std::min(count, kGroup)));
    norms_.resize(selections_.size());
    if (items.screens()) {
      rounded_.resize(static_cast<std::size_t>(tiles * tile_ * items.rounded_width()));
    } else {
      packed_.resize(static_cast<std::size_t>(tiles * tile_ * items.width() + tile_));
    }
  }

  // Some rows of the queries, at most kGroup.
  void run(MatrixView<const float> queries, std::span<const std::uint32_t> rows,
           std::span<const ItemMask> masks, std::size_t n, CandidateBlock& out) {
    const auto count = static_cast<std::int64_t>(rows.size());
    for (std::int64_t q = 0; q < count; ++q) {
      const std::uint32_t row = rows[static_cast<std::size_t>(q)];
      const float* query = queries.row(row).data();
      selection(q).begin(items_.exact(), mask_of(masks, row), query, n, items_.screens());
      items_.screens() ? round(q, query) : pack(q, query);
    }
    for (const PackedItems::Chunk& chunk : items_.chunks()) {
      for (std::int64_t q = 0; q < count; q += call_) scan(chunk, q, std::min(call_, count - q));
    }
    for (std::int64_t q = 0; q < count; ++q) {
      const std::uint32_t row = rows[static_cast<std::size_t>(q)];
      out.set_count(row, selection(q).take(out.room(row)));
    }
  }

 private:
  // Of the query as it is, and of what rounding took away.
  struct Norms {
    double norm = 0, rounding = 0;
  };
  static constexpr double kMargin = 1 + 1e-4, kUnderflow = 1e-37;

  Norms& norms(std::int64_t q) { return norms_[static_cast<std::size_t>(q)]; }
  Selection& selection(std::int64_t q) { return selections_[static_cast<std::size_t>(q)]; }

  void pack(std::int64_t q, const float* query) {
    float* column = packed_.data() + q / tile_ * tile_ * items_.width() + q % tile_;
    double sum = 0;
    for (std::int64_t k = 0; k < items_.width(); ++k) {
      column[k * tile_] = query[k];
      sum += double{query[k]} * double{query[k]};
    }
    // The float32 chain errs, too.
    const double rounding = 1 + static_cast<double>(items_.width()) * 0x1p-23;
    norms(q) = {std::sqrt(sum) * rounding, 0};
  }

  void round(std::int64_t q, const float* query) {
    std::uint16_t* column =
        rounded_.data() + q / tile_ * tile_ * items_.rounded_width() + q % tile_ * 2;
    double sum = 0;
    for (std::int64_t k = 0; k < items_.width(); ++k) sum += double{query[k]} * double{query[k]};
    if (!(sum < 1e36)) {  // not finite, or so long that sums might overflow
      for (std::int64_t k = 0; k < items_.rounded_width(); ++k)
        column[k / 2 * tile_ * 2 + k % 2] = 0;
      selection(q).exhaust();
      selection(q).close();
      return;
    }
    const RoundedNorms rounded = round_vector(query, items_.width(), tile_ * 2, column);
    norms(q) = {rounded.norm, rounded.error};
  }

  // False when neither this chunk nor a later one can hold anything for the list.
  bool enter(const PackedItems::Chunk& chunk, std::int64_t q) {
    // A float32 chain errs, too.
    const double margin = kMargin + static_cast<double>(items_.width()) * 0x1p-23;
    if (!selection(q).close_below(norms(q).norm * chunk.norm * margin)) return false;
    if (items_.screens()) {
      const double slack = norms(q).norm * chunk.error + norms(q).rounding * chunk.rounded_norm;
      selection(q).set_slack(slack * kMargin + kUnderflow * static_cast<double>(items_.width()));
    }
    return true;
  }

  void scan(const PackedItems::Chunk& chunk, std::int64_t q, std::int64_t count) {
    ScanBuffer buffers[kCallMax];
    bool open = false;
    for (std::int64_t i = 0; i < count; ++i) {
      open |= enter(chunk, q + i);
      buffers[i] = selection(q + i).buffer();
    }
    if (!open) return;
    const auto first = static_cast<std::uint32_t>(chunk.first);
    if (items_.screens()) {
      const std::int64_t tiles = (count + tile_ - 1) / tile_;
      for (std::int64_t i = count; i < tiles * tile_; ++i)
        buffers[i] = {kInfinity, 0, ~0u, nullptr, nullptr, nullptr, nullptr};
      items_.kernels().screen(rounded_.data() + q * items_.rounded_width(), tiles,
                              items_.rounded(chunk.first), items_.rounded_width(),
                              chunk.count / kScreenTile, first, buffers);
    } else {
      items_.kernels().scan(packed_.data() + q * items_.width(), static_cast<int>(count),
                            items_.panel(chunk.first), items_.width(), chunk.count / kPanel, first,
                            buffers);
    }
    for (std::int64_t i = 0; i < count; ++i) selection(q + i).leave(buffers[i]);
  }

  const PackedItems& items_;
  const std::int64_t tile_;  // queries that are packed together
  std::int64_t call_;        // queries of one call of the kernel
  std::vector<Selection> selections_;
  std::vector<Norms> norms_;
  std::vector<float> packed_;
  std::vector<std::uint16_t> rounded_;
};

}  // namespace

void scan_top(MatrixView<const float> queries, const PackedItems& items,
              std::span<const ItemMask> masks, int n, CandidateBlock& out) {
  VT_CHECK(queries.cols == items.width());
  out.reset(static_cast<std::size_t>(queries.rows), static_cast<std::size_t>(std::max(n, 0)));
  const std::int64_t wanted = std::min<std::int64_t>(n, items.items());
  if (wanted <= 0 || queries.rows == 0) return;
  std::vector<std::uint32_t> rows(static_cast<std::size_t>(queries.rows));
  std::iota(rows.begin(), rows.end(), 0u);
  if (items.has_bytes()) {
    const std::size_t share = rows.size() <= kByteQueries ? kNarrowAlone : kNarrowInBatch;
    ByteScan bytes(
        {&items.kernels(), items.bytes(), items.exact(), items.byte_bounds(), items.places()},
        static_cast<std::size_t>(wanted), static_cast<std::size_t>(items.items()) / share);
    std::erase_if(rows, [&](std::uint32_t row) {
      return bytes.narrow(queries.row(row), mask_of(masks, row), out, row);
    });
    if (rows.size() <= kByteQueries) return bytes.run(queries, rows, masks, items.chunks(), out);
  }
  Group group(items, static_cast<std::int64_t>(rows.size()));
  for (std::span<const std::uint32_t> left = rows; !left.empty();) {
    const std::span<const std::uint32_t> some =
        left.first(std::min<std::size_t>(left.size(), kGroup));
    group.run(queries, some, masks, static_cast<std::size_t>(wanted), out);
    left = left.subspan(some.size());
  }
}

void scan_scores(std::span<const float> query, MatrixView<const float> vectors,
                 std::span<const ItemIndex> items, std::span<float> scores) {
  constexpr std::size_t kAtOnce = 8;
  for (std::size_t begin = 0; begin < items.size(); begin += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, items.size() - begin);
    const float* rows[kAtOnce];
    for (std::size_t i = 0; i < count; ++i) rows[i] = vectors.row(raw(items[begin + i])).data();
    exact_scores(query.data(), static_cast<std::int64_t>(query.size()), rows, 1,
                 static_cast<int>(count), scores.data() + begin);
  }
}

}  // namespace vitrine

// Exact search over item vectors: all dot products of query rows with item rows, fused with the selection
// of the best n that the mask allows. The score matrix is never written: panels of items stay in L2, a
// register tile is compared with each query's running threshold, survivors go to a small buffer.
// Results equal a full sort by better(); ties go to the lower index. Thread-safe after construction.
#pragma once

#include <span>

#include "base/array.h"
#include "base/kernels.h"
#include "base/matrix.h"
#include "data/query.h"
#include "index/mask.h"

namespace vitrine {

// Item vectors packed in panels of kPanel columns, k-major; the last panel is padded with zeros that are
// never reported.
class PackedItems {
 public:
  explicit PackedItems(MatrixView<const float> items);
  std::int64_t items() const { return items_; }
  std::int64_t width() const { return width_; }
  const float* panel(std::int64_t p) const { return data_.data() + p * width_ * kPanel; }

 private:
  std::int64_t items_, width_;
  Matrix data_;  // one row per panel
};

// The best n for each row of `queries` (width = items.width()). Runs on the caller's thread.
void scan_top(MatrixView<const float> queries, const PackedItems& items,
              std::span<const ItemMask> masks, int n, CandidateBlock& out,
              const Kernels& kernels = vitrine::kernels());

}  // namespace vitrine

// Exact search over item vectors: all dot products of query rows with item rows, fused with the
// selection of the best n that the mask allows. The score matrix is never written: chunks of items
// stay in L2, a register tile is compared with each query's running threshold, survivors go to a
// small buffer.
//
// Items lie in descending order of their norm, so that thresholds rise early and a query stops
// where no norm that is left can reach its list (Cauchy-Schwarz). Where the processor has a fast
// bfloat16 product, it screens: what it lets through, with a bound on its error, is scored again in
// float32. A few queries are bound by reading memory: they are screened in bytes, a quarter of the
// float32 vectors. So is a query with a narrow mask, which reads the items of the mask alone.
//
// A score is one chain of fused multiply-adds in the order of the columns, starting at 0, on every
// processor; lists equal a full sort by better(), so ties go to the lower index, and NaN is never
// listed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/kernels.h"
#include "base/matrix.h"
#include "data/query.h"
#include "index/bytes.h"
#include "index/mask.h"
#include "index/selection.h"

namespace vitrine {

// Item vectors in the layout that one row of the kernel table wants, at positions of that layout.
// Immutable; keeps a copy of the vectors (float32, bytes, and bfloat16 where it screens), and
// the position of each item.
class PackedItems {
 public:
  explicit PackedItems(MatrixView<const float> items, const Kernels& kernels = vitrine::kernels());
  // Row r is the vector of names[r]; names ascend.
  PackedItems(MatrixView<const float> items, std::span<const ItemIndex> names,
              const Kernels& kernels = vitrine::kernels());

  // A run of positions that fits in the second-level cache, and what bounds its scores: the largest
  // norm; and, for screening, |score - screened| <= |q| error + |q - rounded q| rounded_norm.
  struct Chunk {
    std::int64_t first,
        count;  // count is a multiple of kPanel; the last chunk is padded with zeros
    double norm, error, rounded_norm;
    ScreenBounds bytes = {};  // the same for bytes
  };

  // Bytes of memory that so many vectors take, about, on this processor.
  static std::uint64_t memory_bytes_for(std::uint64_t items, std::int64_t width,
                                        const Kernels& kernels = vitrine::kernels());

  std::int64_t items() const { return items_; }
  std::int64_t width() const { return width_; }
  const Kernels& kernels() const { return *kernels_; }
  bool screens() const { return !rounded_.empty(); }
  std::span<const Chunk> chunks() const { return chunks_; }
  ItemIndex item(std::uint32_t position) const { return order_[position]; }

  // Panels of kPanel positions, k-major; only where the items are not screened.
  const float* panel(std::int64_t position) const { return data_.data() + position * width_; }
  // One float32 vector, and the bfloat16 vectors from there on; only where the items are screened.
  const float* vector(std::uint32_t position) const {
    return data_.data() + static_cast<std::int64_t>(position) * width_;
  }
  const std::uint16_t* rounded(std::int64_t position) const {
    return rounded_.data() + position * rounded_width_;
  }
  std::int64_t rounded_width() const { return rounded_width_; }

  // Whether there are bytes: all vectors are finite and not too wide.
  bool has_bytes() const { return !scales_.empty(); }
  ByteRows bytes() const { return {bytes_.data(), scales_.data(), byte_width(width_)}; }
  const ScreenBounds& byte_bounds() const { return byte_bounds_; }  // of all chunks
  ExactRows exact() const;
  std::span<const std::uint32_t> places() const { return places_; }  // positions, by item

 private:
  void order_by_norm(MatrixView<const float> items);
  void cut_into_chunks();
  void fill_panels(MatrixView<const float> items);
  void fill_vectors(MatrixView<const float> items);
  void fill_bytes(MatrixView<const float> items);
  void find_places();

  const Kernels* kernels_;
  std::int64_t items_, width_, rounded_width_, padded_;
  std::vector<ItemIndex> order_;
  std::vector<double> norms_;  // by position
  std::vector<Chunk> chunks_;
  std::vector<float> data_;
  std::vector<std::uint16_t> rounded_;
  std::vector<std::uint8_t> bytes_;
  std::vector<float> scales_;  // by position, and so are the bytes
  ScreenBounds byte_bounds_;
  std::vector<std::uint32_t> places_;  // by item
};

// The best n for each row of `queries` (width = items.width(), VT_CHECK). `masks`: one for all or
// one per query. Runs on the caller's thread; thread-safe. A batch of thousands costs a fraction
// per query of what a single one does; a narrow mask costs what its items do.
void scan_top(MatrixView<const float> queries, const PackedItems& items,
              std::span<const ItemMask> masks, int n, CandidateBlock& out);

// The scores of some items, to the bit as scan_top() lists them: item i is row i of `vectors`.
void scan_scores(std::span<const float> query, MatrixView<const float> vectors,
                 std::span<const ItemIndex> items, std::span<float> scores);

}  // namespace vitrine

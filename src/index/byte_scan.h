// Few queries, or narrow masks, screened in bytes. Internal to index/.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "index/scan.h"

namespace vitrine {

// As many queries, and fewer, are screened in bytes where masks are wide.
inline constexpr std::size_t kByteQueries = 8;
// A mask is narrow when it holds one in so many items, or fewer: then reading them at scattered
// places is less work than reading all, for one of a few queries and for one of many.
inline constexpr std::size_t kNarrowAlone = 5, kNarrowInBatch = 25;

// The allowed items of a mask where they are at most a given number. Counts no further than that.
class NarrowMask {
 public:
  // Positions in `items` of what `allowed` holds, or nothing where it holds more than `most`. The
  // last answer is kept: queries often share a mask.
  std::optional<std::span<const std::uint32_t>> positions(const Bitmap* allowed, std::size_t most,
                                                          std::span<const std::uint32_t> places);

 private:
  const Bitmap* last_ = nullptr;
  bool narrow_ = false;
  std::vector<std::uint32_t> positions_;
};

// One call's working memory. `items` has bytes; `queries` come together.
class ByteScan {
 public:
  ByteScan(const PackedItems& items, std::size_t n, std::size_t queries)
      : items_(items),
        n_(n),
        most_(static_cast<std::size_t>(items.items()) /
              (queries <= kByteQueries ? kNarrowAlone : kNarrowInBatch)) {}

  // Answers query `row` and returns true where its mask is narrow.
  bool narrow(std::span<const float> query, const ItemMask& mask, CandidateBlock& out,
              std::size_t row);

  // Some rows of the queries, all of them together through chunk after chunk.
  void run(MatrixView<const float> queries, std::span<const std::uint32_t> rows,
           std::span<const ItemMask> masks, CandidateBlock& out);

 private:
  struct Open {
    Selection selection;
    ByteQuery query;
  };

  const PackedItems& items_;
  const std::size_t n_, most_;
  NarrowMask mask_;
  Open narrow_;
};

}  // namespace vitrine

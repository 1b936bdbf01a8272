// Few queries, or narrow masks, screened in bytes. Internal to index/.
#pragma once

#include <span>
#include <vector>

#include "index/scan.h"

namespace vitrine {

// As many queries, and fewer, are screened in bytes where masks are wide.
inline constexpr std::size_t kByteQueries = 8;
// A mask is narrow when it holds one in so many items, or fewer: then reading them at scattered
// places is less work than reading all, for one of a few queries and for one of many.
inline constexpr std::size_t kNarrowAlone = 5, kNarrowInBatch = 25;

// Items in bytes with what their scores are computed again from. Owns nothing.
struct ByteItems {
  const Kernels* kernels;
  ByteRows rows;
  ExactRows exact;
  ScreenBounds bounds;                    // of all
  std::span<const std::uint32_t> places;  // positions by item, kNoPosition where there is none
};

// What a mask allows. The last answers are kept: queries often share a mask.
class MaskReader {
 public:
  std::size_t count(const Bitmap& allowed);
  // Positions of the allowed items that have one.
  std::span<const std::uint32_t> positions(const Bitmap& allowed,
                                           std::span<const std::uint32_t> places);

 private:
  const Bitmap* last_ = nullptr;
  std::size_t count_ = 0;
  bool listed_ = false;
  std::vector<std::uint32_t> positions_;
};

// One call's working memory. Lists of n; a mask is narrow when it holds at most `narrow` items.
class ByteScan {
 public:
  ByteScan(const ByteItems& items, std::size_t n, std::size_t narrow)
      : items_(items), n_(n), most_(narrow) {}

  // Answers query `row` and returns true where its mask is narrow.
  bool narrow(std::span<const float> query, const ItemMask& mask, CandidateBlock& out,
              std::size_t row);

  // How many items a mask allows.
  std::size_t allowed(const Bitmap& mask) { return mask_.count(mask); }

  // Some rows of the queries, all of them together through chunk after chunk.
  void run(MatrixView<const float> queries, std::span<const std::uint32_t> rows,
           std::span<const ItemMask> masks, std::span<const PackedItems::Chunk> chunks,
           CandidateBlock& out);

 private:
  struct Open {
    Selection selection;
    ByteQuery query;
  };

  const ByteItems items_;
  const std::size_t n_, most_;
  MaskReader mask_;
  Open narrow_;
};

}  // namespace vitrine

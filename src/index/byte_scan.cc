#include "index/byte_scan.h"

#include <algorithm>
#include <bit>

namespace vitrine {

std::size_t MaskReader::count(const Bitmap& allowed) {
  if (&allowed == last_) return count_;
  last_ = &allowed;
  listed_ = false;
  count_ = 0;
  for (const std::uint64_t word : allowed.words())
    count_ += static_cast<std::size_t>(std::popcount(word));
  return count_;
}

std::span<const std::uint32_t> MaskReader::positions(const Bitmap& allowed,
                                                     std::span<const std::uint32_t> places) {
  count(allowed);
  if (listed_) return positions_;
  listed_ = true;
  positions_.clear();
  const std::span<const std::uint64_t> words = allowed.words();
  for (std::size_t w = 0; w < words.size(); ++w) {
    for (std::uint64_t left = words[w]; left != 0; left &= left - 1) {
      const std::size_t item = w * 64 + static_cast<std::size_t>(std::countr_zero(left));
      if (item >= places.size()) return positions_;
      if (places[item] != kNoPosition) positions_.push_back(places[item]);
    }
  }
  return positions_;
}

bool ByteScan::narrow(std::span<const float> query, const ItemMask& mask, CandidateBlock& out,
                      std::size_t row) {
  if (mask.allowed == nullptr || mask_.count(*mask.allowed) > most_) return false;
  const std::span<const std::uint32_t> positions = mask_.positions(*mask.allowed, items_.places);
  Selection& selection = narrow_.selection;
  const bool screened = narrow_.query.set(query);
  selection.begin(items_.exact, mask, query.data(), n_, screened);
  if (screened) {
    selection.set_slack(narrow_.query.slack(items_.bounds));
    ScanBuffer buffer = selection.buffer();
    items_.kernels->screen_bytes(narrow_.query.bytes.data(), narrow_.query.scale, items_.rows,
                                 positions.data(), 0, static_cast<std::int64_t>(positions.size()),
                                 buffer);
    selection.drain(buffer);
  } else {
    selection.exhaust(positions);
  }
  out.set_count(row, selection.take(out.room(row)));
  return true;
}

void ByteScan::run(MatrixView<const float> queries, std::span<const std::uint32_t> rows,
                   std::span<const ItemMask> masks, std::span<const PackedItems::Chunk> chunks,
                   CandidateBlock& out) {
  std::vector<Open> open(rows.size());
  for (std::size_t q = 0; q < rows.size(); ++q) {
    const std::span<const float> query = queries.row(rows[q]);
    const bool screened = open[q].query.set(query);
    open[q].selection.begin(items_.exact, mask_of(masks, rows[q]), query.data(), n_, screened);
    if (screened) continue;
    open[q].selection.exhaust();
    open[q].selection.close();
  }
  // A float32 chain errs, too.
  const double margin = 1 + 1e-4 + static_cast<double>(items_.exact.width) * 0x1p-23;
  for (const PackedItems::Chunk& chunk : chunks) {
    const std::int64_t count = std::min(chunk.count, items_.exact.count - chunk.first);
    for (Open& o : open) {
      Selection& selection = o.selection;
      if (!selection.close_below(o.query.norm * chunk.norm * margin)) continue;
      selection.set_slack(o.query.slack(chunk.bytes));
      ScanBuffer buffer = selection.buffer();
      items_.kernels->screen_bytes(o.query.bytes.data(), o.query.scale, items_.rows, nullptr,
                                   static_cast<std::uint32_t>(chunk.first), count, buffer);
      selection.leave(buffer);
    }
  }
  for (std::size_t q = 0; q < rows.size(); ++q)
    out.set_count(rows[q], open[q].selection.take(out.room(rows[q])));
}

}  // namespace vitrine

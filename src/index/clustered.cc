#include "index/clustered.h"

#include <algorithm>
#include <cmath>

namespace vitrine {
namespace {

// A mask is narrow when it holds one in so many items, or fewer.
constexpr std::size_t kNarrow = 50;

}  // namespace

// One call: what its queries share.
class ClusteredItems::Search {
 public:
  Search(const ClusteredItems& index, MatrixView<const float> vectors, std::size_t n)
      : index_(index),
        items_(index.byte_items(vectors)),
        n_(n),
        narrow_(items_, n, static_cast<std::size_t>(index.items()) / kNarrow) {}

  void run(MatrixView<const float> queries, std::uint32_t row, const ItemMask& mask,
           CandidateBlock& out) {
    const std::span<const float> query = queries.row(row);
    if (narrow_.narrow(query, mask, out, row)) return;
    const bool screened = query_.set(query);
    selection_.begin(items_.exact, mask, query.data(), n_, screened);
    if (screened) {
      visit({query.data(), 1, queries.cols, queries.stride}, mask);
    } else {
      selection_.exhaust();
    }
    out.set_count(row, selection_.take(out.room(row)));
  }

 private:
  // Lists in the order of their means' products, until enough were visited and n were found.
  void visit(MatrixView<const float> query, const ItemMask& mask) {
    const std::size_t lists = index_.chunks_.size();
    const auto wanted = static_cast<double>(n_ + mask.excluded.size());
    double thin = 1;  // one item in so many is allowed: of all, and of those in visited lists
    if (mask.allowed != nullptr) {
      thin = static_cast<double>(index_.items()) /
             static_cast<double>(std::max<std::size_t>(narrow_.allowed(*mask.allowed), 1));
    }
    std::size_t enough = index_.probes(wanted * thin), visited = 0, allowed = 0, seen = 0;
    std::size_t ranked = std::min(lists, mask.allowed == nullptr ? enough : 2 * enough);
    rank(query, ranked);
    for (std::size_t r = 0; r < lists && (visited < enough || !selection_.full()); ++r) {
      if (r == ranked) rank(query, ranked = lists);
      if (r == ranked_.row(0).size()) break;
      const std::size_t l = raw(ranked_.row(0)[r].item);
      if (mask.allowed == nullptr) {
        scan(l, nullptr, index_.list(l).size());
      } else {
        collect(l, *mask.allowed);
        if (positions_.empty()) continue;
        allowed += positions_.size();
        seen += index_.list(l).size();
        const double here = static_cast<double>(seen) / static_cast<double>(allowed);
        enough = index_.probes(wanted * std::max(thin, here));
        scan(l, positions_.data(), positions_.size());
      }
      ++visited;
    }
  }

  void rank(MatrixView<const float> query, std::size_t count) {
    const ItemMask everything;
    scan_top(query, *index_.lists_, std::span(&everything, 1), static_cast<int>(count), ranked_);
  }

  void collect(std::size_t l, const Bitmap& allowed) {
    const std::span<const ItemIndex> items = index_.list(l);
    positions_.resize(items.size());
    std::uint32_t position = index_.offsets_[l];
    std::size_t count = 0;
    for (const ItemIndex item : items) {  // no branch to mispredict
      positions_[count] = position++;
      count += static_cast<std::size_t>(allowed.test(raw(item)));
    }
    positions_.resize(count);
  }

  void scan(std::size_t l, const std::uint32_t* positions, std::size_t count) {
    selection_.set_slack(query_.slack(index_.chunks_[l].bytes));
    ScanBuffer buffer = selection_.buffer();
    items_.kernels->screen_bytes(query_.bytes.data(), query_.scale, items_.rows, positions,
                                 index_.offsets_[l], static_cast<std::int64_t>(count), buffer);
    selection_.leave(buffer);
  }

  const ClusteredItems& index_;
  const ByteItems items_;
  const std::size_t n_;
  ByteScan narrow_;
  ByteQuery query_;
  Selection selection_;
  CandidateBlock ranked_;
  std::vector<std::uint32_t> positions_;
};

void ClusteredItems::search(MatrixView<const float> queries, MatrixView<const float> vectors,
                            std::span<const ItemMask> masks, int n, CandidateBlock& out) const {
  VT_CHECK(queries.cols == width_ && vectors.cols == width_);
  VT_CHECK(vectors.rows >= static_cast<std::int64_t>(places_.size()));
  out.reset(static_cast<std::size_t>(queries.rows), static_cast<std::size_t>(std::max(n, 0)));
  const std::int64_t wanted = std::min<std::int64_t>(n, items());
  if (wanted <= 0) return;
  Search search(*this, vectors, static_cast<std::size_t>(wanted));
  for (std::uint32_t q = 0; q < queries.rows; ++q) search.run(queries, q, mask_of(masks, q), out);
}

ByteItems ClusteredItems::byte_items(MatrixView<const float> vectors) const {
  return {&kernels(),
          {bytes_.data(), scales_.data(), byte_width(width_)},
          {vectors.data, width_, vectors.stride, items(), items_.data(), ExactRows::kByName},
          widest_,
          places_};
}

// Between levels, a straight line of the logarithms; beyond them, as the last ones.
std::size_t ClusteredItems::probes(double k) const {
  const auto least = [](double x) { return std::log(std::max(x, 1.0)); };
  std::size_t upper = 1;
  while (upper + 1 < levels_.size() && k > levels_[upper].k) ++upper;
  const Level &a = levels_[upper - 1], &b = levels_[upper];
  const double slope = (least(b.probes) - least(a.probes)) / (least(b.k) - least(a.k));
  const double lists = std::exp(
      least(a.probes) + std::max(slope, 0.0) * (least(std::max<double>(k, a.k)) - least(a.k)));
  return static_cast<std::size_t>(
      std::min(std::ceil(lists - 1e-9), static_cast<double>(most_probes())));
}

void ClusteredItems::finish() {
  const std::size_t lists = offsets_.size() - 1;
  lists_ = std::make_unique<const PackedItems>(
      MatrixView<const float>{means_.data(), static_cast<std::int64_t>(lists), width_, width_});
  std::uint32_t size = 0;
  for (const ItemIndex item : items_) size = std::max(size, raw(item) + 1);
  places_.assign(size, kNoPosition);
  for (std::size_t p = 0; p < items_.size(); ++p)
    places_[raw(items_[p])] = static_cast<std::uint32_t>(p);
  chunks_.clear();
  widest_ = {};
  for (std::size_t l = 0; l < lists; ++l) {
    const ScreenBounds bounds{bounds_[3 * l], bounds_[3 * l + 1], bounds_[3 * l + 2]};
    widen(widest_, bounds);
    const std::size_t count = list(l).size();
    chunks_.push_back({offsets_[l], static_cast<std::int64_t>(count), 0, 0, 0, bounds});
  }
  for (PackedItems::Chunk& chunk : chunks_) chunk.norm = widest_.norm;
}

namespace {

// The means are there as they were saved and packed: float32, bytes, and perhaps bfloat16.
std::uint64_t list_bytes(std::int64_t width) {
  return sizeof(PackedItems::Chunk) + 3 * sizeof(double) +
         static_cast<std::uint64_t>(width) * (4 + 4 + 2 + 1);
}

}  // namespace

std::size_t ClusteredItems::bytes() const {
  return bytes_.size() + items_.size() * (sizeof(ItemIndex) + sizeof(float)) +
         places_.size() * sizeof(std::uint32_t) +
         static_cast<std::size_t>(lists()) * list_bytes(width_);
}

std::uint64_t ClusteredItems::memory_bytes_for(std::uint64_t items, std::int64_t width) {
  const std::uint64_t each = static_cast<std::uint64_t>(byte_width(width)) + sizeof(ItemIndex) +
                             sizeof(float) + sizeof(std::uint32_t);
  const double lists = 4 * std::sqrt(static_cast<double>(items));
  return items * each + static_cast<std::uint64_t>(lists) * list_bytes(width);
}

}  // namespace vitrine

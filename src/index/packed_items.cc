#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/result.h"
#include "index/bfloat16.h"
#include "index/scan.h"

namespace vitrine {
namespace {

constexpr std::int64_t kChunkBytes = 256 << 10;
// Far enough from the largest float that no sum of products of screened vectors overflows.
constexpr double kScreenNormMax = 1e18;

double norm_of(std::span<const float> row) {
  double sum = 0;
  for (const float v : row) sum += double{v} * double{v};
  return std::sqrt(sum);
}

}  // namespace

PackedItems::PackedItems(MatrixView<const float> items, const Kernels& kernels)
    : kernels_(&kernels),
      items_(items.rows),
      width_(items.cols),
      rounded_width_((items.cols + 31) / 32 * 32),
      padded_((items.rows + kPanel - 1) / kPanel * kPanel) {
  order_by_norm(items);
  cut_into_chunks();
  const bool finite = norms_.empty() || norms_.front() < kScreenNormMax;  // NaN counts as infinite
  if (kernels.screen != nullptr && finite && width_ > 0 && items_ > 0) {
    fill_vectors(items);
  } else {
    fill_panels(items);
  }
  if (finite && width_ > 0 && width_ <= kByteWidthMax) fill_bytes(items);
  find_places();
}

PackedItems::PackedItems(MatrixView<const float> items, std::span<const ItemIndex> names,
                         const Kernels& kernels)
    : PackedItems(items, kernels) {
  VT_CHECK(static_cast<std::int64_t>(names.size()) == items.rows);
  for (ItemIndex& item : order_) item = names[raw(item)];
  find_places();
}

std::uint64_t PackedItems::memory_bytes_for(std::uint64_t items, std::int64_t width,
                                            const Kernels& kernels) {
  const auto numbers = static_cast<std::uint64_t>(width);
  std::uint64_t each = sizeof(ItemIndex) + sizeof(double) + sizeof(std::uint32_t);
  each += numbers * sizeof(float);
  if (kernels.screen != nullptr) each += (numbers + 31) / 32 * 32 * sizeof(std::uint16_t);
  if (width <= kByteWidthMax) each += static_cast<std::uint64_t>(byte_width(width)) + sizeof(float);
  return items * each;
}

ExactRows PackedItems::exact() const {
  return {data_.data(), width_,        width_,
          items_,       order_.data(), screens() ? ExactRows::kRows : ExactRows::kPanels};
}

void PackedItems::order_by_norm(MatrixView<const float> items) {
  std::vector<double> norms(static_cast<std::size_t>(items_));
  for (std::int64_t i = 0; i < items_; ++i) {
    const double norm = norm_of(items.row(i));
    norms[static_cast<std::size_t>(i)] = std::isnan(norm) ? HUGE_VAL : norm;
  }
  std::vector<std::uint32_t> order(norms.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return norms[a] > norms[b] || (norms[a] == norms[b] && a < b);
  });
  order_.reserve(order.size());
  norms_.reserve(order.size());
  for (const std::uint32_t i : order) {
    order_.push_back(ItemIndex{i});
    norms_.push_back(norms[i]);
  }
}

void PackedItems::cut_into_chunks() {
  const std::int64_t row_bytes = std::max<std::int64_t>(width_, 1) * std::int64_t{sizeof(float)};
  const std::int64_t size =
      std::clamp<std::int64_t>(kChunkBytes / row_bytes / kPanel * kPanel, kPanel, 1024);
  for (std::int64_t first = 0; first < padded_; first += size) {
    const double norm = norms_[static_cast<std::size_t>(first)];
    chunks_.push_back({first, std::min(size, padded_ - first), norm, 0, 0});
  }
}

void PackedItems::fill_panels(MatrixView<const float> items) {
  data_.assign(static_cast<std::size_t>(padded_ * width_ + kPanel),
               0.0f);  // a column of width 0 too
  for (std::int64_t p = 0; p < items_; ++p) {
    const float* row = items.data + raw(order_[static_cast<std::size_t>(p)]) * items.stride;
    float* column = data_.data() + p / kPanel * kPanel * width_ + p % kPanel;
    for (std::int64_t k = 0; k < width_; ++k) column[k * kPanel] = row[k];
  }
}

void PackedItems::fill_vectors(MatrixView<const float> items) {
  data_.assign(static_cast<std::size_t>(items_ * width_), 0.0f);
  rounded_.assign(static_cast<std::size_t>(padded_ * rounded_width_), 0);
  // Both the float32 chain and the tile's sums: each of their additions errs by 2^-24 of what is
  // there.
  const double rounding = 4.0 * static_cast<double>(rounded_width_ + 8) * 0x1p-24;
  for (Chunk& chunk : chunks_) {
    const std::int64_t end = std::min(items_, chunk.first + chunk.count);
    for (std::int64_t p = chunk.first; p < end; ++p) {
      const float* row = items.data + raw(order_[static_cast<std::size_t>(p)]) * items.stride;
      std::copy_n(row, width_, data_.data() + p * width_);
      const RoundedNorms norms = round_vector(row, width_, 2, rounded_.data() + p * rounded_width_);
      chunk.error = std::max(chunk.error, norms.error + rounding * norms.norm);
      chunk.rounded_norm = std::max(chunk.rounded_norm, norms.rounded);
    }
  }
}

void PackedItems::fill_bytes(MatrixView<const float> items) {
  const std::int64_t width = byte_width(width_);
  bytes_.resize(static_cast<std::size_t>(items_ * width));
  scales_.resize(static_cast<std::size_t>(items_));
  for (Chunk& chunk : chunks_) {
    const std::int64_t end = std::min(items_, chunk.first + chunk.count);
    for (std::int64_t p = chunk.first; p < end; ++p) {
      const auto at = static_cast<std::size_t>(p);
      widen(chunk.bytes,
            to_bytes(items.row(raw(order_[at])), bytes_.data() + p * width, scales_[at]));
    }
    widen(byte_bounds_, chunk.bytes);
  }
}

void PackedItems::find_places() {
  std::uint32_t size = 0;
  for (const ItemIndex item : order_) size = std::max(size, raw(item) + 1);
  places_.assign(size, kNoPosition);
  for (std::size_t p = 0; p < order_.size(); ++p)
    places_[raw(order_[p])] = static_cast<std::uint32_t>(p);
}

}  // namespace vitrine

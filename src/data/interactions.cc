#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "data/histories.h"

namespace vitrine {
namespace {

// The weights of events: what their type weighs, halved with every half-life.
class Decay {
 public:
  Decay(const Histories& histories, const InteractionOptions& options)
      : last_time_(histories.last_time()) {
    rates_.fill(rate_of(options.half_life_days));
    for (std::size_t t = 0; t < options.type_half_lives.size(); ++t)
      rates_[t] = rate_of(options.type_half_lives[t]);
  }

  float weigh(const HistoryEvent& event) const {
    const double rate = rates_[static_cast<std::size_t>(event.type)];
    if (rate == 0 || event.time == kNoTime) return event.weight;
    const double age = static_cast<double>(last_time_) - static_cast<double>(event.time);
    const double weight = event.weight * std::exp2(-age * rate);
    return std::max(static_cast<float>(weight), std::numeric_limits<float>::min());
  }

 private:
  static double rate_of(double days) { return days > 0 ? 1 / (days * kDay) : 0; }

  Timestamp last_time_;
  std::array<double, 256> rates_;  // by type, per millisecond
};

enum class Merge { kSum, kMax, kLast };

Merge merge_named(const std::string& name) {
  if (name == "max") return Merge::kMax;
  return name == "last" ? Merge::kLast : Merge::kSum;
}

void merge_into(float& cell, float weight, Merge merge) {
  if (merge == Merge::kSum)
    cell += weight;
  else if (merge == Merge::kMax)
    cell = std::max(cell, weight);
  else
    cell = weight;
}

struct Cells {
  std::vector<std::uint64_t> offsets;
  std::vector<std::uint32_t> columns;
  std::vector<float> weights;
};

// Item -> rows. Rows are visited in order, so an item's repeats in one row lie next to each other
// in its list, in time order, and merge in place.
Cells cells_by_item(const Histories& histories, const InteractionOptions& options) {
  const Merge merge = merge_named(options.merge);
  const Decay decay(histories, options);
  const std::size_t items = histories.items();
  std::vector<std::uint64_t> starts(items + 1);
  const std::vector<std::uint32_t> counts = item_counts(histories);
  for (std::size_t i = 0; i < items; ++i) starts[i + 1] = starts[i] + counts[i];
  Cells cells{starts, std::vector<std::uint32_t>(starts.back()), std::vector<float>(starts.back())};
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    const auto row = static_cast<std::uint32_t>(r);
    for (const HistoryEvent& event : histories.row(r)) {
      const std::size_t i = raw(event.item);
      const float weight = options.binary ? 1 : decay.weigh(event);
      const std::uint64_t end = starts[i];
      if (end > cells.offsets[i] && cells.columns[end - 1] == row) {
        if (!options.binary) merge_into(cells.weights[end - 1], weight, merge);
        continue;
      }
      cells.columns[end] = row;
      cells.weights[end] = weight;
      ++starts[i];
    }
  }
  return cells;
}

// The transpose of rows with ascending columns has ascending columns too.
Cells transposed(const Cells& cells, std::size_t columns) {
  Cells out{std::vector<std::uint64_t>(columns + 1),
            std::vector<std::uint32_t>(cells.columns.size()),
            std::vector<float>(cells.columns.size())};
  for (const std::uint32_t column : cells.columns) ++out.offsets[column + 1];
  std::partial_sum(out.offsets.begin(), out.offsets.end(), out.offsets.begin());
  std::vector<std::uint64_t> next(out.offsets.begin(), out.offsets.end() - 1);
  for (std::size_t r = 0; r + 1 < cells.offsets.size(); ++r) {
    for (std::uint64_t c = cells.offsets[r]; c < cells.offsets[r + 1]; ++c) {
      const std::uint64_t place = next[cells.columns[c]]++;
      out.columns[place] = static_cast<std::uint32_t>(r);
      out.weights[place] = cells.weights[c];
    }
  }
  return out;
}

SparseRows sparse_rows(Cells cells) {
  return {std::move(cells.offsets), std::move(cells.columns), std::move(cells.weights)};
}

}  // namespace

Interactions build_interactions(const Histories& histories, const InteractionOptions& options) {
  Cells by_item = cells_by_item(histories, options);
  Cells by_row = transposed(by_item, histories.rows());
  return {sparse_rows(std::move(by_row)), sparse_rows(std::move(by_item)), histories.items()};
}

}  // namespace vitrine

#include "model/item_rows.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

namespace vitrine {
namespace {

constexpr std::int64_t kBlocksMax = 256;  // each block owns a workspace of `items` floats

// The rows of one block of items, one behind the other.
struct BlockRows {
  std::vector<std::uint32_t> columns;
  std::vector<float> weights;
};

SparseRows join(std::span<const BlockRows> blocks, std::vector<std::uint64_t> sizes) {
  std::partial_sum(sizes.begin(), sizes.end(), sizes.begin());
  std::vector<std::uint32_t> columns;
  std::vector<float> weights;
  columns.reserve(sizes.back());
  weights.reserve(sizes.back());
  for (const BlockRows& block : blocks) {
    columns.insert(columns.end(), block.columns.begin(), block.columns.end());
    weights.insert(weights.end(), block.weights.begin(), block.weights.end());
  }
  return {std::move(sizes), std::move(columns), std::move(weights)};
}

Status check_rows(const SparseRows& rows, std::uint32_t items) {
  const auto corrupt = [](const char* what) {
    return Error{Code::kCorrupt, std::string("item rows: ") + what};
  };
  if (rows.offsets.size() != std::size_t{items} + 1)
    return corrupt("one offset per item and one more");
  if (rows.columns.size() != rows.weights.size()) return corrupt("as many weights as columns");
  if (rows.offsets[0] != 0 || rows.offsets[items] != rows.columns.size()) {
    return corrupt("offsets must span the columns");
  }
  for (std::uint32_t i = 0; i < items; ++i) {
    if (rows.offsets[i] > rows.offsets[i + 1]) return corrupt("offsets must rise");
    if (rows.offsets[i + 1] > rows.columns.size()) return corrupt("offsets must span the columns");
    const auto row = rows.row(i);
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (row[c] >= items) return corrupt("a column is beyond the items");
      if (c > 0 && row[c - 1] >= row[c]) return corrupt("columns must rise");
    }
  }
  const bool finite = std::all_of(rows.weights.begin(), rows.weights.end(),
                                  [](float w) { return std::isfinite(w); });
  if (!finite) return corrupt("weights must be finite");
  return {};
}

}  // namespace

void keep_best(std::vector<Candidate>& row, int k) {
  std::erase_if(row, [](const Candidate& c) { return !(c.score > 0) || !std::isfinite(c.score); });
  if (row.size() > static_cast<std::size_t>(k)) {
    std::nth_element(row.begin(), row.begin() + k, row.end(), better);
    row.resize(static_cast<std::size_t>(k));
  }
  std::sort(row.begin(), row.end(),
            [](const Candidate& a, const Candidate& b) { return a.item < b.item; });
}

void RowWorkspace::clear() {
  for (const std::uint32_t j : touched_) sums_[j] = 0;
  touched_.clear();
  row.clear();
}

std::vector<WeightedRow> rows_of_history(std::span<const HistoryEvent> history,
                                         std::uint32_t items) {
  std::vector<WeightedRow> rows;
  rows.reserve(history.size());
  for (const HistoryEvent& event : history) {
    if (raw(event.item) < items && event.weight > 0)
      rows.push_back({raw(event.item), event.weight});
  }
  std::sort(rows.begin(), rows.end(), [](const WeightedRow& a, const WeightedRow& b) {
    return a.row != b.row ? a.row < b.row : a.weight > b.weight;
  });
  const auto same = [](const WeightedRow& a, const WeightedRow& b) { return a.row == b.row; };
  rows.erase(std::unique(rows.begin(), rows.end(), same), rows.end());
  return rows;
}

void add_cooccurrences(const Interactions& cells, std::span<const float> row_weights,
                       std::uint32_t item, RowWorkspace& workspace) {
  const auto rows = cells.by_item.row(item);
  const auto weights = cells.by_item.row_weights(item);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const float scale = row_weights[rows[r]] * weights[r];
    const auto others = cells.by_row.row(rows[r]);
    const auto other_weights = cells.by_row.row_weights(rows[r]);
    for (std::size_t c = 0; c < others.size(); ++c) {
      if (others[c] != item) workspace.add(others[c], scale * other_weights[c]);
    }
  }
}

double entries_at_most(const Interactions& cells, int k) {
  const double most = std::min(static_cast<double>(cells.items) - 1, static_cast<double>(k));
  double entries = 0;
  for (std::uint32_t i = 0; i < cells.items; ++i) {
    double met = 0;
    for (const std::uint32_t r : cells.by_item.row(i)) {
      met += static_cast<double>(cells.by_row.row(r).size()) - 1;
    }
    entries += std::min(most, met);
  }
  return entries;
}

Status check_row_memory(std::string_view model, const Interactions& cells, CostlySetting kept,
                        double entries_beside, int limit_mb) {
  constexpr double kBytes = 24;  // an entry in its block, which may be half full, and in the whole
  const auto bytes = [&](int k) { return kBytes * (entries_at_most(cells, k) + entries_beside); };
  const double needed = bytes(kept.value), limit = double{1 << 20} * limit_mb;
  if (needed <= limit) return {};
  int fitting = kept.value / 2;
  while (fitting > 0 && bytes(fitting) > limit) fitting /= 2;
  return too_large(model, kept, needed, fitting, limit_mb);
}

Result<SparseRows> build_item_rows(const Run& run, std::string_view stage_name, std::uint32_t items,
                                   int k,
                                   const std::function<void(std::uint32_t, RowWorkspace&)>& fill) {
  Stage stage(run.monitor, stage_name, items, "items");
  const std::int64_t grain = std::max<std::int64_t>(16, (items + kBlocksMax - 1) / kBlocksMax);
  std::vector<BlockRows> blocks(static_cast<std::size_t>((items + grain - 1) / grain));
  std::vector<std::uint64_t> sizes(std::size_t{items} + 1);
  std::atomic<std::uint64_t> done{0};
  std::atomic<bool> cancelled{stage.advance(0) == Verdict::kCancel};
  parallel_for(run.pool, items, grain, [&](std::int64_t begin, std::int64_t end) {
    if (cancelled) return;
    BlockRows& block = blocks[static_cast<std::size_t>(begin / grain)];
    RowWorkspace workspace(items);
    for (auto i = static_cast<std::uint32_t>(begin); i < static_cast<std::uint32_t>(end); ++i) {
      workspace.clear();
      fill(i, workspace);
      keep_best(workspace.row, k);
      for (const Candidate& c : workspace.row) {
        block.columns.push_back(raw(c.item));
        block.weights.push_back(c.score);
      }
      sizes[i + 1] = workspace.row.size();
    }
    const auto count = static_cast<std::uint64_t>(end - begin);
    if (stage.advance(done += count) == Verdict::kCancel) cancelled = true;
  });
  if (cancelled) return Error{Code::kCancelled, "cancelled"};
  return join(blocks, std::move(sizes));
}

SparseRows transposed(const SparseRows& rows, std::uint32_t columns) {
  std::vector<std::uint64_t> offsets(std::size_t{columns} + 1);
  for (const std::uint32_t column : rows.columns) ++offsets[column + 1];
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  std::vector<std::uint64_t> next(offsets.begin(), offsets.end() - 1);
  std::vector<std::uint32_t> places(rows.columns.size());
  std::vector<float> weights(rows.columns.size());
  for (std::size_t r = 0; r < rows.rows(); ++r) {
    for (std::uint64_t c = rows.offsets[r]; c < rows.offsets[r + 1]; ++c) {
      const std::uint64_t to = next[rows.columns[c]]++;
      places[to] = static_cast<std::uint32_t>(r);
      weights[to] = rows.weights[c];
    }
  }
  return {std::move(offsets), std::move(places), std::move(weights)};
}

void save_rows(ArchiveWriter& writer, const SparseRows& rows) {
  writer.tensor("rows/offsets", rows.offsets);
  writer.tensor("rows/columns", rows.columns);
  writer.tensor("rows/weights", rows.weights);
}

Result<SparseRows> load_rows(ArchiveReader& reader, std::uint32_t items) {
  SparseRows rows;
  VT_TRY(rows.offsets, reader.tensor<std::uint64_t>("rows/offsets"));
  VT_TRY(rows.columns, reader.tensor<std::uint32_t>("rows/columns"));
  VT_TRY(rows.weights, reader.tensor<float>("rows/weights"));
  VT_TRY(check_rows(rows, items));
  return rows;
}

}  // namespace vitrine

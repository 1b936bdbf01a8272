#include "model/item_regressions.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "base/blas.h"
#include "data/readable.h"
#include "model/item_rows.h"

namespace vitrine {
namespace {

constexpr std::int64_t kBlocksMax = 256;  // each owns a workspace that grows with items and persons
constexpr double kRankExponent = 0.4;     // of G_ii where candidates are ranked: in between the
                                          // counts (0), which want more candidates, and 0.5

struct Shared {
  const Interactions& interactions;
  const RegressionOptions& options;
  std::vector<float> person_weights;
  std::vector<double> frequencies;  // G_ii
  std::vector<float> ridge;         // lambda_i
  std::vector<float> rank_scale;    // G_ii^-kRankExponent
};

std::vector<double> frequencies_of(const Interactions& interactions,
                                   std::span<const float> person_weights) {
  std::vector<double> frequencies(interactions.items);
  for (std::uint32_t i = 0; i < interactions.items; ++i) {
    const auto persons = interactions.by_item.row(i);
    const auto weights = interactions.by_item.row_weights(i);
    for (std::size_t p = 0; p < persons.size(); ++p) {
      frequencies[i] += double{person_weights[persons[p]]} * weights[p] * weights[p];
    }
  }
  return frequencies;
}

// The block of G over the candidates of one item.
class GramBlock {
 public:
  explicit GramBlock(std::size_t persons) : begin_(persons), size_(persons) {}

  // The lower triangle, each row with its item's ridge on the diagonal; valid until the next call.
  MatrixView<float> fill(const Shared& shared, std::span<const std::uint32_t> items) {
    count(shared.interactions, items);
    const auto n = static_cast<std::int64_t>(items.size());
    const std::int64_t stride = (n + 15) / 16 * 16;
    if (values_.size() < static_cast<std::size_t>(n * stride)) {
      values_.resize(static_cast<std::size_t>(n * stride));
    }
    const MatrixView<float> gram{values_.data(), n, n, stride};
    for (std::int64_t p = 0; p < n; ++p) {
      const std::uint32_t item = items[static_cast<std::size_t>(p)];
      add_row(shared, item, static_cast<std::uint32_t>(p), gram.row(p));
      gram.row(p)[static_cast<std::size_t>(p)] =
          static_cast<float>(shared.frequencies[item]) + shared.ridge[item];
    }
    for (const std::uint32_t person : persons_) size_[person] = 0;
    return gram;
  }

 private:
  struct Cell {
    std::uint32_t place;
    float weight;
  };

  // Who has which number of the items: where their cells begin.
  void count(const Interactions& interactions, std::span<const std::uint32_t> items) {
    persons_.clear();
    for (const std::uint32_t item : items) {
      for (const std::uint32_t person : interactions.by_item.row(item)) {
        if (size_[person]++ == 0) persons_.push_back(person);
      }
    }
    std::size_t cells = 0;
    for (const std::uint32_t person : persons_) {
      begin_[person] = cells;
      cells += size_[person];
      size_[person] = 0;
    }
    if (cells_.size() < cells) cells_.resize(cells);
  }

  // Left of the diagonal: the products with the candidates before, which the persons' cells hold.
  void add_row(const Shared& shared, std::uint32_t item, std::uint32_t place,
               std::span<float> row) {
    std::fill_n(row.begin(), place, 0.0f);
    const auto persons = shared.interactions.by_item.row(item);
    const auto weights = shared.interactions.by_item.row_weights(item);
    for (std::size_t p = 0; p < persons.size(); ++p) {
      const float weight = shared.person_weights[persons[p]] * weights[p];
      Cell* cells = cells_.data() + begin_[persons[p]];
      const std::uint32_t size = size_[persons[p]]++;
      for (std::uint32_t c = 0; c < size; ++c) row[cells[c].place] += weight * cells[c].weight;
      cells[size] = {place, weights[p]};
    }
  }

  std::vector<std::uint64_t> begin_;  // by person
  std::vector<std::uint32_t> size_;   // by person; 0 between calls
  std::vector<std::uint32_t> persons_;
  std::vector<Cell> cells_;
  std::vector<float> values_;
};

// What one thread works with, and the weights of the regressions of one block of items.
struct Workspace {
  explicit Workspace(const Interactions& interactions)
      : row(interactions.items), gram(interactions.by_row.rows()) {}
  RowWorkspace row;
  GramBlock gram;
  std::vector<std::uint32_t> candidates;
  std::vector<float> target, weights;
};

struct BlockWeights {
  std::vector<std::uint32_t> sizes;  // by item of the block
  std::vector<std::uint32_t> from;
  std::vector<float> weights;
};

// The candidates of an item, ascending, and their products with it.
void choose_candidates(const Shared& shared, std::uint32_t item, Workspace& w) {
  w.row.clear();
  add_cooccurrences(shared.interactions, shared.person_weights, item, w.row);
  const Bitmap* sources = shared.options.sources;
  for (const std::uint32_t i : w.row.touched()) {
    if (sources != nullptr && !sources->test(i)) continue;
    w.row.row.push_back({ItemIndex{i}, w.row.sum(i) * shared.rank_scale[i]});
  }
  keep_best(w.row.row, shared.options.candidates);
  w.candidates.clear();
  w.target.clear();
  for (const Candidate& c : w.row.row) {
    w.candidates.push_back(raw(c.item));
    w.target.push_back(w.row.sum(raw(c.item)));
  }
  w.weights.assign(w.candidates.size(), 0.0f);
}

Status solve_one(const Shared& shared, std::uint32_t item,
                 const std::function<Status(const Regression&)>& solve, Workspace& w,
                 BlockWeights& out) {
  const Bitmap* targets = shared.options.targets;
  if (targets != nullptr && !targets->test(item)) {
    out.sizes.push_back(0);
    return {};
  }
  choose_candidates(shared, item, w);
  const std::size_t before = out.from.size();
  if (!w.candidates.empty()) {
    const MatrixView<float> gram = w.gram.fill(shared, w.candidates);
    VT_TRY(solve({gram, w.target, shared.frequencies[item], w.weights}));
  }
  for (std::size_t c = 0; c < w.candidates.size(); ++c) {
    if (w.weights[c] == 0) continue;
    if (!std::isfinite(w.weights[c])) {
      return Error{Code::kInvalid, "not finite: use a larger regularisation"};
    }
    out.from.push_back(w.candidates[c]);
    out.weights.push_back(w.weights[c]);
  }
  out.sizes.push_back(static_cast<std::uint32_t>(out.from.size() - before));
  return {};
}

// From the weights into each item, item by item, to those out of each.
SparseRows rows_of(std::vector<BlockWeights> blocks, std::uint32_t items) {
  std::vector<std::uint64_t> offsets(std::size_t{items} + 1);
  for (const BlockWeights& block : blocks) {
    for (const std::uint32_t i : block.from) ++offsets[i + 1];
  }
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  std::vector<std::uint64_t> next(offsets.begin(), offsets.end() - 1);
  std::vector<std::uint32_t> columns(offsets.back());
  std::vector<float> weights(offsets.back());
  std::uint32_t item = 0;
  for (BlockWeights& block : blocks) {
    std::size_t at = 0;
    for (const std::uint32_t size : block.sizes) {
      for (const std::size_t end = at + size; at < end; ++at) {
        const std::uint64_t place = next[block.from[at]]++;
        columns[place] = item;
        weights[place] = block.weights[at];
      }
      ++item;
    }
    block = {};
  }
  return {std::move(offsets), std::move(columns), std::move(weights)};
}

std::uint64_t bytes_needed(const Interactions& interactions, int candidates, int threads,
                           const Bitmap* targets) {
  const auto most = static_cast<std::uint64_t>(candidates);
  std::uint64_t weights = 0;
  for (std::uint32_t i = 0; i < interactions.items; ++i) {
    if (targets != nullptr && !targets->test(i)) continue;
    std::uint64_t pairs = 0;
    for (const std::uint32_t person : interactions.by_item.row(i)) {
      pairs += interactions.by_row.row(person).size() - 1;
    }
    weights += std::min(most, pairs);
  }
  const std::uint64_t side = std::min<std::uint64_t>(most, interactions.items);
  const std::uint64_t workspace = side * (side + 16) * 4 + interactions.by_row.rows() * 12 +
                                  std::uint64_t{interactions.items} * 12 +
                                  interactions.by_row.columns.size() * 8;
  return weights * 16 + static_cast<std::uint64_t>(threads) * workspace;
}

Shared shared_of(const Interactions& interactions, const RegressionOptions& options) {
  std::vector<float> persons = person_weights(interactions, options.person_exponent);
  std::vector<double> frequencies = frequencies_of(interactions, persons);
  std::vector<float> ridge = ridge_of(frequencies, options.lambda, options.frequency_exponent);
  std::vector<float> scale(frequencies.size());
  for (std::size_t i = 0; i < scale.size(); ++i) {
    if (frequencies[i] > 0) {
      scale[i] = static_cast<float>(std::pow(frequencies[i], -kRankExponent));
    }
  }
  return {interactions,           options,          std::move(persons),
          std::move(frequencies), std::move(ridge), std::move(scale)};
}

}  // namespace

Result<SparseRows> solve_item_regressions(const Run& run, std::string_view name,
                                          const Interactions& interactions,
                                          const RegressionOptions& options,
                                          const std::function<Status(const Regression&)>& solve) {
  const std::uint32_t items = interactions.items;
  Stage stage(run.monitor, name, items, "items");
  VT_TRY(stage.proceed(0));
  const Shared shared = shared_of(interactions, options);
  const std::int64_t grain = std::max<std::int64_t>(16, (items + kBlocksMax - 1) / kBlocksMax);
  std::vector<BlockWeights> blocks(static_cast<std::size_t>((items + grain - 1) / grain));
  std::vector<Status> outcomes(blocks.size());
  std::atomic<std::uint64_t> done{0};
  std::atomic<bool> stopped{false}, cancelled{false};
  parallel_for(run.pool, items, grain, [&](std::int64_t begin, std::int64_t end) {
    const auto b = static_cast<std::size_t>(begin / grain);
    Workspace workspace(interactions);
    for (std::int64_t i = begin; i < end && !stopped; ++i) {
      outcomes[b] = solve_one(shared, static_cast<std::uint32_t>(i), solve, workspace, blocks[b]);
      if (!outcomes[b].ok()) stopped = true;
    }
    const auto count = static_cast<std::uint64_t>(end - begin);
    if (stage.advance(done += count) == Verdict::kCancel) stopped = cancelled = true;
  });
  if (cancelled) return Error{Code::kCancelled, "cancelled"};
  for (const Status& outcome : outcomes) {
    if (!outcome.ok()) return outcome.error().prefixed(name);
  }
  return rows_of(std::move(blocks), items);
}

Status solve_by_cholesky(const Regression& regression) {
  std::copy(regression.target.begin(), regression.target.end(), regression.weights.begin());
  return solve_spd(regression.gram, {regression.weights.data(), regression.gram.rows, 1, 1});
}

std::vector<float> person_weights(const Interactions& interactions, double exponent) {
  std::vector<float> weights(interactions.by_row.rows());
  for (std::size_t r = 0; r < weights.size(); ++r) {
    const auto n = static_cast<double>(interactions.by_row.row(r).size());
    if (n > 0) weights[r] = static_cast<float>(std::pow(n, -exponent));
  }
  return weights;
}

std::vector<float> ridge_of(std::span<const double> frequencies, double lambda, double exponent) {
  double sum = 0, count = 0;
  for (const double f : frequencies) {
    sum += f;
    count += f > 0 ? 1 : 0;
  }
  std::vector<float> ridge(frequencies.size(), static_cast<float>(lambda));
  if (exponent == 0) return ridge;
  for (std::size_t i = 0; i < ridge.size(); ++i) {
    if (frequencies[i] > 0) {
      ridge[i] = static_cast<float>(lambda * std::pow(frequencies[i] * count / sum, exponent));
    }
  }
  return ridge;
}

Status check_regression_memory(std::string_view name, const Interactions& interactions,
                               int candidates, int threads, int limit_mb,
                               std::uint64_t more_weights, const Bitmap* targets) {
  const auto mb = [&](int count) {
    const std::uint64_t more = more_weights * static_cast<std::uint64_t>(count) * 16;
    return static_cast<double>(bytes_needed(interactions, count, threads, targets) + more) /
           (1 << 20);
  };
  if (mb(candidates) <= limit_mb) return {};
  int fitting = candidates;
  while (fitting > 0 && mb(fitting) > limit_mb) fitting /= 2;
  std::string remedy = "raise memory_limit_mb";
  if (fitting > 0) remedy += fmt::format(" or set candidates = {}", fitting);
  return Error{Code::kExhausted,
               fmt::format("{}: {} needed for {} items with {} candidates each, limit {}: {}", name,
                           readable_memory(mb(candidates)), readable_count(interactions.items),
                           candidates, readable_memory(limit_mb), remedy)};
}

}  // namespace vitrine

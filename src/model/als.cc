#include "model/als.h"

#include <algorithm>
#include <cmath>

#include "base/blas.h"
#include "model/epochs.h"
#include "model/linear_rows.h"
#include "model/memory.h"
#include "model/ridge.h"

namespace vitrine {
namespace {

constexpr int kSteps = 3;        // of conjugate gradients
constexpr double kSpread = 0.1;  // standard deviation of an initial score's root, as in the paper

std::size_t nonempty(const SparseRows& rows) {
  std::size_t count = 0;
  for (std::size_t r = 0; r < rows.rows(); ++r)
    count += static_cast<std::size_t>(!rows.row(r).empty());
  return count;
}

// n^-exponent for an item of n persons, scaled so that the mean over interactions is 1.
std::vector<float> item_weights(const SparseRows& by_item, double exponent) {
  double sum = 0;
  for (std::size_t i = 0; i < by_item.rows(); ++i) {
    const auto n = static_cast<double>(by_item.row(i).size());
    if (n > 0) sum += std::pow(n, 1 - exponent);
  }
  const double scale = static_cast<double>(by_item.columns.size()) / std::max(sum, 1.0);
  std::vector<float> weights(by_item.rows(), 1);
  for (std::size_t i = 0; i < weights.size() && exponent > 0; ++i) {
    const auto n = static_cast<double>(by_item.row(i).size());
    if (n > 0) weights[i] = static_cast<float>(scale * std::pow(n, -exponent));
  }
  return weights;
}

std::size_t longest(const SparseRows& rows) {
  std::size_t most = 0;
  for (std::size_t r = 0; r < rows.rows(); ++r) most = std::max(most, rows.row(r).size());
  return most;
}

double bytes_needed(const Run& run, const TrainingSet& set, std::size_t longest, int factors) {
  const double row = row_bytes(factors), rows = static_cast<double>(set.interactions.by_row.rows());
  // Of a thread: the rows of one person or item, with room to grow, and their system.
  const double workspace = (1.5 * static_cast<double>(longest) + factors) * row;
  return (rows + set.interactions.items) * (row + sizeof(float)) + run.pool.threads() * workspace +
         factors_bytes(set, 0, factors, false);
}

Status check_memory(const Run& run, const TrainingSet& set, const AlsOptions& options) {
  const std::size_t most =
      std::max(longest(set.interactions.by_row), longest(set.interactions.by_item));
  return check_factor_memory(AlsOptions::kName, options.factors, options.memory_limit_mb,
                             [&](int factors) { return bytes_needed(run, set, most, factors); });
}

// One of the two sides: its interactions and vectors.
struct Side {
  const SparseRows* cells;
  std::size_t active;          // rows with interactions
  std::vector<float> weights;  // by row, of each of its interactions
  Matrix vectors;              // by row; zero without interactions
};

class Fit {
 public:
  Fit(const Run& run, const AlsOptions& options, const TrainingSet& set, const Factors* previous)
      : run_(run), options_(options), set_(set) {
    const Interactions& x = set.interactions;
    const std::size_t persons = x.by_row.rows();
    persons_ = {&x.by_row, nonempty(x.by_row), std::vector<float>(persons, 1),
                Matrix(static_cast<std::int64_t>(persons), options.factors)};
    items_ = {&x.by_item, nonempty(x.by_item), item_weights(x.by_item, options.item_exponent),
              Matrix(x.items, options.factors)};
    start(previous);
  }

  Result<std::unique_ptr<const Model>> fit() {
    Epochs epochs(run_, set_.validator, AlsOptions::kName, options_.epochs, [this] {
      FactorState state{items_.vectors.view()};
      state.weights = items_.weights;
      state.binary = is_binary(set_.interactions);
      return finish_factors(run_, options_, set_, state);
    });
    const int parts = parts_of(persons_) + parts_of(items_);
    while (epochs.next()) {
      int done = 0;
      const auto part = [&]() -> Status {
        return ++done == parts ? Status() : epochs.part(done, parts);
      };
      VT_TRY(solve(items_, persons_, part));
      VT_TRY(solve(persons_, items_, part));
    }
    return epochs.model();
  }

 private:
  // Random vectors, or those of `previous` and random ones for what it does not know.
  void start(const Factors* previous) {
    const Random random = run_.random.fork("als/items");
    const double scale = kSpread * std::sqrt(12.0 / options_.factors);  // uniform of variance 1/12
    const std::int64_t known = previous == nullptr ? 0 : std::int64_t{previous->items()};
    const std::int64_t width =
        previous == nullptr ? 0 : std::min(previous->width(), items_.vectors.cols());
    parallel_for(run_.pool, items_.vectors.rows(), 1024, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        if (items_.cells->row(static_cast<std::size_t>(i)).empty()) continue;
        const auto row = items_.vectors.row(i);
        for (std::size_t k = 0; k < row.size(); ++k) {
          const std::uint64_t draw = static_cast<std::uint64_t>(i) * 2048 + k;
          row[k] = static_cast<float>(scale * (random.uniform(draw) - 0.5));
        }
        if (i < known) std::copy_n(previous->vectors().row(i).begin(), width, row.begin());
      }
    });
  }

  static int parts_of(const Side& side) {
    return static_cast<int>((side.vectors.rows() + kPart - 1) / kPart);
  }

  // Solves every row of `free`, given `fixed`; calls `part` after every kPart rows.
  template <class Part>
  Status solve(Side& fixed, Side& free, const Part& part) {
    VT_TRY(turn(fixed.vectors, free.vectors));
    const std::vector<float> background = background_of(fixed.vectors);
    const std::int64_t rows = free.vectors.rows();
    for (std::int64_t first = 0; first < rows; first += kPart) {
      VT_TRY(solve_part(fixed, free, first, std::min(first + kPart, rows), background));
      VT_TRY(part());
    }
    return {};
  }

  Status solve_part(const Side& fixed, Side& free, std::int64_t first, std::int64_t last,
                    std::span<const float> background) {
    const std::int64_t width = options_.factors;
    std::vector<std::uint8_t> failed(static_cast<std::size_t>(kPart / kGrain));
    parallel_for(run_.pool, last - first, kGrain, [&](std::int64_t begin, std::int64_t end) {
      Ridge ridge(width);
      std::vector<float> root(static_cast<std::size_t>(width));
      for (std::int64_t r = first + begin; r < first + end; ++r) {
        if (!solve_row(fixed, free, r, background, root, ridge))
          failed[static_cast<std::size_t>(begin / kGrain)] = 1;
      }
    });
    if (std::ranges::find(failed, 1) != failed.end()) {
      return Error{Code::kInvalid, "als: a row has no solution: use more regularization"};
    }
    return {};
  }

  // Turns both sides into the eigenbasis of the fixed side's Gram.
  Status turn(Matrix& fixed, Matrix& free) const {
    const std::int64_t width = options_.factors;
    Matrix basis(width, width);
    syrk(run_.pool, 1, fixed.view(), 0, basis.view());
    const auto found = eigenvectors(basis.view());
    if (!found.ok()) return Error{Code::kInvalid, "als: not finite: use more regularization"};
    turn_rows(fixed, basis);
    if (options_.solver != "exact") turn_rows(free, basis);  // exact forgets where it was
    return {};
  }

  void turn_rows(Matrix& rows, const Matrix& basis) const {
    parallel_for(run_.pool, rows.rows(), kTurned, [&](std::int64_t begin, std::int64_t end) {
      Matrix turned(end - begin, rows.cols());
      const MatrixView<float> part{rows.row(begin).data(), end - begin, rows.cols(), rows.stride()};
      gemm(run_.pool, 1, part, false, basis.view(), true, 0, turned.view());
      std::copy_n(turned.data(), turned.bytes() / sizeof(float), part.data);
    });
  }

  // The diagonal of a0 V^T V.
  std::vector<float> background_of(const Matrix& vectors) const {
    std::vector<double> sums(static_cast<std::size_t>(options_.factors));
    for (std::int64_t i = 0; i < vectors.rows(); ++i) {
      const auto row = vectors.row(i);
      for (std::size_t k = 0; k < row.size(); ++k) sums[k] += double{row[k]} * double{row[k]};
    }
    std::vector<float> background;
    for (const double sum : sums) {
      background.push_back(static_cast<float>(options_.unobserved_weight * sum));
    }
    return background;
  }

  bool solve_row(const Side& fixed, Side& free, std::int64_t r, std::span<const float> background,
                 std::span<float> root, Ridge& ridge) const {
    const SparseRows& cells = *free.cells;
    const std::uint64_t first = cells.offsets[static_cast<std::size_t>(r)];
    const std::uint64_t end = cells.offsets[static_cast<std::size_t>(r) + 1];
    if (first == end) return true;
    ridge.reset(static_cast<std::int64_t>(end - first));
    double mass = options_.unobserved_weight * static_cast<double>(fixed.active);
    for (std::uint64_t c = first; c < end; ++c) {
      const float w = cells.weights[c] * free.weights[static_cast<std::size_t>(r)] *
                      fixed.weights[cells.columns[c]];
      ridge.target(static_cast<std::int64_t>(c - first)) = std::sqrt(w);
      mass += double{w};
    }
    const auto l = static_cast<float>(options_.regularization * std::pow(mass, options_.exponent));
    for (std::size_t k = 0; k < root.size(); ++k) root[k] = 1 / std::sqrt(background[k] + l);
    for (std::uint64_t c = first; c < end; ++c) {
      prefetch(fixed.vectors, cells.columns, c + kAhead);
      const auto i = static_cast<std::int64_t>(c - first);
      scale(fixed.vectors.row(cells.columns[c]).data(), root, ridge.target(i), ridge.row(i).data());
    }
    const std::span<float> y = free.vectors.row(r);
    bool solved = true;
    if (options_.solver == "exact") {
      std::ranges::fill(y, 0.0f);
      solved = ridge.solve(y);
    } else {
      for (std::size_t k = 0; k < y.size(); ++k) y[k] /= root[k];
      if (options_.solver == "cg") {
        ridge.descend(y, kSteps);
      } else {
        solved = ridge.solve_blocks(y, options_.block);
      }
    }
    for (std::size_t k = 0; k < y.size(); ++k) y[k] *= root[k];
    return solved;
  }

  // Rows come from anywhere in memory.
  static void prefetch(const Matrix& vectors, const Array<std::uint32_t>& columns,
                       std::uint64_t cell) {
    if (cell >= columns.size()) return;
    constexpr std::int64_t kLine = 16, kLinesMax = 8;
    const float* row = vectors.row(columns[cell]).data();
    const std::int64_t end = std::min(vectors.cols(), kLine * kLinesMax);
    for (std::int64_t k = 0; k < end; k += kLine) __builtin_prefetch(row + k);
  }
  static void scale(const float* __restrict from, std::span<const float> root, float w,
                    float* __restrict to) {
    for (std::size_t k = 0; k < root.size(); ++k) to[k] = from[k] * (root[k] * w);
  }

  static constexpr std::int64_t kGrain = 256, kTurned = 1024;
  static constexpr std::int64_t kPart = 64 * kGrain;  // rows between two looks at the monitor
  static constexpr std::uint64_t kAhead = 16;
  const Run& run_;
  const AlsOptions& options_;
  const TrainingSet& set_;
  Side persons_, items_;
};

}  // namespace

Result<std::unique_ptr<const Model>> fit_als(const Run& run, const AlsOptions& options,
                                             const TrainingSet& set, const Model* previous) {
  if (options.block % 16 != 0) return Error{Code::kInvalid, "als: block must be a multiple of 16"};
  VT_TRY(check_memory(run, set, options));
  const auto* before = dynamic_cast<const FactorModel<AlsOptions>*>(previous);
  return Fit(run, options, set, before == nullptr ? nullptr : &before->factors()).fit();
}

Result<std::unique_ptr<const Model>> load_als(ArchiveReader& reader, const Catalogue&) {
  return load_factors<AlsOptions>(reader);
}

}  // namespace vitrine

#include "model/spectral.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/finite.h"
#include "base/kernels.h"
#include "base/sparse.h"
#include "base/svd.h"
#include "index/rows.h"
#include "index/scratch.h"
#include "model/linear_rows.h"
#include "model/memory.h"
#include "model/options_archive.h"
#include "model/person_index.h"

namespace vitrine {
namespace {

// The sum of each row, to a power; 0 for an empty row.
std::vector<float> powers(const SparseRows& rows, double exponent) {
  std::vector<float> powers(rows.rows());
  for (std::size_t r = 0; r < rows.rows(); ++r) {
    double sum = 0;
    for (const float w : rows.row_weights(r)) sum += double{w};
    if (sum > 0) powers[r] = static_cast<float>(std::pow(sum, exponent));
  }
  return powers;
}

// The interactions both ways and what scales their sides.
struct Graph {
  PersonIndex index;
  std::vector<float> person_scale;  // n_u^-p
  std::vector<float> item_scale;    // f_i^-b; 0: never seen
  bool binary = true;

  Graph(PersonIndex given, bool is_binary, const SpectralOptions& options)
      : index(std::move(given)),
        person_scale(powers(index.rows(), -options.person_exponent)),
        item_scale(powers(index.by_item(), -options.item_exponent)),
        binary(is_binary) {}
  bool is_finite() const { return all_finite(person_scale) && all_finite(item_scale); }
  const SparseRows& persons() const { return index.rows(); }
  const SparseRows& items() const { return index.by_item(); }
};

struct Vectors {
  Array<float> squares;  // the eigenvalues, falling
  Array<float> rows;     // items x stride
  std::int64_t stride = 0;
  std::int64_t rank() const { return static_cast<std::int64_t>(squares.size()); }
};

// A history on its way through the filter.
struct Signal {
  std::vector<WeightedRow> cells;    // distinct known items, ascending
  std::vector<float> blur, sharpen;  // in the basis of the vectors; blur empty: none
};

class Spectral final : public Model {
 public:
  Spectral(const SpectralOptions& options, Graph graph, Vectors vectors)
      : options_(options), graph_(std::move(graph)), vectors_(std::move(vectors)) {
    boost_ = powers(graph_.items(), options.popularity);
    if (vectors_.rank() == 0) return;
    const double largest = vectors_.squares[0], last = vectors_.squares.span().back();
    for (const float square : vectors_.squares) {
      const double above = largest > 0 ? (double{square} - last) / largest : 0;
      const double kept = std::exp(-options.sharpening * above);
      sharpen_.push_back(static_cast<float>(double{square} * (kept - 1)));
      blur_.push_back(static_cast<float>(options.ideal * largest * kept));
    }
  }

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
    constexpr std::size_t kTogether = 16;  // queries that share a pass over the vectors
    std::vector<Signal> signals(std::min(kTogether, queries.size()));
    std::vector<std::vector<float>> walks(signals.size());
    const auto persons = persons_.lend();
    for (std::size_t first = 0; first < queries.size(); first += kTogether) {
      const std::size_t count = std::min(kTogether, queries.size() - first);
      for (std::size_t q = 0; q < count; ++q) {
        signals[q] = signal_of(queries[first + q], *persons);
        walk_back(*persons, walks[q]);
      }
      add_vectors({signals.data(), count}, walks);
      for (std::size_t q = 0; q < count; ++q) {
        if (signals[q].cells.empty()) continue;
        out.set_count(first + q,
                      top_of_scores(walks[q], mask_of(masks, first + q), n, out.room(first + q)));
      }
    }
  }

  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    std::fill(scores.begin(), scores.end(), 0.0f);
    const auto sums = persons_.lend();
    const Signal signal = signal_of(query, *sums);
    if (signal.cells.empty()) return;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::uint32_t item = raw(items[i]);
      if (!seen(item)) continue;
      float walk = 0;
      const auto persons = graph_.items().row(item);
      const auto weights = graph_.items().row_weights(item);
      for (std::size_t e = 0; e < persons.size(); ++e) {
        walk = std::fma(sums->sum(persons[e]) * graph_.person_scale[persons[e]], weights[e], walk);
      }
      scores[i] = joined(signal, item, walk);
    }
  }

  void save(ArchiveWriter& writer) const override {
    const auto items = static_cast<std::int64_t>(boost_.size());
    save_options(writer, options_, static_cast<std::uint32_t>(items));
    writer.document("binary", graph_.binary);
    save_persons(writer, graph_.index);
    writer.tensor("vectors/squares", vectors_.squares);
    writer.tensor("vectors/rows", vectors_.rows, {items, vectors_.stride});
  }

 private:
  bool seen(std::uint32_t item) const {
    return item < boost_.size() && graph_.item_scale[item] > 0;
  }
  const float* vector(std::uint32_t item) const {
    return vectors_.rows.data() + std::int64_t{item} * vectors_.stride;
  }

  // The items of the history that training saw, ascending.
  std::vector<WeightedRow> cells_of(const Query& query) const {
    const auto items = static_cast<std::uint32_t>(boost_.size());
    std::vector<WeightedRow> cells = distinct_rows(query, items, graph_.binary);
    std::erase_if(cells, [&](const WeightedRow& cell) { return !seen(cell.row); });
    return cells;
  }

  // The history in the basis of the vectors; leaves the first step of the walk, not yet scaled, in
  // `persons`.
  Signal signal_of(const Query& query, StampedSums& persons) const {
    persons.begin(graph_.persons().rows());
    Signal signal;
    signal.cells = cells_of(query);
    if (signal.cells.empty()) return signal;
    const auto rank = static_cast<std::size_t>(vectors_.rank());
    signal.sharpen.resize(rank);
    if (options_.ideal > 0) signal.blur.resize(rank);
    for (const WeightedRow& cell : signal.cells) {
      const float scale = graph_.item_scale[cell.row], start = cell.weight * scale;
      const auto rows = graph_.items().row(cell.row);
      const auto weights = graph_.items().row_weights(cell.row);
      for (std::size_t e = 0; e < rows.size(); ++e) persons.add(rows[e], start * weights[e]);
      const float* v = vector(cell.row);
      kernels().axpy(cell.weight, v, signal.sharpen.data(), vectors_.rank());
      if (!signal.blur.empty()) kernels().axpy(start, v, signal.blur.data(), vectors_.rank());
    }
    for (std::size_t k = 0; k < rank; ++k) {
      signal.sharpen[k] *= sharpen_[k];
      if (!signal.blur.empty()) signal.blur[k] *= blur_[k];
    }
    return signal;
  }

  // The second step of the walk, to all items: the sums of score(), persons ascending.
  void walk_back(StampedSums& persons, std::vector<float>& walk) const {
    walk.assign(boost_.size(), 0);
    persons.for_each_ascending([&](std::uint32_t person, float sum) {
      const float from = sum * graph_.person_scale[person];
      const auto items = graph_.persons().row(person);
      const auto weights = graph_.persons().row_weights(person);
      for (std::size_t e = 0; e < items.size(); ++e) {
        walk[items[e]] = std::fma(from, weights[e], walk[items[e]]);
      }
    });
  }

  // What the walk gives an item becomes its score; unseen items NaN, which is never listed.
  void add_vectors(std::span<const Signal> signals, std::span<std::vector<float>> walks) const {
    constexpr std::uint32_t kItems = 128;  // their vectors stay in the second-level cache
    const auto items = static_cast<std::uint32_t>(boost_.size());
    for (std::uint32_t begin = 0; begin < items; begin += kItems) {
      const std::uint32_t end = std::min(items, begin + kItems);
      for (std::size_t q = 0; q < signals.size(); ++q) {
        if (signals[q].cells.empty()) continue;
        float* walk = walks[q].data();
        for (std::uint32_t j = begin; j < end; ++j) {
          walk[j] =
              seen(j) ? joined(signals[q], j, walk[j]) : std::numeric_limits<float>::quiet_NaN();
        }
      }
    }
  }

  float joined(const Signal& signal, std::uint32_t item, float walk) const {
    const float* v = vector(item);
    const float scale = graph_.item_scale[item];
    float sum = std::fma(walk, scale, kernels().dot(signal.sharpen.data(), v, vectors_.rank()));
    if (!signal.blur.empty()) {
      sum += kernels().dot(signal.blur.data(), v, vectors_.rank()) / scale;
    }
    return sum * boost_[item];
  }

  SpectralOptions options_;
  Graph graph_;
  Vectors vectors_;
  std::vector<float> boost_;           // f_i^popularity
  std::vector<float> blur_, sharpen_;  // what each vector is multiplied by
  mutable ScratchPool<StampedSums> persons_;
};

SparseView scaled_view(const SparseRows& rows, const std::vector<float>& weights,
                       std::size_t cols) {
  return {rows.offsets.span(), rows.columns.span(), weights, static_cast<std::int64_t>(cols)};
}

// The leading right singular vectors of N.
Result<Vectors> decompose(const Run& run, const Graph& graph, const SpectralOptions& options) {
  if (options.rank == 0) return Vectors();
  const auto scaled = [](const SparseRows& rows, std::span<const float> row_scale,
                         std::span<const float> col_scale) {
    std::vector<float> weights(rows.weights.begin(), rows.weights.end());
    for (std::size_t r = 0; r < rows.rows(); ++r) {
      for (std::uint64_t e = rows.offsets[r]; e < rows.offsets[r + 1]; ++e) {
        weights[e] *= row_scale[r] * col_scale[rows.columns[e]];
      }
    }
    return weights;
  };
  std::vector<float> root(graph.person_scale);  // n_u^(-p/2)
  for (float& scale : root) scale = std::sqrt(scale);
  const std::vector<float> forward = scaled(graph.persons(), root, graph.item_scale);
  const std::vector<float> backward = scaled(graph.items(), graph.item_scale, root);
  const SparseView n = scaled_view(graph.persons(), forward, graph.item_scale.size());
  const SparseView nt = scaled_view(graph.items(), backward, root.size());
  const LinearOperator walk{
      n.rows(), n.cols,
      [&](MatrixView<const float> x, MatrixView<float> y) { multiply(run.pool, n, x, y); },
      [&](MatrixView<const float> x, MatrixView<float> y) { multiply(run.pool, nt, x, y); }};
  SvdOptions how;
  how.rank = options.rank;
  how.oversampling = std::max(8, options.rank / 16);
  how.iterations = options.iterations;
  auto svd = truncated_svd({run.random.fork("spectral"), run.pool, run.monitor},
                           SpectralOptions::kName, walk, how);
  if (!svd.ok()) return svd.error().prefixed(SpectralOptions::kName);
  std::vector<float> squares;
  for (const float value : svd->values) squares.push_back(value * value);
  Vectors vectors;
  vectors.squares = std::move(squares);
  vectors.stride = svd->right.stride();
  auto rows = std::make_shared<Matrix>(std::move(svd->right));
  const std::span<const float> view(rows->data(), rows->bytes() / sizeof(float));
  vectors.rows = Array<float>(std::move(rows), view);
  return vectors;
}

Status check(const Vectors& vectors, const std::vector<std::int64_t>& shape, std::int64_t items) {
  const auto corrupt = [](const char* what) {
    return Error{Code::kCorrupt, std::string("spectral: ") + what};
  };
  if (shape != std::vector<std::int64_t>{items, vectors.stride} ||
      vectors.stride != Matrix(0, vectors.rank()).stride()) {
    return corrupt("one vector per item");
  }
  if (!all_finite(vectors.squares.span()) || !all_finite(vectors.rows.span())) {
    return corrupt("vectors must be finite");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_spectral(const Run& run, const SpectralOptions& options,
                                                  const TrainingSet& set) {
  const Interactions& x = set.interactions;
  const double sides = static_cast<double>(x.by_row.rows()) + x.items;
  // The blocks of the decomposition, an eighth wider than the rank, and what is made of them.
  VT_TRY(check_setting_memory(SpectralOptions::kName, {"rank", options.rank},
                              2.2 * sizeof(float) * sides, options.memory_limit_mb));
  Graph graph(PersonIndex(x.by_row, x.items), is_binary(x), options);
  if (!graph.is_finite()) {
    return Error{Code::kInvalid,
                 "spectral: powers of the interactions are not finite: their weights are too small "
                 "for this person_exponent; use a smaller one, or binary interactions"};
  }
  VT_TRY(Vectors vectors, decompose(run, graph, options));
  return std::make_unique<const Spectral>(options, std::move(graph), std::move(vectors));
}

Result<std::unique_ptr<const Model>> load_spectral(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(auto saved, load_options<SpectralOptions>(reader));
  VT_TRY(const Value binary, reader.document("binary"));
  if (binary.as_bool() == nullptr) return Error{Code::kCorrupt, "spectral: binary is a boolean"};
  VT_TRY(PersonIndex index, load_persons(reader, saved.second));
  Vectors vectors;
  VT_TRY(vectors.squares, reader.tensor<float>("vectors/squares"));
  VT_TRY(vectors.rows, reader.tensor<float>("vectors/rows"));
  VT_TRY(const auto shape, reader.shape("vectors/rows"));
  vectors.stride = shape.size() == 2 ? shape[1] : -1;
  VT_TRY(check(vectors, shape, saved.second));
  Graph graph(std::move(index), *binary.as_bool(), saved.first);
  if (!graph.is_finite()) return Error{Code::kCorrupt, "spectral: powers must be finite"};
  return std::make_unique<const Spectral>(saved.first, std::move(graph), std::move(vectors));
}

}  // namespace vitrine

#include "model/ease_dense.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/blas.h"
#include "base/finite.h"
#include "base/gram.h"
#include "base/kernels.h"
#include "index/rows.h"
#include "model/item_attributes.h"
#include "model/item_regressions.h"
#include "model/item_rows.h"
#include "model/linear_rows.h"
#include "model/options_archive.h"

namespace vitrine {
namespace {

constexpr std::uint32_t kUnseen = ~0u;

// B over the items that training saw, in their order.
struct Weights {
  Array<std::uint32_t> place;  // by item: its row and column, or kUnseen
  Array<float> values;         // rows of `stride` floats
  std::int64_t stride = 0;
  bool binary = true;  // of the interactions
};

class DenseEase final : public Model {
 public:
  DenseEase(EaseOptions options, Weights weights)
      : options_(std::move(options)), weights_(std::move(weights)) {
    for (std::uint32_t i = 0; i < weights_.place.size(); ++i) {
      if (weights_.place[i] != kUnseen) seen_.push_back(i);
    }
  }

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
    // Unseen items stay NaN, which is never listed.
    std::vector<float> sums(seen_.size());
    std::vector<float> scores(weights_.place.size(), std::numeric_limits<float>::quiet_NaN());
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const auto rows = rows_of(queries[q]);
      if (rows.empty()) continue;
      std::fill(sums.begin(), sums.end(), 0.0f);
      add_rows(rows, sums);
      for (std::size_t p = 0; p < sums.size(); ++p) scores[seen_[p]] = sums[p];
      out.set_count(q, top_of_scores(scores, mask_of(masks, q), n, out.room(q)));
    }
  }

  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    std::vector<ItemIndex> places(items.size(), ItemIndex{0});
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (known(items[i])) places[i] = ItemIndex{weights_.place[raw(items[i])]};
    }
    score_dense_rows(rows_of(query), matrix(), places, scores);
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!known(items[i])) scores[i] = 0;
    }
  }

  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, static_cast<std::uint32_t>(weights_.place.size()));
    writer.document("solver", "dense");
    writer.document("binary", weights_.binary);
    writer.tensor("place", weights_.place);
    writer.tensor("weights", weights_.values,
                  {static_cast<std::int64_t>(seen_.size()), weights_.stride});
  }

 private:
  bool known(ItemIndex item) const {
    return raw(item) < weights_.place.size() && weights_.place[raw(item)] != kUnseen;
  }
  MatrixView<const float> matrix() const {
    const auto side = static_cast<std::int64_t>(seen_.size());
    return {weights_.values.data(), side, side, weights_.stride};
  }

  // Each known item of the history once, by place.
  std::vector<WeightedRow> rows_of(const Query& query) const {
    const auto items = static_cast<std::uint32_t>(weights_.place.size());
    std::vector<WeightedRow> rows = distinct_rows(query, items, weights_.binary);
    for (WeightedRow& r : rows) r.row = weights_.place[r.row];
    std::erase_if(rows, [](const WeightedRow& r) { return r.row == kUnseen; });
    return rows;
  }

  void add_rows(std::span<const WeightedRow> rows, std::span<float> sums) const {
    constexpr std::int64_t kColumns = 4096;  // the sums stay in the first-level cache
    const MatrixView<const float> b = matrix();
    for (std::int64_t begin = 0; begin < b.cols; begin += kColumns) {
      const std::int64_t width = std::min(kColumns, b.cols - begin);
      for (const WeightedRow& r : rows) {
        kernels().axpy(r.weight, b.data + r.row * b.stride + begin, sums.data() + begin, width);
      }
    }
  }

  EaseOptions options_;
  Weights weights_;
  std::vector<std::uint32_t> seen_;  // items, by place
};

// The interactions of the items that training saw, columns as places.
struct SeenCells {
  std::vector<std::uint32_t> seen;     // items, by place
  std::vector<std::uint32_t> place;    // by item
  std::vector<std::uint32_t> columns;  // parallel to by_row.columns
  bool binary = true;
};

SeenCells seen_cells(const Interactions& interactions) {
  SeenCells cells;
  cells.place.assign(interactions.items, kUnseen);
  for (std::uint32_t i = 0; i < interactions.items; ++i) {
    if (interactions.by_item.row(i).empty()) continue;
    cells.place[i] = static_cast<std::uint32_t>(cells.seen.size());
    cells.seen.push_back(i);
  }
  cells.columns.reserve(interactions.by_row.columns.size());
  for (const std::uint32_t c : interactions.by_row.columns) cells.columns.push_back(cells.place[c]);
  cells.binary = is_binary(interactions);
  return cells;
}

// G = X^T D X, row by row.
void weighted_gram(ThreadPool& pool, const Interactions& interactions, const SeenCells& cells,
                   std::span<const float> persons, MatrixView<float> gram) {
  const auto& offsets = interactions.by_row.offsets;
  const auto& weights = interactions.by_row.weights;
  parallel_for(pool, gram.rows, 32, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const std::span<float> row = gram.row(p);
      const std::uint32_t item = cells.seen[static_cast<std::size_t>(p)];
      const auto takers = interactions.by_item.row(item);
      const auto taken = interactions.by_item.row_weights(item);
      for (std::size_t u = 0; u < takers.size(); ++u) {
        const float weight = persons[takers[u]] * taken[u];
        for (std::uint64_t c = offsets[takers[u]]; c < offsets[takers[u] + 1]; ++c) {
          row[cells.columns[c]] += weight * weights[c];
        }
      }
    }
  });
}

void fill_gram(ThreadPool& pool, const Interactions& interactions, const SeenCells& cells,
               double person_exponent, MatrixView<float> gram) {
  if (!cells.binary || person_exponent != 0) {
    const auto persons = person_weights(interactions, person_exponent);
    return weighted_gram(pool, interactions, cells, persons, gram);
  }
  const SparseRows& rows = interactions.by_row;
  if (rows.rows() == 0) return;
  const BinaryRows x{rows.offsets.data(), cells.columns.data(),
                     static_cast<std::int64_t>(rows.rows()), gram.cols};
  cooccurrence_counts(pool, x, gram);
}

void add_ridge(const EaseOptions& options, MatrixView<float> gram) {
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < gram.rows; ++i) {
    frequencies.push_back(gram.row(i)[static_cast<std::size_t>(i)]);
  }
  const auto ridge = ridge_of(frequencies, options.lambda, options.frequency_exponent);
  for (std::size_t i = 0; i < ridge.size(); ++i) {
    gram.row(static_cast<std::int64_t>(i))[i] += ridge[i];
  }
}

// P becomes B: each column over its negative diagonal element, the diagonal zero.
void scale_columns(ThreadPool& pool, MatrixView<float> p) {
  std::vector<float> scale(static_cast<std::size_t>(p.rows));
  for (std::int64_t j = 0; j < p.rows; ++j)
    scale[static_cast<std::size_t>(j)] = -1 / p.row(j)[static_cast<std::size_t>(j)];
  parallel_for(pool, p.rows, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::span<float> row = p.row(i);
      for (std::size_t j = 0; j < row.size(); ++j) row[j] *= scale[j];
      row[static_cast<std::size_t>(i)] = 0;
    }
  });
}

// B over the items seen and those with a mix: B' of model/item_attributes.h.
struct Grown {
  std::vector<std::uint32_t> place;  // by item
  std::shared_ptr<Matrix> matrix;
};

// Row by row: to the items seen, as it was, and to the new ones, through their mixes.
void widen(ThreadPool& pool, const SeenCells& cells, const SparseRows& mixes,
           MatrixView<const float> b, const Grown& grown) {
  parallel_for(pool, b.rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::span<float> out =
          grown.matrix->row(grown.place[cells.seen[static_cast<std::size_t>(i)]]);
      for (std::int64_t k = 0; k < b.cols; ++k) {
        const std::uint32_t item = cells.seen[static_cast<std::size_t>(k)];
        const float weight = b.row(i)[static_cast<std::size_t>(k)];
        out[grown.place[item]] = weight;
        const float through = weight + (i == k ? 1.0f : 0.0f);
        const auto fresh = mixes.row(item);
        for (std::size_t j = 0; j < fresh.size(); ++j) {
          out[grown.place[fresh[j]]] += through * mixes.row_weights(item)[j];
        }
      }
    }
  });
}

Grown grown(ThreadPool& pool, const SeenCells& cells, const SparseRows& mixes,
            MatrixView<const float> b) {
  const auto items = static_cast<std::uint32_t>(cells.place.size());
  const SparseRows mix_of = transposed(mixes, items);
  Grown result;
  std::vector<std::uint32_t> fresh;
  std::uint32_t side = 0;
  for (std::uint32_t i = 0; i < items; ++i) {
    const bool is_new = !mix_of.row(i).empty();
    if (is_new) fresh.push_back(i);
    result.place.push_back(is_new || cells.place[i] != kUnseen ? side++ : kUnseen);
  }
  result.matrix = std::make_shared<Matrix>(side, side);
  widen(pool, cells, mixes, b, result);
  parallel_for(pool, static_cast<std::int64_t>(fresh.size()), 16,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t f = begin; f < end; ++f) {
                   const std::uint32_t item = fresh[static_cast<std::size_t>(f)];
                   const std::span<float> out = result.matrix->row(result.place[item]);
                   const auto mix = mix_of.row(item);
                   for (std::size_t m = 0; m < mix.size(); ++m) {
                     const float share = mix_of.row_weights(item)[m];
                     const std::uint32_t place = result.place[mix[m]];
                     kernels().axpy(share, result.matrix->row(place).data(), out.data(), side);
                     out[place] += share;
                   }
                   out[result.place[item]] = 0;
                 }
               });
  return result;
}

Status check(const Weights& weights, const std::vector<std::int64_t>& shape, std::uint32_t items) {
  const auto corrupt = [](const char* what) {
    return Error{Code::kCorrupt, std::string("ease: ") + what};
  };
  if (weights.place.size() != items) return corrupt("one place per item");
  std::uint32_t side = 0;
  for (const std::uint32_t place : weights.place) {
    if (place != kUnseen && place != side++) return corrupt("places must follow the items");
  }
  if (shape.size() != 2 || shape[0] != side || shape[1] < side) {
    return corrupt("the weights must be a square matrix over the items seen");
  }
  if (!all_finite(weights.values.span())) return corrupt("weights must be finite");
  return {};
}

}  // namespace

std::uint64_t dense_ease_bytes(std::uint64_t items) {
  return items * ((items + 15) / 16 * 16) * sizeof(float);
}

Result<std::unique_ptr<const Model>> fit_dense_ease(const Run& run, const EaseOptions& options,
                                                    const Interactions& interactions,
                                                    const SparseRows& mixes) {
  SeenCells cells = seen_cells(interactions);
  const auto side = static_cast<std::int64_t>(cells.seen.size());
  Stage stage(run.monitor, EaseOptions::kName, 3, "steps");
  VT_TRY(stage.proceed(0));
  auto matrix = std::make_shared<Matrix>(side, side);
  fill_gram(run.pool, interactions, cells, options.person_exponent, matrix->view());
  add_ridge(options, matrix->view());
  VT_TRY(stage.proceed(1));
  auto inverted = invert_spd(run.pool, matrix->view());
  if (!inverted.ok()) return inverted.error().prefixed("ease");
  VT_TRY(stage.proceed(2));
  scale_columns(run.pool, matrix->view());
  if (!mixes.columns.empty()) {
    Grown more = grown(run.pool, cells, mixes, matrix->view());
    cells.place = std::move(more.place);
    matrix = std::move(more.matrix);
  }
  const std::span<const float> values(matrix->data(),
                                      static_cast<std::size_t>(matrix->rows() * matrix->stride()));
  if (!all_finite(values)) return Error{Code::kInvalid, "ease: not finite: use a larger lambda"};
  Weights weights{std::move(cells.place), {}, matrix->stride(), cells.binary};
  weights.values = Array<float>(std::move(matrix), values);
  VT_TRY(stage.proceed(3));
  return std::make_unique<const DenseEase>(options, std::move(weights));
}

Result<std::unique_ptr<const Model>> load_dense_ease(ArchiveReader& reader, EaseOptions options,
                                                     std::uint32_t items) {
  VT_TRY(const Value binary, reader.document("binary"));
  if (binary.as_bool() == nullptr) return Error{Code::kCorrupt, "ease: binary must be a boolean"};
  Weights weights;
  weights.binary = *binary.as_bool();
  VT_TRY(weights.place, reader.tensor<std::uint32_t>("place"));
  VT_TRY(weights.values, reader.tensor<float>("weights"));
  VT_TRY(const auto shape, reader.shape("weights"));
  VT_TRY(check(weights, shape, items));
  weights.stride = shape[1];
  return std::make_unique<const DenseEase>(std::move(options), std::move(weights));
}

}  // namespace vitrine

// What factor models share: item vectors, perhaps with a bias, perhaps a row for each known user.
//
//   score(item) = u . v_item            (+ b_item)
//
// A person whose row was learned, and whose history is what it was then, is answered by the row:
// a 64-bit fingerprint of the distinct items and weights tells. Everyone else is folded in by ridge
// regression on the item vectors,
//
//   u = argmin  sum_{i in H} w_i (t - u.v_i - b_i)^2 + a0 sum_j (u.v_j + b_j)^2 + l |u|^2
//   l = regularization * (sum_{i in H} w_i + a0 N)^exponent
//
// over the distinct items H of the history (w: the best event weight, or 1 for a
// model to which all interactions are the same, times the weight of the item where it has one) and
// all N items that training saw. Vectors are kept in the eigenbasis of sum_j v_j v_j^T, which
// changes no dot product and makes the background term diagonal, D: a history of n < k items costs
// n^2 k by (D + V^T W V)^-1 V^T = D^-1 V^T (W^-1 + V D^-1 V^T)^-1, a longer one n k^2 + k^3/3.
//
// Only items with interactions are listed; others score 0. A history without such an item gives an
// empty list. Retrieval is index/item_search.h; lists and scores agree to the bit.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/matrix.h"
#include "index/item_search.h"
#include "index/rows.h"
#include "model/model.h"
#include "model/options_archive.h"

namespace vitrine {

// How a history without a row becomes a vector; the model's options give it.
struct FoldIn {
  double background = 0;      // a0
  double regularization = 1;  // above 0
  double exponent = 0;
};

// What fitting leaves. Views: the state may go on changing after Factors was made of it.
struct FactorState {
  MatrixView<const float> items;     // set.interactions.items rows
  MatrixView<const float> users{};   // by history row, at least the users; no rows: no user rows
  std::span<const float> biases{};   // one per item, or none
  std::span<const float> weights{};  // of an interaction with each item, above 0; none: 1
  bool binary = true;                // an interaction counts once, whatever its weight
  float target = 1;                  // t: what folding in wants the score of a taken item to be
  std::string_view remedy = "use more regularisation";  // where the state is not finite
};

// Immutable; thread-safe.
class Factors {
 public:
  // kInvalid when the state is not finite. The same bytes for any number of threads.
  static Result<Factors> create(const Run& run, const TrainingSet& set, const FactorState& state,
                                const FoldIn& fold_in);

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const;
  void score(const Query& query, std::span<const ItemIndex> items, std::span<float> scores) const;

  // Archive names begin with "factors/". Loading checks everything that the rest relies on.
  void save(ArchiveWriter& writer) const;
  static Result<Factors> load(ArchiveReader& reader, std::uint32_t items, const FoldIn& fold_in);

  std::uint32_t items() const { return static_cast<std::uint32_t>(vectors_.rows); }
  std::int64_t width() const { return width_; }  // without the bias
  // Item vectors to start from, columns by descending weight in the Gram; unseen items are zero.
  MatrixView<const float> vectors() const {
    return {vectors_.data, vectors_.rows, width_, stride_};
  }

  // The vector that answers a query, width() values and, with biases, a 1; empty: no answer.
  std::vector<float> query_vector(const Query& query) const;

 private:
  Factors() = default;
  std::vector<ItemIndex> prepare();  // the items seen
  bool seen(std::uint32_t item) const {
    return item < seen_flags_.size() && seen_flags_[item] != 0;
  }
  std::vector<WeightedRow> cells_of(std::span<const HistoryEvent> history) const;
  std::vector<float> fold_in(std::span<const WeightedRow> cells) const;
  float bias(std::uint32_t item) const { return biased_ ? vectors_.row(item)[width()] : 0; }

  FoldIn fold_in_;
  bool binary_ = true;
  float target_ = 1;
  bool biased_ = false;
  std::int64_t width_ = 0, stride_ = 0, user_stride_ = 0;
  Array<float> item_values_;           // rows of stride_: the vector, then the bias
  Array<float> user_values_;           // rows of user_stride_
  Array<std::uint64_t> fingerprints_;  // by user, 0: no row
  Array<std::uint32_t> seen_;          // items with interactions, ascending
  Array<float> item_weights_;          // by item, or none

  MatrixView<const float> vectors_;       // of item_values_, the bias as a column
  std::vector<std::uint8_t> seen_flags_;  // by item
  std::vector<double> diagonal_;          // sum_j v_jk^2
  std::vector<double> background_;        // sum_j b_j v_jk
  ItemSearch search_;
};

// The model around it. Options have kName, fields() and `FoldIn fold_in() const`.
template <class Options>
class FactorModel final : public Model {
 public:
  FactorModel(Options options, Factors factors)
      : options_(std::move(options)), factors_(std::move(factors)) {}
  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    factors_.retrieve(queries, masks, n, out);
  }
  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    factors_.score(query, items, scores);
  }
  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, factors_.items());
    factors_.save(writer);
  }
  const Factors& factors() const { return factors_; }  // to start from

 private:
  Options options_;
  Factors factors_;
};

template <class Options>
Result<std::unique_ptr<const Model>> finish_factors(const Run& run, const Options& options,
                                                    const TrainingSet& set,
                                                    const FactorState& state) {
  auto factors = Factors::create(run, set, state, options.fold_in());
  if (!factors.ok()) return factors.error().prefixed(Options::kName);
  return std::make_unique<const FactorModel<Options>>(options, std::move(factors).value());
}

template <class Options>
Result<std::unique_ptr<const Model>> load_factors(ArchiveReader& reader) {
  VT_TRY(auto saved, load_options<Options>(reader));
  auto factors = Factors::load(reader, saved.second, saved.first.fold_in());
  if (!factors.ok()) return factors.error().prefixed(Options::kName);
  return std::make_unique<const FactorModel<Options>>(saved.first, std::move(factors).value());
}

}  // namespace vitrine

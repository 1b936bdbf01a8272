#include "model/factors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "base/blas.h"
#include "base/finite.h"
#include "base/kernels.h"

namespace vitrine {
namespace {

Error not_finite(const FactorState& state) {
  return {Code::kInvalid, "not finite: " + std::string(state.remedy)};
}
Error corrupt(const char* what) { return {Code::kCorrupt, what}; }

// Never 0, which stands for no row.
std::uint64_t fingerprint(std::span<const WeightedRow> cells) {
  std::uint64_t hash = cells.size();
  for (const WeightedRow& cell : cells) {
    hash ^= std::uint64_t{cell.row} << 32 | std::bit_cast<std::uint32_t>(cell.weight);
    // The finaliser of SplitMix64: every bit of the input reaches every bit of the hash.
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
    hash ^= hash >> 31;
  }
  return hash == 0 ? 1 : hash;
}

// The first `cols` columns of a view.
template <class T>
MatrixView<T> columns(MatrixView<T> m, std::int64_t cols) {
  return {m.data, m.rows, cols, m.stride};
}

Array<float> shared(Matrix matrix) {
  auto owner = std::make_shared<Matrix>(std::move(matrix));
  const std::span<const float> values(owner->data(), owner->bytes() / sizeof(float));
  return Array<float>(std::move(owner), values);
}

std::vector<std::uint32_t> seen_items(const Interactions& interactions) {
  std::vector<std::uint32_t> seen;
  for (std::uint32_t i = 0; i < interactions.items; ++i) {
    if (!interactions.by_item.row(i).empty()) seen.push_back(i);
  }
  return seen;
}

}  // namespace

Result<Factors> Factors::create(const Run& run, const TrainingSet& set, const FactorState& state,
                                const FoldIn& fold_in) {
  const Interactions& interactions = set.interactions;
  VT_CHECK(state.items.rows == std::int64_t{interactions.items});
  VT_CHECK(state.biases.empty() || state.biases.size() == interactions.items);
  VT_CHECK(state.weights.empty() || state.weights.size() == interactions.items);
  Factors f;
  f.fold_in_ = fold_in;
  f.biased_ = !state.biases.empty();
  f.width_ = state.items.cols;
  f.seen_ = seen_items(interactions);
  f.item_weights_ = std::vector<float>(state.weights.begin(), state.weights.end());
  f.binary_ = state.binary;
  f.target_ = state.target;

  Matrix seen(static_cast<std::int64_t>(f.seen_.size()), f.width_);
  for (std::size_t s = 0; s < f.seen_.size(); ++s) {
    const auto row = state.items.row(f.seen_[s]);
    if (!all_finite(row)) return not_finite(state);
    std::copy(row.begin(), row.end(), seen.row(static_cast<std::int64_t>(s)).begin());
  }
  Matrix basis(f.width_, f.width_);
  syrk(run.pool, 1, seen.view(), 0, basis.view());
  VT_TRY(eigenvectors(basis.view()));
  Matrix turned(seen.rows(), f.width_);
  gemm(run.pool, 1, seen.view(), false, basis.view(), true, 0, turned.view());
  seen = Matrix();
  Matrix items(state.items.rows, f.width_ + (f.biased_ ? 1 : 0));
  for (std::size_t s = 0; s < f.seen_.size(); ++s) {
    const auto from = turned.row(static_cast<std::int64_t>(s));
    const auto to = items.row(f.seen_[s]);
    std::copy(from.begin(), from.end(), to.begin());
    if (f.biased_) to.back() = state.biases[f.seen_[s]];
  }
  turned = Matrix();
  f.stride_ = items.stride();
  f.item_values_ = shared(std::move(items));

  const std::int64_t users = state.users.rows == 0 ? 0 : std::int64_t{set.histories.users()};
  VT_CHECK(state.users.rows == 0 || (state.users.rows >= users && state.users.cols == f.width_));
  Matrix user_rows(users, f.width_);
  const MatrixView<const float> known{state.users.data, users, f.width_, state.users.stride};
  gemm(run.pool, 1, known, false, basis.view(), true, 0, user_rows.view());
  f.user_stride_ = user_rows.stride();
  f.user_values_ = shared(std::move(user_rows));
  if (!all_finite(f.item_values_.span()) || !all_finite(f.user_values_.span())) {
    return not_finite(state);
  }
  const std::vector<ItemIndex> names = f.prepare();
  f.search_ = ItemSearch::build(f.vectors_, names, run.pool);
  if (f.search_.approximate() != nullptr) run.monitor.note(f.search_.recall_note());
  std::vector<std::uint64_t> fingerprints(static_cast<std::size_t>(users));
  for (std::size_t r = 0; r < fingerprints.size(); ++r) {
    const auto cells = f.cells_of(set.histories.row(r));
    if (!cells.empty()) fingerprints[r] = fingerprint(cells);
  }
  f.fingerprints_ = std::move(fingerprints);
  return f;
}

// What follows from the arrays.
std::vector<ItemIndex> Factors::prepare() {
  const std::int64_t cols = width_ + (biased_ ? 1 : 0);
  const auto rows = stride_ == 0 ? 0 : static_cast<std::int64_t>(item_values_.size()) / stride_;
  vectors_ = {item_values_.data(), rows, cols, stride_};
  seen_flags_.assign(static_cast<std::size_t>(rows), 0);
  diagonal_.assign(static_cast<std::size_t>(width_), 0);
  background_.assign(static_cast<std::size_t>(width_), 0);
  std::vector<ItemIndex> names;
  for (const std::uint32_t item : seen_) {
    const auto row = vectors_.row(item);
    names.push_back(ItemIndex{item});
    seen_flags_[item] = 1;
    const double b = bias(item);
    for (std::size_t k = 0; k < diagonal_.size(); ++k) {
      diagonal_[k] += double{row[k]} * double{row[k]};
      background_[k] += b * double{row[k]};
    }
  }
  return names;
}

// Each known item of the history once, ascending.
std::vector<WeightedRow> Factors::cells_of(std::span<const HistoryEvent> history) const {
  std::vector<WeightedRow> cells;
  for (const HistoryEvent& event : history) {
    if (!seen(raw(event.item)) || !(event.weight > 0)) continue;
    const float own = item_weights_.empty() ? 1 : item_weights_[raw(event.item)];
    cells.push_back({raw(event.item), binary_ ? own : own * event.weight});
  }
  std::sort(cells.begin(), cells.end(), [](const WeightedRow& a, const WeightedRow& b) {
    return a.row != b.row ? a.row < b.row : a.weight > b.weight;
  });
  const auto same = [](const WeightedRow& a, const WeightedRow& b) { return a.row == b.row; };
  cells.erase(std::unique(cells.begin(), cells.end(), same), cells.end());
  return cells;
}

std::vector<float> Factors::query_vector(const Query& query) const {
  const std::vector<WeightedRow> cells = cells_of(query.history);
  if (cells.empty()) return {};
  std::vector<float> u;
  const std::size_t user = query.user ? raw(*query.user) : fingerprints_.size();
  if (user < fingerprints_.size() && fingerprints_[user] == fingerprint(cells)) {
    const auto row = user_values_.subspan(user * static_cast<std::size_t>(user_stride_),
                                          static_cast<std::size_t>(width_));
    u.assign(row.begin(), row.end());
  } else {
    u = fold_in(cells);
  }
  if (biased_ && !u.empty()) u.push_back(1);
  return u;
}

// With D the diagonal of background and ridge, C the rows sqrt(w) v D^-1/2, t = sqrt(w) (t - b) and
// r the background's part of the right side times D^-1/2: u = D^-1/2 y, where
//
//   (I + C^T C) y = C^T t + r     or, for few rows,     y = C^T s + r, (I + C C^T) s = t - C r
std::vector<float> Factors::fold_in(std::span<const WeightedRow> cells) const {
  const auto n = static_cast<std::int64_t>(cells.size());
  const auto width = static_cast<std::size_t>(width_);
  double mass = fold_in_.background * static_cast<double>(seen_.size());
  for (const WeightedRow& cell : cells) mass += double{cell.weight};
  const double ridge = fold_in_.regularization * std::pow(mass, fold_in_.exponent);
  std::vector<float> scale(width), y(width);  // D^-1/2; r, then y, then u
  for (std::size_t k = 0; k < width; ++k) {
    const double root = 1 / std::sqrt(fold_in_.background * diagonal_[k] + ridge);
    scale[k] = static_cast<float>(root);
    y[k] = static_cast<float>(-fold_in_.background * background_[k] * root);
  }
  const bool few = n < width_;
  const std::int64_t side = few ? n : width_;
  Matrix c(n, width_), system(side, side), right(side, 1);
  for (std::int64_t i = 0; i < n; ++i) {
    const WeightedRow& cell = cells[static_cast<std::size_t>(i)];
    const float root = std::sqrt(cell.weight), target = root * (target_ - bias(cell.row));
    const auto from = vectors_.row(cell.row);
    const auto to = c.row(i);
    for (std::size_t k = 0; k < width; ++k) to[k] = root * from[k] * scale[k];
    if (few) {
      right(i, 0) = target - kernels().dot(to.data(), y.data(), width_);
    } else {
      for (std::size_t k = 0; k < width; ++k)
        right(static_cast<std::int64_t>(k), 0) += target * to[k];
    }
  }
  ThreadPool here(1);
  gemm(here, 1, c.view(), !few, c.view(), few, 0, system.view());
  for (std::int64_t i = 0; i < side; ++i) {
    system(i, i) += 1;
    if (!few) right(i, 0) += y[static_cast<std::size_t>(i)];
  }
  if (!solve_spd(system.view(), right.view()).ok()) return {};
  for (std::int64_t i = 0; i < side; ++i) {
    if (few) {
      kernels().axpy(right(i, 0), c.row(i).data(), y.data(), width_);
    } else {
      y[static_cast<std::size_t>(i)] = right(i, 0);
    }
  }
  for (std::size_t k = 0; k < width; ++k) y[k] *= scale[k];
  if (!all_finite(y)) return {};
  return y;
}

void Factors::retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                       CandidateBlock& out) const {
  out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
  std::vector<std::size_t> asked;
  std::vector<ItemMask> own_masks;
  std::vector<std::vector<float>> answers;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    std::vector<float> u = query_vector(queries[q]);
    if (u.empty()) continue;
    asked.push_back(q);
    own_masks.push_back(mask_of(masks, q));
    answers.push_back(std::move(u));
  }
  if (asked.empty()) return;
  Matrix rows(static_cast<std::int64_t>(asked.size()), vectors_.cols);
  for (std::size_t q = 0; q < asked.size(); ++q) {
    std::copy(answers[q].begin(), answers[q].end(), rows.row(static_cast<std::int64_t>(q)).begin());
  }
  CandidateBlock lists;
  search_.top(rows.view(), own_masks, n, lists);
  for (std::size_t q = 0; q < asked.size(); ++q) {
    const auto list = lists.row(q);
    std::copy(list.begin(), list.end(), out.room(asked[q]).begin());
    out.set_count(asked[q], list.size());
  }
}

void Factors::score(const Query& query, std::span<const ItemIndex> items,
                    std::span<float> scores) const {
  const std::vector<float> u = query_vector(query);
  std::fill(scores.begin(), scores.end(), 0.0f);
  if (u.empty()) return;
  std::vector<ItemIndex> known;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!seen(raw(items[i]))) continue;
    known.push_back(items[i]);
    places.push_back(i);
  }
  std::vector<float> found(known.size());
  scan_scores(u, vectors_, known, found);
  for (std::size_t i = 0; i < places.size(); ++i) scores[places[i]] = found[i];
}

void Factors::save(ArchiveWriter& writer) const {
  writer.document("factors/width", width_);
  writer.document("factors/biased", biased_);
  writer.document("factors/binary", binary_);
  writer.document("factors/target", double{target_});
  writer.tensor("factors/items", item_values_, {vectors_.rows, stride_});
  writer.tensor("factors/seen", seen_);
  writer.tensor("factors/item_weights", item_weights_);
  writer.tensor("factors/users", user_values_,
                {static_cast<std::int64_t>(fingerprints_.size()), user_stride_});
  writer.tensor("factors/fingerprints", fingerprints_);
  search_.save(writer);
}

Result<Factors> Factors::load(ArchiveReader& reader, std::uint32_t items, const FoldIn& fold_in) {
  VT_TRY(const Value width, reader.document("factors/width"));
  VT_TRY(const Value biased, reader.document("factors/biased"));
  VT_TRY(const Value binary, reader.document("factors/binary"));
  VT_TRY(const Value target, reader.document("factors/target"));
  if (width.as_int() == nullptr || *width.as_int() < 1 || *width.as_int() > 1 << 20 ||
      biased.as_bool() == nullptr || binary.as_bool() == nullptr || target.as_double() == nullptr ||
      !(std::abs(*target.as_double()) <= std::numeric_limits<float>::max())) {
    return corrupt("width, biased, binary and target describe the factors");
  }
  Factors f;
  f.fold_in_ = fold_in;
  f.width_ = *width.as_int();
  f.biased_ = *biased.as_bool();
  f.binary_ = *binary.as_bool();
  f.target_ = static_cast<float>(*target.as_double());
  VT_TRY(f.item_values_, reader.tensor<float>("factors/items"));
  VT_TRY(f.user_values_, reader.tensor<float>("factors/users"));
  VT_TRY(f.seen_, reader.tensor<std::uint32_t>("factors/seen"));
  VT_TRY(f.item_weights_, reader.tensor<float>("factors/item_weights"));
  VT_TRY(f.fingerprints_, reader.tensor<std::uint64_t>("factors/fingerprints"));
  VT_TRY(const auto item_shape, reader.shape("factors/items"));
  VT_TRY(const auto user_shape, reader.shape("factors/users"));
  f.stride_ = Matrix(0, f.width_ + (f.biased_ ? 1 : 0)).stride();
  f.user_stride_ = Matrix(0, f.width_).stride();
  if (item_shape != std::vector<std::int64_t>{std::int64_t{items}, f.stride_}) {
    return corrupt("one vector per item");
  }
  const auto users = static_cast<std::int64_t>(f.fingerprints_.size());
  if (user_shape != std::vector<std::int64_t>{users, f.user_stride_}) {
    return corrupt("one vector per fingerprint of a user");
  }
  if (!f.item_weights_.empty() && f.item_weights_.size() != items) {
    return corrupt("one weight per item, or none");
  }
  for (const float w : f.item_weights_) {
    if (!(w >= 0) || !std::isfinite(w)) return corrupt("weights of items must be finite");
  }
  for (std::size_t s = 0; s < f.seen_.size(); ++s) {
    if (f.seen_[s] >= items || (s > 0 && f.seen_[s] <= f.seen_[s - 1])) {
      return corrupt("the items seen must ascend");
    }
  }
  if (!all_finite(f.item_values_.span()) || !all_finite(f.user_values_.span())) {
    return corrupt("factors must be finite");
  }
  const std::vector<ItemIndex> names = f.prepare();
  VT_TRY(f.search_, ItemSearch::load(reader, f.vectors_, names));
  return f;
}

}  // namespace vitrine

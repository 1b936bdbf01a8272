#include "model/mf.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/finite.h"
#include "model/epochs.h"
#include "model/item_vectors.h"
#include "model/memory.h"
#include "model/mf_rows.h"
#include "model/options_archive.h"

namespace vitrine {
namespace {

constexpr double kNoiseMin = 1e-4;  // of the variance of the ratings
constexpr double kPrecisionMax = 1e6;
constexpr double kScaleMax = 1e6;  // deviations that a prediction may be off the mean

// What answers: rows of factors + 1, the bias last.
struct Fitted {
  Matrix mean, variance;          // of the items
  Matrix weights;                 // what an item of the history says of its owner
  std::vector<double> precision;  // of the users
  double noise = 1, rating_mean = 0, deviation = 1;
  bool ratings_only = false;
  std::vector<std::uint32_t> seen;  // items with interactions, ascending
};

class Mf final : public Model {
 public:
  Mf(MfOptions options, Fitted fitted)
      : options_(options),
        fitted_(std::move(fitted)),
        known_(fitted_.seen, static_cast<std::uint32_t>(fitted_.mean.rows())),
        vectors_(with_ones(fitted_.mean).view(), known_) {}

  // `archive`: where it is loaded from, or null.
  static Result<std::unique_ptr<const Model>> make(const MfOptions& options, Fitted fitted,
                                                   ArchiveReader* archive) {
    auto model = std::make_unique<Mf>(options, std::move(fitted));
    VT_TRY(model->vectors_.make_search(archive));
    return std::unique_ptr<const Model>(std::move(model));
  }

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    vectors_.retrieve(queries, masks, n, encoder(), out);
  }

  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    vectors_.score(query, items, scores, encoder());
  }

  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, static_cast<std::uint32_t>(fitted_.mean.rows()));
    writer.document("ratings_only", fitted_.ratings_only);
    save_matrix(writer, "mean", fitted_.mean);
    save_matrix(writer, "variance", fitted_.variance);
    save_matrix(writer, "weights", fitted_.weights);
    writer.tensor("precision", fitted_.precision);
    writer.tensor("scale",
                  std::vector<double>{fitted_.noise, fitted_.rating_mean, fitted_.deviation});
    writer.tensor("seen", fitted_.seen);
    vectors_.save(writer);
  }
  static Result<Fitted> load(ArchiveReader& reader, const MfOptions& options, std::uint32_t items);

 private:
  static void save_matrix(ArchiveWriter& writer, std::string_view name, const Matrix& matrix) {
    writer.tensor(name, std::span<const float>(matrix.data(), matrix.bytes() / sizeof(float)),
                  {matrix.rows(), matrix.stride()});
  }
  // By item: factors, bias, 1.
  static Matrix with_ones(const Matrix& mean) {
    Matrix table(mean.rows(), mean.cols() + 1);
    for (std::int64_t i = 0; i < mean.rows(); ++i) {
      const auto from = mean.row(i);
      const auto to = table.row(i);
      std::copy(from.begin(), from.end(), to.begin());
      to.back() = 1;
    }
    return table;
  }

  ItemVectors::Encode encoder() const {
    return [this](const Query& query, std::span<float> row) {
      answer(query, row);
      return true;
    };
  }

  // The row whose product with an item's vector (factors, bias, 1) is the rating.
  void answer(const Query& query, std::span<float> row) const {
    std::vector<HistoryEvent> taken;
    for (const HistoryEvent& event : query.history) {
      if (known_.has(event.item)) taken.push_back(event);
    }
    std::stable_sort(taken.begin(), taken.end(),
                     [](const HistoryEvent& a, const HistoryEvent& b) { return a.item < b.item; });
    std::vector<float> prior(row.size() - 1), belief(prior.size()), variance(prior.size()), values;
    std::vector<std::uint32_t> columns;
    std::size_t distinct = 0;
    for (std::size_t i = 0; i < taken.size(); ++i) {
      if (i > 0 && taken[i].item == taken[i - 1].item) continue;
      ++distinct;
      const auto weights = fitted_.weights.row(raw(taken[i].item));
      for (std::size_t k = 0; k < prior.size(); ++k) prior[k] += weights[k];
    }
    for (float& p : prior) p /= std::sqrt(static_cast<float>(std::max<std::size_t>(distinct, 1)));
    for (const HistoryEvent& event : taken) {
      if (!is_rating(event, fitted_.ratings_only)) continue;
      const auto value =
          static_cast<float>((double{event.value} - fitted_.rating_mean) / fitted_.deviation);
      if (!columns.empty() && columns.back() == raw(event.item)) {
        values.back() = value;
      } else {
        columns.push_back(raw(event.item));
        values.push_back(value);
      }
    }
    const bool solved = solve_row(columns, values, fitted_.mean, fitted_.variance, fitted_.noise,
                                  prior, fitted_.precision, belief, variance) &&
                        all_finite(belief);
    const std::vector<float>& person = solved ? belief : prior;
    const auto unit = static_cast<float>(fitted_.deviation);
    for (std::size_t k = 0; k + 1 < person.size(); ++k) row[k] = unit * person[k];
    row[row.size() - 2] = unit;
    row.back() = static_cast<float>(fitted_.rating_mean) + unit * person.back();
  }

  MfOptions options_;
  Fitted fitted_;
  KnownItems known_;
  ItemVectors vectors_;
};

class Fitting {
 public:
  Fitting(const Run& run, const MfOptions& options, const TrainingSet& set)
      : run_(run),
        options_(options),
        set_(set),
        ratings_only_(has_ratings(set.histories)),
        ratings_(standard_ratings(set.histories, ratings_only_)),
        users_(static_cast<std::int64_t>(set.histories.rows()), options.factors),
        items_(static_cast<std::int64_t>(set.histories.items()), options.factors),
        user_prior_(set.interactions.by_row, set.interactions.by_item, options.factors + 1),
        item_prior_(set.interactions.by_item, set.interactions.by_row, options.factors + 1) {
    const Random random = run.random.fork("mf/items");
    for (std::int64_t i = 0; i < items_.mean.rows(); ++i) {
      for (std::int64_t k = 0; k < options.factors; ++k) {
        const auto draw = static_cast<std::uint64_t>(i * options.factors + k);
        items_.mean(i, k) = 0.1f * static_cast<float>(random.normal(draw));
      }
      for (float& v : items_.variance.row(i)) v = 0.01f;
    }
  }

  void users() { solve(ratings_.by_row, items_, user_prior_, users_); }
  void items() {
    solve(ratings_.by_item, users_, item_prior_, items_);
    learn_noise();
  }
  Result<std::unique_ptr<const Model>> finished() const;

 private:
  void solve(const SparseRows& cells, const Beliefs& others, ImplicitPrior& implicit,
             Beliefs& rows);
  void learn_noise();

  const Run& run_;
  const MfOptions& options_;
  const TrainingSet& set_;
  const bool ratings_only_;
  const Ratings ratings_;
  Beliefs users_, items_;
  ImplicitPrior user_prior_, item_prior_;
  double noise_ = 0.64;
  std::atomic<bool> singular_{false};
};

// One side's beliefs, then the priors and precisions that explain them best.
void Fitting::solve(const SparseRows& cells, const Beliefs& others, ImplicitPrior& implicit,
                    Beliefs& rows) {
  parallel_for(run_.pool, rows.mean.rows(), 32, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const auto row = static_cast<std::size_t>(r);
      if (!solve_row(cells.row(row), cells.row_weights(row), others.mean, others.variance, noise_,
                     rows.prior.row(r), rows.precision, rows.mean.row(r), rows.variance.row(r))) {
        singular_ = true;
      }
    }
  });
  implicit.fit(run_.pool, rows.mean, options_.implicit_regularization);
  implicit.fill(run_.pool, rows.prior);
  std::vector<double> spread(rows.precision.size());
  for (std::int64_t r = 0; r < rows.mean.rows(); ++r) {
    const auto mean = rows.mean.row(r), prior = rows.prior.row(r), variance = rows.variance.row(r);
    for (std::size_t k = 0; k < spread.size(); ++k) {
      const double off = double{mean[k]} - prior[k];
      spread[k] += off * off + variance[k];
    }
  }
  const auto count = static_cast<double>(rows.mean.rows());
  for (std::size_t k = 0; k < spread.size(); ++k) {
    rows.precision[k] = std::min(kPrecisionMax, count / std::max(spread[k], count / kPrecisionMax));
  }
}

// The mean of (rating - p.q - b_u - b_i)^2 under both beliefs.
void Fitting::learn_noise() {
  std::vector<double> errors(ratings_.by_item.rows());
  const auto factors = static_cast<std::size_t>(options_.factors);
  parallel_for(run_.pool, items_.mean.rows(), 32, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto persons = ratings_.by_item.row(static_cast<std::size_t>(i));
      const auto values = ratings_.by_item.row_weights(static_cast<std::size_t>(i));
      const auto q = items_.mean.row(i), qv = items_.variance.row(i);
      double sum = 0;
      for (std::size_t c = 0; c < persons.size(); ++c) {
        const auto p = users_.mean.row(persons[c]), pv = users_.variance.row(persons[c]);
        float predicted = p[factors] + q[factors], variance = pv[factors] + qv[factors];
        for (std::size_t k = 0; k < factors; ++k) {
          predicted += p[k] * q[k];
          variance += pv[k] * qv[k] + p[k] * p[k] * qv[k] + q[k] * q[k] * pv[k];
        }
        const double off = double{values[c]} - predicted;
        sum += off * off + variance;
      }
      errors[static_cast<std::size_t>(i)] = sum;
    }
  });
  double sum = 0;
  for (const double error : errors) sum += error;
  const auto count = static_cast<double>(ratings_.by_item.columns.size());
  if (count > 0) noise_ = std::max(kNoiseMin, sum / count);
}

Matrix copy(const Matrix& from) {
  Matrix to(from.rows(), from.cols());
  std::copy(from.data(), from.data() + from.bytes() / sizeof(float), to.data());
  return to;
}

Result<std::unique_ptr<const Model>> Fitting::finished() const {
  Fitted fitted;
  fitted.mean = copy(items_.mean);
  fitted.variance = copy(items_.variance);
  fitted.weights = copy(user_prior_.weights());
  fitted.precision = users_.precision;
  fitted.noise = noise_;
  fitted.rating_mean = ratings_.mean;
  fitted.deviation = ratings_.deviation;
  fitted.ratings_only = ratings_only_;
  for (std::uint32_t i = 0; i < set_.interactions.items; ++i) {
    if (!set_.interactions.by_item.row(i).empty()) fitted.seen.push_back(i);
  }
  const auto good = [](const Matrix& m) {
    return all_finite({m.data(), m.bytes() / sizeof(float)});
  };
  const auto largest = static_cast<float>(std::abs(ratings_.mean) + kScaleMax * ratings_.deviation);
  if (singular_ || !good(fitted.mean) || !good(fitted.variance) || !good(fitted.weights) ||
      !std::isfinite(noise_) || !std::isfinite(largest)) {
    return Error{Code::kInvalid, "mf: not finite: the ratings are too large to compute with"};
  }
  return Mf::make(options_, std::move(fitted), nullptr);
}

Error corrupt(const char* what) { return {Code::kCorrupt, std::string("mf: ") + what}; }

Result<Matrix> load_matrix(ArchiveReader& reader, std::string_view name, std::int64_t rows,
                           std::int64_t cols) {
  VT_TRY(const auto values, reader.tensor<float>(name));
  VT_TRY(const auto shape, reader.shape(name));
  if (shape != std::vector<std::int64_t>{rows, Matrix(0, cols).stride()}) {
    return corrupt("one vector per item");
  }
  if (!all_finite(values.span())) return corrupt("vectors must be finite");
  Matrix matrix(rows, cols);
  std::copy(values.begin(), values.end(), matrix.data());
  return matrix;
}

Result<Fitted> Mf::load(ArchiveReader& reader, const MfOptions& options, std::uint32_t items) {
  Fitted f;
  const std::int64_t width = options.factors + 1;
  VT_TRY(const Value ratings_only, reader.document("ratings_only"));
  if (ratings_only.as_bool() == nullptr) return corrupt("ratings_only must be a boolean");
  f.ratings_only = *ratings_only.as_bool();
  VT_TRY(f.mean, load_matrix(reader, "mean", items, width));
  VT_TRY(f.variance, load_matrix(reader, "variance", items, width));
  VT_TRY(f.weights, load_matrix(reader, "weights", items, width));
  VT_TRY(const auto precision, reader.tensor<double>("precision"));
  VT_TRY(const auto scale, reader.tensor<double>("scale"));
  VT_TRY(const auto seen, reader.tensor<std::uint32_t>("seen"));
  const auto positive = [](double v) { return std::isfinite(v) && v > 0; };
  if (std::ssize(precision) != width ||
      !std::all_of(precision.begin(), precision.end(), positive)) {
    return corrupt("one positive precision per column");
  }
  if (scale.size() != 3 || !positive(scale[0]) || !std::isfinite(scale[1]) || !positive(scale[2]) ||
      !std::isfinite(static_cast<float>(std::abs(scale[1]) + kScaleMax * scale[2]))) {
    return corrupt("noise, mean and deviation of the ratings must be finite");
  }
  for (std::size_t s = 0; s < seen.size(); ++s) {
    if (seen[s] >= items || (s > 0 && seen[s] <= seen[s - 1])) {
      return corrupt("the items seen must ascend");
    }
  }
  f.precision.assign(precision.begin(), precision.end());
  f.noise = scale[0];
  f.rating_mean = scale[1];
  f.deviation = scale[2];
  f.seen.assign(seen.begin(), seen.end());
  return f;
}

double bytes_needed(const TrainingSet& set, int factors) {
  const auto users = static_cast<double>(set.histories.rows());
  const auto items = static_cast<double>(set.histories.items());
  const double row = row_bytes(factors + 1), answer = row_bytes(factors + 2);
  // Beliefs (mean, variance, prior) and weights of both sides, and the ratings both ways.
  const double held = 4 * (users + items) * row + 16.0 * static_cast<double>(set.histories.size());
  // Then conjugate gradients on one side, or a finished model, beside the best one so far.
  const double gradients = (std::max(users, items) * 2 + users + items) * row;
  const double made = items * (3 * row + 2.5 * answer), making = made + items * answer;
  return held + std::max(gradients, making) + (set.validator == nullptr ? 0 : made);
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_mf(const Run& run, const MfOptions& options,
                                            const TrainingSet& set) {
  VT_TRY(check_factor_memory(MfOptions::kName, options.factors, options.memory_limit_mb,
                             [&](int factors) { return bytes_needed(set, factors); }));
  Fitting fitting(run, options, set);
  Epochs epochs(run, set.validator, MfOptions::kName, options.epochs,
                [&] { return fitting.finished(); });
  while (epochs.next()) {
    fitting.users();
    VT_TRY(epochs.part(1, 2));
    fitting.items();
  }
  return epochs.model();
}

Result<std::unique_ptr<const Model>> load_mf(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(auto saved, load_options<MfOptions>(reader));
  VT_TRY(Fitted fitted, Mf::load(reader, saved.first, saved.second));
  return Mf::make(saved.first, std::move(fitted), &reader);
}

}  // namespace vitrine

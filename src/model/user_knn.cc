#include "model/user_knn.h"

#include <algorithm>
#include <cmath>

#include "index/scratch.h"
#include "model/item_rows.h"
#include "model/options_archive.h"
#include "model/person_index.h"

namespace vitrine {
namespace {

// Of one request; kept for the next.
struct Scratch {
  StampedSums products;  // by person
  std::vector<Neighbour> neighbours, order;
};

class UserKnn final : public Model {
 public:
  UserKnn(UserKnnOptions options, PersonIndex persons)
      : options_(std::move(options)), persons_(std::move(persons)) {
    std::vector<float> target;
    for (std::uint32_t i = 0; i < persons_.items(); ++i) {
      const double n = std::max<double>(1, static_cast<double>(persons_.count(i)));
      item_weights_.push_back(static_cast<float>(std::pow(n, -options_.item_exponent)));
      target.push_back(static_cast<float>(std::pow(n, -options_.target_exponent)));
    }
    const SparseRows& rows = persons_.rows();
    std::vector<float> votes;
    votes.reserve(rows.weights.size());
    for (std::size_t u = 0; u < rows.rows(); ++u) {
      double squared = 0;
      for (std::uint64_t c = rows.offsets[u]; c < rows.offsets[u + 1]; ++c) {
        const std::uint32_t i = rows.columns[c];
        squared += double{item_weights_[i]} * rows.weights[c] * rows.weights[c];
        votes.push_back(rows.weights[c] * target[i]);
      }
      lengths_.push_back(static_cast<float>(
          options_.similarity == "cosine" ? std::pow(squared, options_.person_exponent) : squared));
    }
    votes_ = {rows.offsets, rows.columns, std::move(votes)};
  }

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const auto voters = neighbours_of(queries[q]);
      out.set_count(q, top_of_sparse_rows(voters, votes_, persons_.items(), mask_of(masks, q), n,
                                          out.room(q)));
    }
  }

  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    score_sparse_rows(neighbours_of(query), votes_, items, scores);
  }

  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, persons_.items());
    save_persons(writer, persons_);
  }

 private:
  // Rows of votes_ and what they weigh, in the order in which the history met them.
  std::vector<WeightedRow> neighbours_of(const Query& query) const {
    std::vector<WeightedRow> asked = rows_of_history(query.history, persons_.items());
    double squared = 0;
    for (WeightedRow& a : asked) {
      const float weight = a.weight * item_weights_[a.row];
      squared += double{weight} * a.weight;
      a.weight = weight;
    }
    const auto s = scratch_.lend();
    s->products.begin(persons_.rows().rows());
    persons_.add_products(asked, static_cast<std::size_t>(options_.sample), s->products);
    s->neighbours.clear();
    for (const std::uint32_t u : s->products.touched()) {
      s->neighbours.push_back({u, similarity(u, s->products.sum(u), squared)});
    }
    keep_nearest(s->neighbours, static_cast<std::size_t>(options_.neighbours), s->order);
    double largest = 0;
    for (const Neighbour& n : s->neighbours) largest = std::max(largest, double{n.similarity});
    std::vector<WeightedRow> voters;
    for (const Neighbour& n : s->neighbours) {
      const double share = n.similarity / largest;
      const double weight =
          share > 0 ? n.similarity * std::pow(share, options_.amplification - 1) : 0;
      voters.push_back({n.id, static_cast<float>(weight)});
    }
    return voters;
  }

  // 0 where the weights are so small that lengths vanish.
  float similarity(std::uint32_t person, float product, double squared) const {
    const double shrinkage = options_.shrinkage;
    double value = product;
    if (options_.similarity == "cosine") value /= std::sqrt(squared) * lengths_[person] + shrinkage;
    if (options_.similarity == "jaccard") {
      const double either = squared + lengths_[person] - value + shrinkage;
      value = either > 0 ? value / either : 1;
    }
    const auto rounded = static_cast<float>(value);
    return rounded > 0 && std::isfinite(rounded) ? rounded : 0;
  }

  UserKnnOptions options_;
  PersonIndex persons_;
  std::vector<float> item_weights_;  // n_i^-item_exponent
  std::vector<float> lengths_;       // by person: |x_u|^(2 person_exponent), or |x_u|^2
  SparseRows votes_;                 // x_uj n_j^-target_exponent
  mutable ScratchPool<Scratch> scratch_;
};

}  // namespace

Result<std::unique_ptr<const Model>> fit_user_knn(const Run& run, const UserKnnOptions& options,
                                                  const TrainingSet& set) {
  const std::vector<std::uint32_t> order = rows_by_last_event(set.histories);
  Stage stage(run.monitor, UserKnnOptions::kName, order.size(), "persons");
  constexpr std::size_t kBetweenAdvances = 16'384;
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> columns;
  std::vector<float> weights;
  for (std::size_t p = 0; p < order.size(); ++p) {
    if (p % kBetweenAdvances == 0) VT_TRY(stage.proceed(p));
    const auto row = set.histories.row(order[p]);
    const auto last = row.last(std::min(row.size(), kPersonEventsMax));
    for (const WeightedRow& r : rows_of_history(last, set.histories.items())) {
      columns.push_back(r.row);
      weights.push_back(r.weight);
    }
    if (columns.size() > offsets.back()) offsets.push_back(columns.size());
  }
  VT_TRY(stage.proceed(order.size()));
  SparseRows rows{std::move(offsets), std::move(columns), std::move(weights)};
  return std::make_unique<const UserKnn>(options,
                                         PersonIndex(std::move(rows), set.histories.items()));
}

Result<std::unique_ptr<const Model>> load_user_knn(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(auto saved, load_options<UserKnnOptions>(reader));
  VT_TRY(PersonIndex persons, load_persons(reader, saved.second));
  return std::make_unique<const UserKnn>(std::move(saved.first), std::move(persons));
}

}  // namespace vitrine

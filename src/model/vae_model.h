// Serving of variational autoencoders, and the part of their training that is the same. A history
// becomes the bag of its distinct known items with a weight above 0, weighing 1 / sqrt(their
// number) each, the mean of its latent distribution, and a row that scores. Nothing is drawn.
//
// A history without a known item gives an empty list; items that nobody took are not listed.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "model/item_vectors.h"
#include "model/model.h"
#include "model/neural_training.h"
#include "model/options_archive.h"
#include "model/tape_pool.h"
#include "model/vae_network.h"

namespace vitrine {

// Adds one person. Whether there was any item.
bool add_bag(PersonBags& bags, std::span<const HistoryEvent> history, const KnownItems& known);

// Rows of histories that have an item.
std::vector<std::uint32_t> persons_with_items(const Histories& histories, const KnownItems& known);
// The weights of bags with a share of them left out, the others grown by 1 / (1 - rate).
std::span<const float> kept_weights(nn::Tape& tape, const PersonBags& bags, float rate);
// `rows` with a further column of ones, for the biases of items.
nn::Var with_one(nn::Tape& tape, nn::Var rows);

// Immutable; thread-safe.
class VaeRecommender {
 public:
  struct Parts {
    nn::Parameters parameters;
    std::unique_ptr<const VaeNetwork> network;
    KnownItems known;
  };
  // kInvalid when the parameters are not finite. `archive`: what save() wrote, or null.
  static Result<std::unique_ptr<const VaeRecommender>> create(Parts parts,
                                                              ArchiveReader* archive = nullptr);
  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const;
  void score(const Query& query, std::span<const ItemIndex> items, std::span<float> scores) const;
  std::uint32_t items() const { return parts_.known.items(); }
  void save(ArchiveWriter& writer) const;

 private:
  explicit VaeRecommender(Parts parts);
  bool answer(const Query& query, std::span<float> out) const;
  const Parts parts_;
  ItemVectors vectors_;
  mutable TapePool<PersonBags> tapes_;
};

// What a step predicts: the items of each person among a sample of all items, or all.
class VaeSample {
 public:
  // `negatives`: drawn evenly for a batch, besides the batch's own items; 0: all items.
  VaeSample(const KnownItems& known, int negatives) : known_(known), negatives_(negatives) {}
  void draw(const Histories& histories, std::span<const std::uint32_t> persons,
            const Random& random);
  // The targets of some persons of the batch, as columns of the sample. Spans of `targets` and
  // `ids` live until the next call for the same shard's vectors.
  struct Targets {
    std::vector<std::uint32_t> offsets, ids;
    std::vector<float> amounts;
  };
  void targets_of(const PersonBags& bags, Targets& out) const;
  std::span<const std::uint32_t> items() const { return items_; }
  std::span<const float> log_q() const { return log_q_; }

 private:
  const KnownItems& known_;
  const int negatives_;
  std::vector<std::uint32_t> items_;     // ascending
  std::vector<float> log_q_;             // by place, or none
  std::vector<std::uint32_t> place_of_;  // by item
};

// Options have kName, fields(), and `make(options, items, parameters)` makes the network.
template <class Options>
using MakeVae = std::unique_ptr<const VaeNetwork> (*)(const Options&, std::int64_t items,
                                                      nn::Parameters&);

template <class Options>
class VaeModel final : public Model {
 public:
  VaeModel(Options options, std::unique_ptr<const VaeRecommender> recommender)
      : options_(std::move(options)), recommender_(std::move(recommender)) {}
  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    recommender_->retrieve(queries, masks, n, out);
  }
  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    recommender_->score(query, items, scores);
  }
  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, recommender_->items());
    recommender_->save(writer);
  }

 private:
  Options options_;
  std::unique_ptr<const VaeRecommender> recommender_;
};

template <class Options>
Result<std::unique_ptr<const Model>> finish_vae(const Options& options, VaeRecommender::Parts parts,
                                                ArchiveReader* archive = nullptr) {
  auto recommender = VaeRecommender::create(std::move(parts), archive);
  if (!recommender.ok()) return recommender.error().prefixed(Options::kName);
  return std::make_unique<const VaeModel<Options>>(options, std::move(recommender).value());
}

// Of a step: the scores of a batch and their gradients, and the vectors of the sample.
double vae_step_bytes(double items, int batch, int negatives, double width);

// kCorrupt unless the shapes that no range of an option bounds are right.
Status check_vae_shapes(const ArchiveReader& reader, std::int64_t items);

template <class Options>
Result<std::unique_ptr<const Model>> load_vae(ArchiveReader& reader, MakeVae<Options> make) {
  VT_TRY(auto saved, load_options<Options>(reader));
  VT_TRY(check_vae_shapes(reader, saved.second));
  VaeRecommender::Parts parts;
  VT_TRY(parts.known, KnownItems::load(reader, saved.second));
  parts.network = make(saved.first, saved.second, parts.parameters);
  VT_TRY(parts.parameters.load(reader, "network"));
  return finish_vae(saved.first, std::move(parts), &reader);
}

}  // namespace vitrine

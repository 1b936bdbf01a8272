// What all sequence models share once they are fitted: a history becomes the state after its last
// token, on a tape that writes nothing down, and a score is the product of that state with an
// item's vector (of their directions where `cosine` is set).
//
// A history without an item that training knew gives an empty list; items that nobody took in
// training are not listed and score 0 (item_vectors.h). Once warm, encoding allocates nothing.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "model/item_vectors.h"
#include "model/model.h"
#include "model/options_archive.h"
#include "model/sequence_network.h"
#include "model/tape_pool.h"

namespace vitrine {

// Immutable; thread-safe.
class SequenceRecommender {
 public:
  struct Parts {
    nn::Parameters parameters;
    std::unique_ptr<const SequenceNetwork> network;
    KnownItems known;
    int length = 50;
    bool cosine = false;
    bool ends_hidden = false;  // a hidden token follows the history: its state answers
  };
  // kInvalid when the parameters are not finite. `archive`: what save() wrote, or null.
  static Result<std::unique_ptr<const SequenceRecommender>> create(
      Parts parts, ArchiveReader* archive = nullptr);

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const;
  void score(const Query& query, std::span<const ItemIndex> items, std::span<float> scores) const;
  std::uint32_t items() const { return parts_.known.items(); }
  const KnownItems& known() const { return parts_.known; }

  // The state that answers for a history; false: there is none.
  bool state(std::span<const HistoryEvent> history, std::span<float> out) const;

  // Archive names begin with "network/"; "seen" are the known items.
  void save(ArchiveWriter& writer) const;

 private:
  explicit SequenceRecommender(Parts parts);
  const Parts parts_;
  ItemVectors vectors_;
  mutable TapePool<SequenceTokens> tapes_;
};

// The model around it. Options have kName, fields() and the members of SequenceOptions;
// `make(options, rows, parameters)` makes the network.
template <class Options>
class SequenceModel final : public Model {
 public:
  SequenceModel(Options options, std::unique_ptr<const SequenceRecommender> recommender)
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
  const SequenceRecommender& recommender() const { return *recommender_; }

 private:
  Options options_;
  std::unique_ptr<const SequenceRecommender> recommender_;
};

// How an options struct becomes a network over `rows` rows of an item embedding.
template <class Options>
using MakeNetwork = std::unique_ptr<const SequenceNetwork> (*)(const Options&, std::int64_t rows,
                                                               nn::Parameters&);

template <class Options>
Result<std::unique_ptr<const Model>> finish_sequence(const Options& options,
                                                     SequenceRecommender::Parts parts,
                                                     ArchiveReader* archive = nullptr) {
  parts.length = options.length;
  parts.cosine = options.cosine;
  auto recommender = SequenceRecommender::create(std::move(parts), archive);
  if (!recommender.ok()) return recommender.error().prefixed(Options::kName);
  return std::make_unique<const SequenceModel<Options>>(options, std::move(recommender).value());
}

template <class Options>
Result<std::unique_ptr<const Model>> load_sequence(ArchiveReader& reader, MakeNetwork<Options> make,
                                                   bool ends_hidden) {
  VT_TRY(auto saved, load_options<Options>(reader));
  SequenceRecommender::Parts parts;
  VT_TRY(parts.known, KnownItems::load(reader, saved.second));
  // The one size that is not bounded by the options' ranges: checked before memory is taken.
  VT_TRY(const auto shape, reader.shape("network/items"));
  const std::int64_t rows = std::int64_t{saved.second} + (ends_hidden ? 1 : 0);
  if (shape != std::vector<std::int64_t>{rows, saved.first.factors})
    return Error{Code::kCorrupt, "network/items has another shape than the options say"};
  parts.network = make(saved.first, rows, parts.parameters);
  VT_TRY(parts.parameters.load(reader, "network"));
  parts.ends_hidden = ends_hidden;
  return finish_sequence(saved.first, std::move(parts), &reader);
}

}  // namespace vitrine

// Training of sequence networks: predict the next item from the history before it, or hidden items
// from all around them, against negatives that a batch shares.
//
// A history is cut into windows of `length` + 1 events that overlap by one, from its end, so that
// each event but the first is predicted once. Each prediction weighs what its event weighs.
//
// Negatives are drawn once per batch, with a probability that grows with the number of persons who
// took an item: f_i ^ negative_exponent. Where there are no more items than negatives, all are
// candidates, which is the full softmax.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "model/neural_training.h"
#include "model/sequence_network.h"
#include "nn/losses.h"

namespace vitrine {

struct SequenceOptions : NeuralOptions {
  int factors = 64;
  int length = 50;
  double dropout = 0.5;
  std::string loss = "softmax";
  int negatives = 1024;
  double negative_exponent = 0;
  bool log_q = false;
  double temperature = 1;
  bool cosine = false;
  double loss_beta = 1;

  static constexpr auto sequence_fields() {
    using O = SequenceOptions;
    return std::tuple_cat(
        neural_fields("histories of a step"),
        std::tuple{
            Field{"factors", &O::factors, 1, 1024, "width of the item vectors and the network"},
            Field{"length", &O::length, 1, 1000, "events of a history that are looked at"},
            Field{"dropout", &O::dropout, 0.0, 0.95, "share of values left out while fitting"},
            Field{"loss", &O::loss, "softmax|gbce|bpr_max", "right items against negatives"},
            Field{"negatives", &O::negatives, 1, 65'536,
                  "shared by a batch; all items where there are fewer"},
            Field{"negative_exponent", &O::negative_exponent, 0.0, 2.0,
                  "negatives are drawn by popularity to this power; 0: evenly"},
            Field{"log_q", &O::log_q,
                  "correct scores for how often an item is drawn, so that popular items keep what "
                  "they are due"},
            Field{"temperature", &O::temperature, 0.01, 10.0,
                  "scores are divided by it in the loss"},
            Field{"cosine", &O::cosine, "compare directions: vectors have length 1"},
            Field{"loss_beta", &O::loss_beta, 0.0, 100.0,
                  "weight of the right item in gbce, of the scores' size in bpr_max"}});
  }
};

// What a network is asked to predict.
enum class Prediction {
  kNext,    // the item after each token
  kHidden,  // tokens that are replaced by the row after the items (Sun et al., BERT4Rec, CIKM 2019)
};

class SequenceTask : public NeuralTask {
 public:
  // All must outlive it.
  SequenceTask(const SequenceOptions& options, const TrainingSet& set, const KnownItems& known,
               const SequenceNetwork& network, Prediction prediction, double hidden_share = 0);

  std::int64_t examples() const override { return static_cast<std::int64_t>(windows_.size()); }
  void begin_batch(std::span<const std::uint32_t> examples, const Random& random) override;
  void build(nn::Tape& tape, int shard, std::span<const std::uint32_t> examples) override;

 private:
  // Events [begin, end) of the known ones, which lie one history after the other in events_.
  struct Window {
    std::uint32_t begin, end;
  };
  struct Shard {
    SequenceTokens tokens;
    std::vector<std::uint32_t> targets, rows;  // items, and the tokens that predict them
    std::vector<float> weights, log_q;
  };
  void cut_windows(const TrainingSet& set);
  void prepare_draws(const TrainingSet& set);
  void draw_negatives(const Random& random);
  void add_next(Shard& shard, const Window& window) const;
  void add_hidden(Shard& shard, const Window& window) const;
  void hide(const Window& window, const Random& random);
  bool predicted(std::uint32_t event, const Window& window) const {
    return prediction_ == Prediction::kNext ? event > window.begin : hidden_[event] != 0;
  }
  void add_loss(nn::Tape& tape, nn::Var states, Shard& shard) const;

  const SequenceOptions& options_;
  const KnownItems& known_;
  const SequenceNetwork& network_;
  const Prediction prediction_;
  const double hidden_share_;
  std::vector<HistoryEvent> events_;  // of known items
  std::vector<Window> windows_;
  std::vector<double> cumulative_;  // of the draws of known items
  std::vector<float> log_q_of_;     // by item, or none
  std::vector<std::uint32_t> negatives_;
  std::vector<float> negative_log_q_;
  std::vector<std::uint8_t> hidden_;  // by event, of the present batch
  double batch_weight_ = 1;
  std::array<Shard, kNeuralShards> shards_;
};

}  // namespace vitrine

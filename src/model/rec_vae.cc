#include "model/rec_vae.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "model/memory.h"
#include "model/vae_model.h"
#include "nn/dense.h"
#include "nn/losses.h"

namespace vitrine {
namespace {

using nn::Activation;
using nn::ParameterId;
using nn::Var;

class RecVaeNetwork final : public VaeNetwork {
 public:
  RecVaeNetwork(const RecVaeOptions& o, std::int64_t items, nn::Parameters& p)
      : latent_(o.factors) {
    input_ = p.add("input", items, o.hidden, nn::Update::kRows);
    for (int l = 0; l < o.layers; ++l) {
      const std::string name = "layer" + std::to_string(l) + "_";
      Layer layer;
      if (l > 0) layer.weight = p.add(name + "weight", o.hidden, o.hidden);
      layer.bias = p.add(name + "bias", 1, o.hidden);
      layer.gain = p.add(name + "gain", 1, o.hidden);
      layer.shift = p.add(name + "shift", 1, o.hidden);
      layers_.push_back(layer);
    }
    latent_weight_ = p.add("latent_weight", o.hidden, 2 * latent_);
    latent_bias_ = p.add("latent_bias", 1, 2 * latent_);
    items_ = p.add("items", items, latent_ + 1, nn::Update::kRows);
  }

  Posterior encode(nn::Tape& t, const PersonBags& bags, float dropout) const override {
    const Var in = nn::bag(t, input_, bags.offsets, bags.items, kept_weights(t, bags, dropout));
    Var hidden{}, before{};  // before: the sum of all layers so far
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const Layer& layer = layers_[l];
      Var x = l == 0 ? add_row(t, in, layer.bias)
                     : add(t, linear(t, hidden, layer.weight, layer.bias), before);
      hidden = layer_norm(t, activate(t, Activation::kSilu, x), layer.gain, layer.shift);
      before = l == 0 ? hidden : add(t, before, hidden);
    }
    const Var both = linear(t, hidden, latent_weight_, latent_bias_);
    return {columns(t, both, 0, latent_), columns(t, both, latent_, latent_)};
  }

  Var decode(nn::Tape&, Var latent) const override { return latent; }

  void initialize(nn::Parameters& p, const Random& random) const override {
    for (const ParameterId id : {input_, latent_weight_, items_}) p.fill_glorot(id, random);
    for (const Layer& layer : layers_) {
      if (layer.weight.exists()) p.fill_glorot(layer.weight, random);
      p.fill(layer.gain, 1);
    }
    Matrix& items = p[items_];
    for (std::int64_t i = 0; i < items.rows(); ++i) items(i, items.cols() - 1) = 0;
  }
  ParameterId items() const override { return items_; }

 private:
  struct Layer {
    ParameterId weight, bias, gain, shift;
  };
  const std::int64_t latent_;
  ParameterId input_, latent_weight_, latent_bias_, items_;
  std::vector<Layer> layers_;
};

std::unique_ptr<const VaeNetwork> network_of(const RecVaeOptions& options, std::int64_t items,
                                             nn::Parameters& parameters) {
  return std::make_unique<const RecVaeNetwork>(options, items, parameters);
}

constexpr int kEncoderEpochs = 3, kCycle = kEncoderEpochs + 1;

class RecVaeTask final : public NeuralTask {
 public:
  RecVaeTask(const RecVaeOptions& options, const TrainingSet& set, const KnownItems& known,
             const VaeNetwork& network, const nn::Parameters& parameters)
      : options_(options),
        histories_(set.histories),
        known_(known),
        network_(network),
        parameters_(parameters),
        old_(parameters),
        persons_(persons_with_items(set.histories, known)),
        sample_(known, options.negatives) {
    for (auto& tape : old_tapes_) tape = std::make_unique<nn::Tape>(old_);
  }

  std::int64_t examples() const override { return static_cast<std::int64_t>(persons_.size()); }

  // The encoder rests while the decoder learns, so the prior may be taken anew at any of its steps.
  void begin_epoch(int epoch) override {
    encodes_ = epoch % kCycle < kEncoderEpochs;
    if (encodes_) return;
    for (std::size_t p = 0; p < old_.size(); ++p) {
      const ParameterId id{static_cast<std::int32_t>(p)};
      std::copy_n(parameters_[id].data(), parameters_[id].bytes() / sizeof(float), old_[id].data());
    }
  }
  bool learns(ParameterId id) const override {
    return encodes_ == (id.index != network_.items().index);
  }
  nn::Parameters* kept() override { return &old_; }

  void begin_batch(std::span<const std::uint32_t> examples, const Random& random) override {
    batch_.clear();
    for (const std::uint32_t example : examples) batch_.push_back(persons_[example]);
    sample_.draw(histories_, batch_, random);
    weight_ = 1 / static_cast<float>(examples.size());
  }

  void build(nn::Tape& t, int shard_number, std::span<const std::uint32_t> examples) override {
    Shard& shard = shards_[static_cast<std::size_t>(shard_number)];
    shard.bags.clear();
    for (const std::uint32_t example : examples)
      add_bag(shard.bags, histories_.row(persons_[example]), known_);
    if (shard.bags.items.empty()) return;
    sample_.targets_of(shard.bags, shard.targets);
    const float dropout = encodes_ ? static_cast<float>(options_.dropout) : 0;
    const auto now = network_.encode(t, shard.bags, dropout);
    const Var z = sample_normal(t, now.mean, now.log_variance);
    if (encodes_) add_divergence(t, shard_number, now, z);
    const Var logits = products(t, with_one(t, network_.decode(t, z)),
                                gather(t, network_.items(), sample_.items()));
    multinomial_loss(
        t, logits,
        {shard.targets.offsets, shard.targets.ids, shard.targets.amounts, sample_.log_q()},
        weight_);
  }

  Result<std::unique_ptr<const Model>> finished(const nn::Parameters& parameters) override {
    VaeRecommender::Parts parts;
    parts.known = known_;
    parts.network = network_of(options_, known_.items(), parts.parameters);
    parts.parameters = nn::Parameters(parameters);
    return finish_vae(options_, std::move(parts));
  }

 private:
  struct Shard {
    PersonBags bags;
    VaeSample::Targets targets;
    std::vector<float> weights;
  };

  void add_divergence(nn::Tape& t, int shard_number, const VaeNetwork::Posterior& now, Var z) {
    Shard& shard = shards_[static_cast<std::size_t>(shard_number)];
    shard.weights.clear();
    for (std::size_t p = 0; p + 1 < shard.bags.offsets.size(); ++p) {
      const auto count = static_cast<float>(shard.bags.offsets[p + 1] - shard.bags.offsets[p]);
      shard.weights.push_back(weight_ * static_cast<float>(options_.gamma) * count);
    }
    nn::Tape& old_tape = *old_tapes_[static_cast<std::size_t>(shard_number)];
    old_tape.begin(nn::Tape::Mode::kServing);
    const auto before = network_.encode(old_tape, shard.bags, 0);
    composite_divergence(t, z, now.mean, now.log_variance, old_tape.value(before.mean),
                         old_tape.value(before.log_variance), shard.weights);
  }

  const RecVaeOptions& options_;
  const Histories& histories_;
  const KnownItems& known_;
  const VaeNetwork& network_;
  const nn::Parameters& parameters_;
  nn::Parameters old_;                        // what the prior remembers
  const std::vector<std::uint32_t> persons_;  // rows of the histories
  VaeSample sample_;
  bool encodes_ = true;
  std::vector<std::uint32_t> batch_;
  float weight_ = 1;
  std::array<Shard, kNeuralShards> shards_;
  std::array<std::unique_ptr<nn::Tape>, kNeuralShards> old_tapes_;
};

Status check_memory(const RecVaeOptions& options, const TrainingSet& set) {
  return check_factor_memory(
      RecVaeOptions::kName, options.factors, options.memory_limit_mb, [&](int factors) {
        const double items = set.interactions.items, hidden = options.hidden;
        const double rows = items * (hidden + factors + 1);
        const double whole = hidden * (hidden * (options.layers - 1) + 2.0 * factors);
        return neural_bytes(rows, whole) + 4 * (rows + whole) +
               vae_step_bytes(items, options.batch, options.negatives, factors);
      });
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_rec_vae(const Run& run, const RecVaeOptions& options,
                                                 const TrainingSet& set) {
  VT_TRY(check_memory(options, set));
  const KnownItems known = KnownItems::of(set.interactions);
  nn::Parameters parameters;
  const auto network = network_of(options, known.items(), parameters);
  network->initialize(parameters, run.random.fork("parameters"));
  RecVaeTask task(options, set, known, *network, parameters);
  return fit_neural(run, set,
                    {RecVaeOptions::kName, options, write_options(options), parameters, task});
}

Result<std::unique_ptr<const Model>> load_rec_vae(ArchiveReader& reader, const Catalogue&) {
  return load_vae<RecVaeOptions>(reader, &network_of);
}

}  // namespace vitrine

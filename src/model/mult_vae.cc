#include "model/mult_vae.h"

#include <algorithm>
#include <array>
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

class MultVaeNetwork final : public VaeNetwork {
 public:
  MultVaeNetwork(const MultVaeOptions& o, std::int64_t items, nn::Parameters& p)
      : variational_(o.variational), latent_(o.factors), decodes_(o.decoder_hidden > 0) {
    const std::int64_t width = decodes_ ? o.decoder_hidden : o.factors;
    input_ = p.add("input", items, o.hidden, nn::Update::kRows);
    input_bias_ = p.add("input_bias", 1, o.hidden);
    latent_weight_ = p.add("latent_weight", o.hidden, latent_ * (variational_ ? 2 : 1));
    latent_bias_ = p.add("latent_bias", 1, latent_ * (variational_ ? 2 : 1));
    if (decodes_) {
      decoder_weight_ = p.add("decoder_weight", latent_, width);
      decoder_bias_ = p.add("decoder_bias", 1, width);
    }
    items_ = p.add("items", items, width + 1, nn::Update::kRows);
  }

  Posterior encode(nn::Tape& t, const PersonBags& bags, float dropout) const override {
    const Var in = nn::bag(t, input_, bags.offsets, bags.items, kept_weights(t, bags, dropout));
    const Var hidden = activate(t, Activation::kTanh, add_row(t, in, input_bias_));
    const Var both = linear(t, hidden, latent_weight_, latent_bias_);
    if (!variational_) return {both, both};
    return {columns(t, both, 0, latent_), columns(t, both, latent_, latent_)};
  }

  Var decode(nn::Tape& t, Var latent) const override {
    if (!decodes_) return latent;
    return activate(t, Activation::kTanh, linear(t, latent, decoder_weight_, decoder_bias_));
  }

  void initialize(nn::Parameters& p, const Random& random) const override {
    for (const ParameterId id : {input_, latent_weight_, items_}) p.fill_glorot(id, random);
    if (decodes_) p.fill_glorot(decoder_weight_, random);
    Matrix& items = p[items_];
    for (std::int64_t i = 0; i < items.rows(); ++i) items(i, items.cols() - 1) = 0;
  }
  ParameterId items() const override { return items_; }

 private:
  const bool variational_;
  const std::int64_t latent_;
  const bool decodes_;
  ParameterId input_, input_bias_, latent_weight_, latent_bias_, decoder_weight_, decoder_bias_,
      items_;
};

std::unique_ptr<const VaeNetwork> network_of(const MultVaeOptions& options, std::int64_t items,
                                             nn::Parameters& parameters) {
  return std::make_unique<const MultVaeNetwork>(options, items, parameters);
}

class MultVaeTask final : public NeuralTask {
 public:
  MultVaeTask(const MultVaeOptions& options, const TrainingSet& set, const KnownItems& known,
              const VaeNetwork& network)
      : options_(options),
        histories_(set.histories),
        known_(known),
        network_(network),
        persons_(persons_with_items(set.histories, known)),
        sample_(known, options.negatives) {}

  std::int64_t examples() const override { return static_cast<std::int64_t>(persons_.size()); }

  void begin_epoch(int epoch) override {
    steps_ = std::int64_t{epoch} * ((examples() + options_.batch - 1) / options_.batch);
  }

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
    const auto posterior = network_.encode(t, shard.bags, static_cast<float>(options_.dropout));
    Var latent = posterior.mean;
    if (options_.variational) {
      shard.weights.assign(examples.size(), weight_ * beta());
      normal_divergence(t, posterior.mean, posterior.log_variance, shard.weights);
      latent = sample_normal(t, posterior.mean, posterior.log_variance);
    }
    const Var row = with_one(t, network_.decode(t, latent));
    const Var logits = products(t, row, gather(t, network_.items(), sample_.items()));
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
  float beta() const {
    const double risen = options_.anneal == 0
                             ? 1.0
                             : static_cast<double>(steps_) / static_cast<double>(options_.anneal);
    return static_cast<float>(options_.beta * std::min(1.0, risen));
  }

  const MultVaeOptions& options_;
  const Histories& histories_;
  const KnownItems& known_;
  const VaeNetwork& network_;
  const std::vector<std::uint32_t> persons_;  // rows of the histories
  VaeSample sample_;
  std::int64_t steps_ = 0;  // before the present epoch
  std::vector<std::uint32_t> batch_;
  float weight_ = 1;
  std::array<Shard, kNeuralShards> shards_;
};

Status check_memory(const MultVaeOptions& options, const TrainingSet& set) {
  return check_factor_memory(
      MultVaeOptions::kName, options.factors, options.memory_limit_mb, [&](int factors) {
        const double items = set.interactions.items;
        const double width = options.decoder_hidden > 0 ? options.decoder_hidden : factors;
        return neural_bytes(items * (options.hidden + width + 1),
                            factors * (2.0 * options.hidden + options.decoder_hidden)) +
               vae_step_bytes(items, options.batch, options.negatives, width);
      });
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_mult_vae(const Run& run, const MultVaeOptions& options,
                                                  const TrainingSet& set) {
  VT_TRY(check_memory(options, set));
  const KnownItems known = KnownItems::of(set.interactions);
  nn::Parameters parameters;
  const auto network = network_of(options, known.items(), parameters);
  network->initialize(parameters, run.random.fork("parameters"));
  MultVaeTask task(options, set, known, *network);
  return fit_neural(run, set,
                    {MultVaeOptions::kName, options, write_options(options), parameters, task});
}

Result<std::unique_ptr<const Model>> load_mult_vae(ArchiveReader& reader, const Catalogue&) {
  return load_vae<MultVaeOptions>(reader, &network_of);
}

}  // namespace vitrine

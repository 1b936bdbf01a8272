// RecVAE: Mult-VAE with a deeper encoder, a prior that remembers, and a divergence that weighs what
// a person took. Shenbin, Alekseev, Tutubalina, Malykh, Nikolenko, "RecVAE: a new variational
// autoencoder for top-N recommendations with implicit feedback", WSDM 2020. With x the bag of a
// person's items, divided by its length and partly dropped, and sums over all layers before (dense
// connections):
//
//   h_1 = norm(swish(x E + b)), h_l = norm(swish(h_{l-1} W_l + b_l + h_1 + ... + h_{l-1}))
//   mean, ln variance = h W + c           z = mean + deviation * draw          scores = z . I + a
//   minimised: the mean over persons of  -sum_{i in x} ln softmax(scores)_i + gamma |x| KL
//
// where KL is estimated at z against the composite prior (nn/losses.h), which holds what the
// encoder said at its last epoch. Encoder and decoder learn in turn: three epochs of the one,
// dropping items, then one of the other, dropping none.
//
// The softmax may be sampled as mult_vae's.
#pragma once

#include "model/model.h"
#include "model/neural_training.h"

namespace vitrine {

struct RecVaeOptions : NeuralOptions {
  int factors = 200;
  int hidden = 300;
  int layers = 3;
  double dropout = 0.5;
  double gamma = 0.005;
  int negatives = 0;

  RecVaeOptions() {
    epochs = 20;
    batch = 256;
    measure_every = 4;  // both have learned
  }

  static constexpr std::string_view kName = "rec_vae";
  static constexpr auto fields() {
    using O = RecVaeOptions;
    return std::tuple_cat(
        neural_fields("persons of a step"),
        std::tuple{
            Field{"factors", &O::factors, 1, 1024, "width of the latent vector"},
            Field{"hidden", &O::hidden, 1, 4096, "width of the encoder's layers"},
            Field{"layers", &O::layers, 1, 8, "of the encoder"},
            Field{"dropout", &O::dropout, 0.0, 0.95,
                  "share of a person's items left out while the encoder learns"},
            Field{"gamma", &O::gamma, 0.0, 1.0, "weight of the divergence, per item of a person"},
            Field{"negatives", &O::negatives, 0, 1 << 20,
                  "items drawn for a step beside the batch's own; 0: all items"}});
  }
};

// kExhausted, with the number, when it would not fit; kInvalid when the loss was not finite.
Result<std::unique_ptr<const Model>> fit_rec_vae(const Run& run, const RecVaeOptions& options,
                                                 const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_rec_vae(ArchiveReader& reader,
                                                  const Catalogue& catalogue);

}  // namespace vitrine

// Mult-VAE and Mult-DAE: an autoencoder of a person's items with a multinomial likelihood. Liang,
// Krishnan, Hoffman, Jebara, "Variational autoencoders for collaborative filtering", WWW 2018. With
// x the bag of a person's items, divided by its length and partly dropped,
//
//   h = tanh(x E + b)           mean, ln variance = h W + c           z = mean + deviation * draw
//   row = tanh(z V + d), or z itself where decoder_hidden is 0        scores = row . I + a
//   minimised: the mean over persons of  -sum_{i in x} ln softmax(scores)_i + beta KL(z | N(0, 1))
//
// beta rises over `anneal` steps, epoch by epoch. `variational = false` is Mult-DAE: z is the mean,
// beta 0.
//
// The softmax is over all items, or over the batch's own and `negatives` that are drawn evenly,
// weighed by how often they are drawn: steps then cost what a batch touches.
#pragma once

#include "model/model.h"
#include "model/neural_training.h"

namespace vitrine {

struct MultVaeOptions : NeuralOptions {
  int factors = 200;
  int hidden = 600;
  int decoder_hidden = 0;
  double dropout = 0.5;
  bool variational = true;
  double beta = 0.2;
  int anneal = 2000;
  int negatives = 0;

  MultVaeOptions() {
    epochs = 20;
    batch = 256;
  }

  static constexpr std::string_view kName = "mult_vae";
  static constexpr auto fields() {
    using O = MultVaeOptions;
    return std::tuple_cat(
        neural_fields("persons of a step"),
        std::tuple{
            Field{"factors", &O::factors, 1, 1024, "width of the latent vector"},
            Field{"hidden", &O::hidden, 1, 4096, "width of the layer between items and latent"},
            Field{
                "decoder_hidden", &O::decoder_hidden, 0, 4096,
                "width of the layer between latent and items; 0: none, cheaper and often as good"},
            Field{"dropout", &O::dropout, 0.0, 0.95, "share of a person's items left out"},
            Field{"variational", &O::variational, "false: a denoising autoencoder (Mult-DAE)"},
            Field{"beta", &O::beta, 0.0, 10.0, "weight of the divergence, once it has risen"},
            Field{"anneal", &O::anneal, 0, 1'000'000, "steps in which it rises"},
            Field{"negatives", &O::negatives, 0, 1 << 20,
                  "items drawn for a step beside the batch's own; 0: all items"}});
  }
};

// kExhausted, with the number, when it would not fit; kInvalid when the loss was not finite.
Result<std::unique_ptr<const Model>> fit_mult_vae(const Run& run, const MultVaeOptions& options,
                                                  const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_mult_vae(ArchiveReader& reader,
                                                   const Catalogue& catalogue);

}  // namespace vitrine

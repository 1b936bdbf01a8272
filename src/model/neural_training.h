// The loop that all neural models share: examples in an order of their own each epoch, batches
// whose shards go through one tape each, a step of Adam, early stopping through the validator, a
// checkpoint now and then, and exact resumption from it. A moving average of the parameters
// (Polyak, Juditsky 1992; as an exponential one, Tarvainen, Valpola 2017) may answer instead of the
// last.
//
// Everything drawn is a function of (seed, epoch, batch): the same bytes for any number of threads,
// and for a fit that was killed and taken up again.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "base/options.h"
#include "model/model.h"
#include "nn/optimizer.h"

namespace vitrine {

// What every neural model may be told of its training. A model's options inherit it.
struct NeuralOptions {
  int epochs = 50;
  int batch = 64;
  double learning_rate = 1e-3;
  std::string schedule = "constant";
  int warmup = 0;
  double weight_decay = 0;
  double clip = 0;
  double average = 0;
  int measure_every = 1;
  int memory_limit_mb = 8192;

  // `batch_help` says what a batch is counted in.
  static constexpr auto neural_fields(std::string_view batch_help) {
    using O = NeuralOptions;
    return std::tuple{
        Field{"epochs", &O::epochs, 1, 10'000, "passes over the training data"},
        Field{"batch", &O::batch, 1, 1 << 16, batch_help},
        Field{"learning_rate", &O::learning_rate, 1e-7, 1.0, "of Adam"},
        Field{"schedule", &O::schedule, "constant|linear|cosine",
              "how the learning rate falls over `epochs`"},
        Field{"warmup", &O::warmup, 0, 1'000'000, "steps in which the learning rate rises"},
        Field{"weight_decay", &O::weight_decay, 0.0, 1.0, "of AdamW"},
        Field{"clip", &O::clip, 0.0, 1e6, "bound of the gradient's norm; 0: none"},
        Field{"average", &O::average, 0.0, 0.9999,
              "answer by a moving average of the parameters that keeps this share in a step; 0: by "
              "the last ones"},
        Field{"measure_every", &O::measure_every, 1, 10'000,
              "epochs between two measurements, where fitting may stop early"},
        Field{"memory_limit_mb", &O::memory_limit_mb, 1, 1 << 24,
              "fitting refuses to start when it would need more"}};
  }
};

// Shards of a batch: fixed, so that sums do not depend on the number of threads.
inline constexpr int kNeuralShards = 2;

// What a model adds to the loop. Examples are numbers below examples(): persons, sequences, pairs.
class NeuralTask {
 public:
  virtual ~NeuralTask() = default;
  virtual std::int64_t examples() const = 0;
  virtual void begin_epoch(int) {}  // from 0
  // Whether a parameter moves in the present epoch.
  virtual bool learns(nn::ParameterId) const { return true; }
  // What else an exact resumption needs; or null.
  virtual nn::Parameters* kept() { return nullptr; }
  // What a batch's shards share is made here: negatives, the sum of all weights.
  virtual void begin_batch(std::span<const std::uint32_t> examples, const Random& random) = 0;
  // Writes the loss of a shard's examples on its tape, as its share of the batch's. Shards run at
  // once, from several threads; what a shard keeps (ids, weights) must live until the next batch.
  virtual void build(nn::Tape& tape, int shard, std::span<const std::uint32_t> examples) = 0;
  // A finished model of these parameters, which are the present ones or an average.
  virtual Result<std::unique_ptr<const Model>> finished(const nn::Parameters& parameters) = 0;
};

struct NeuralFit {
  std::string_view name;  // of the model kind
  const NeuralOptions& options;
  Table settings;  // all options, and a fingerprint of what else the bytes depend on besides
                   // histories, merge options and seed: what a checkpoint must agree with
  nn::Parameters& parameters;
  NeuralTask& task;
};

// kCancelled, and the error of a checkpoint that cannot be written: the last one then stays.
// kInvalid, naming epoch and step, where the loss is not finite: a checkpoint then stays, with the
// last state that was good. When there is a model it has ended (Checkpoint::end).
Result<std::unique_ptr<const Model>> fit_neural(const Run& run, const TrainingSet& set,
                                                const NeuralFit& fit);

// Of training: parameters with their moments, gradients and the copies of the best model so far.
// `by_rows`, `whole`: numbers of parameters by the way they are updated.
double neural_bytes(double by_rows, double whole);

}  // namespace vitrine

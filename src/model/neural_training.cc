#include "model/neural_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

#include "base/json.h"
#include "base/kernels.h"
#include "model/checkpoint.h"
#include "model/epochs.h"

namespace vitrine {
namespace {

// Order-dependent, by the finaliser of SplitMix64.
class Fingerprint {
 public:
  void add(std::uint64_t bits) {
    hash_ = (hash_ ^ bits) * 0x9e3779b97f4a7c15;
    hash_ = (hash_ ^ hash_ >> 30) * 0xbf58476d1ce4e5b9;
    hash_ = (hash_ ^ hash_ >> 27) * 0x94d049bb133111eb;
    hash_ ^= hash_ >> 31;
  }
  void add(std::string_view text) {
    add(text.size());
    for (const char c : text) add(static_cast<std::uint64_t>(static_cast<unsigned char>(c)));
  }
  std::string text() const { return fmt::format("{:016x}", hash_); }

 private:
  std::uint64_t hash_ = 0;
};

// Of all that the bytes of a fit depend on; of the validator, its state before it was asked.
std::string fingerprint_of(const Run& run, const TrainingSet& set, const NeuralFit& fit) {
  Fingerprint f;
  f.add(fit.name);
  f.add(to_json(fit.settings));
  f.add(to_json(write_options(set.merge)));
  f.add(set.validator == nullptr ? "" : to_json(set.validator->state()));
  f.add(nn::operations().name);
  f.add(kernels().name);
  f.add(run.random.key());
  f.add(set.histories.users());
  f.add(set.histories.items());
  for (const std::uint64_t offset : set.histories.offsets()) f.add(offset);
  for (const HistoryEvent& e : set.histories.events()) {
    f.add(std::uint64_t{raw(e.item)} << 8 | static_cast<std::uint64_t>(e.type));
    f.add(e.group);
    f.add(static_cast<std::uint64_t>(e.time));
    f.add(std::uint64_t{std::bit_cast<std::uint32_t>(e.value)} << 32 |
          std::bit_cast<std::uint32_t>(e.weight));
  }
  return f.text();
}

// A moving average of parameters. It is brought up to date every few steps, which is as good and
// costs less; at first it forgets faster, so that the beginning does not weigh.
class MovingAverage {
 public:
  MovingAverage(const nn::Parameters& parameters, double keep)
      : average_(parameters), keep_(std::pow(keep, kEvery)) {}

  void step(ThreadPool& pool, const nn::Parameters& parameters, std::int64_t steps) {
    if (steps % kEvery != 0) return;
    const auto t = static_cast<double>(steps) / kEvery;
    const auto keep = static_cast<float>(std::min(keep_, t / (t + 9)));
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      const nn::ParameterId id{static_cast<std::int32_t>(p)};
      const float* from = parameters[id].data();
      float* to = average_[id].data();
      const auto numbers = static_cast<std::int64_t>(parameters[id].bytes() / sizeof(float));
      parallel_for(pool, numbers, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) to[i] = from[i] + keep * (to[i] - from[i]);
      });
    }
  }
  nn::Parameters& parameters() { return average_; }

 private:
  static constexpr int kEvery = 8;  // steps
  nn::Parameters average_;
  const double keep_;
};

nn::Schedule schedule_of(const std::string& name) {
  if (name == "linear") return nn::Schedule::kLinear;
  return name == "cosine" ? nn::Schedule::kCosine : nn::Schedule::kConstant;
}

class NeuralTrainer {
 public:
  NeuralTrainer(const Run& run, const TrainingSet& set, const NeuralFit& fit)
      : run_(run),
        set_(set),
        fit_(fit),
        optimizer_(fit.parameters, {.rate = fit.options.learning_rate,
                                    .decay = fit.options.weight_decay,
                                    .clip = fit.options.clip}),
        schedule_(schedule_of(fit.options.schedule)),
        order_(static_cast<std::size_t>(fit.task.examples())),
        batches_(
            static_cast<int>((fit.task.examples() + fit.options.batch - 1) / fit.options.batch)) {
    if (fit.options.average > 0) average_.emplace(fit.parameters, fit.options.average);
    for (int s = 0; s < kNeuralShards; ++s) {
      tapes_.push_back(std::make_unique<nn::Tape>(fit.parameters));
      views_.push_back(tapes_.back().get());
    }
  }

  Result<std::unique_ptr<const Model>> train() {
    Epochs epochs(
        run_, set_.validator, fit_.name, fit_.options.epochs,
        [this] { return fit_.task.finished(average_ ? average_->parameters() : fit_.parameters); },
        fit_.options.measure_every);
    if (set_.checkpoint != nullptr) VT_TRY(resume(epochs));
    while (epochs.next()) {
      begin_epoch(epochs.done());
      for (; next_batch_ < batches_; ++next_batch_) {
        VT_TRY(step(epochs.done()));
        VT_TRY(epochs.part(next_batch_ + 1, batches_));
        if (set_.checkpoint != nullptr && set_.checkpoint->due(run_.monitor.usage().elapsed_s))
          VT_TRY(save(epochs));
      }
      next_batch_ = 0;
    }
    auto model = epochs.model();
    if (model.ok() && set_.checkpoint != nullptr) {
      // What stays by accident is no reason to lose the model: it would go on from its end.
      if (const Status gone = set_.checkpoint->end(); !gone.ok()) note(gone.error().message);
    }
    return model;
  }

 private:
  void begin_epoch(int epoch) {
    epoch_random_ = run_.random.fork("epochs").fork(static_cast<std::uint64_t>(epoch));
    std::iota(order_.begin(), order_.end(), 0u);
    shuffle(order_, epoch_random_.fork("order"));
    fit_.task.begin_epoch(epoch);
    frozen_.clear();
    for (std::size_t p = 0; p < fit_.parameters.size(); ++p)
      frozen_.push_back(!fit_.task.learns({static_cast<std::int32_t>(p)}));
  }

  Status step(int epoch) {
    const auto begin =
        static_cast<std::size_t>(next_batch_) * static_cast<std::size_t>(fit_.options.batch);
    const std::size_t size =
        std::min(static_cast<std::size_t>(fit_.options.batch), order_.size() - begin);
    const std::span<const std::uint32_t> batch(order_.data() + begin, size);
    const Random random = epoch_random_.fork(static_cast<std::uint64_t>(next_batch_) + 1);
    fit_.task.begin_batch(batch, random.fork("batch"));
    run_.pool.run(kNeuralShards, [&](std::int64_t shard) {
      const std::size_t from = size * static_cast<std::size_t>(shard) / kNeuralShards;
      const std::size_t to = size * static_cast<std::size_t>(shard + 1) / kNeuralShards;
      nn::Tape& tape = *tapes_[static_cast<std::size_t>(shard)];
      tape.begin(nn::Tape::Mode::kTraining, random.fork(static_cast<std::uint64_t>(shard)));
      fit_.task.build(tape, static_cast<int>(shard), batch.subspan(from, to - from));
      tape.backward();
    });
    const std::int64_t steps = std::int64_t{fit_.options.epochs} * batches_;
    const double share =
        nn::schedule_share(schedule_, optimizer_.steps(), fit_.options.warmup, steps);
    const Status done = optimizer_.step(run_.pool, views_, share, frozen_);
    if (done.ok()) {
      if (average_) average_->step(run_.pool, fit_.parameters, optimizer_.steps());
      return {};
    }
    std::string message = fmt::format("epoch {}: {}", epoch + 1, done.error().message);
    if (set_.checkpoint != nullptr && file_exists_)
      message += "; " + set_.checkpoint->path() + " holds the last state that was kept before";
    return Error{done.error().code, std::move(message)};
  }

  Status save(const Epochs& epochs) {
    VT_TRY(set_.checkpoint->save(fingerprint(), [&](ArchiveWriter& writer) {
      fit_.parameters.save(writer, "parameters");
      if (average_) average_->parameters().save(writer, "average");
      if (fit_.task.kept() != nullptr) fit_.task.kept()->save(writer, "kept");
      optimizer_.save(writer, "optimizer");
      writer.document("epoch", epochs.done());
      writer.document("batch", next_batch_ + 1);
      if (set_.validator != nullptr) writer.document("validator", set_.validator->state());
      writer.document("has_best", epochs.best() != nullptr);
      if (epochs.best() == nullptr) return;
      writer.enter("best");
      epochs.best()->save(writer);
      writer.leave();
    }));
    file_exists_ = true;
    return {};
  }

  Status resume(Epochs& epochs) {
    std::string why;
    VT_TRY(const auto reader, set_.checkpoint->open(fingerprint(), why));
    if (!why.empty()) note(why + "; starting anew");
    if (reader == nullptr) return {};
    const auto epoch = restore(*reader, epochs);
    if (!epoch.ok()) {
      return epoch.error().prefixed(set_.checkpoint->path() +
                                    " does not fit; remove it to start anew");
    }
    file_exists_ = true;
    note(fmt::format("goes on in epoch {} from {}", *epoch + 1, set_.checkpoint->path()));
    return {};
  }

  // Epochs completed.
  Result<int> restore(ArchiveReader& reader, Epochs& epochs) {
    VT_TRY(const Value epoch, reader.document("epoch"));
    VT_TRY(const Value batch, reader.document("batch"));
    VT_TRY(const Value has_best, reader.document("has_best"));
    if (epoch.as_int() == nullptr || batch.as_int() == nullptr || has_best.as_bool() == nullptr ||
        *epoch.as_int() < 0 || *epoch.as_int() >= fit_.options.epochs || *batch.as_int() < 0 ||
        *batch.as_int() > batches_) {
      return Error{Code::kCorrupt, "it names no place in the training"};
    }
    VT_TRY(fit_.parameters.load(reader, "parameters"));
    if (average_) VT_TRY(average_->parameters().load(reader, "average"));
    if (fit_.task.kept() != nullptr) VT_TRY(fit_.task.kept()->load(reader, "kept"));
    VT_TRY(optimizer_.load(reader, "optimizer"));
    if (set_.validator != nullptr) {
      VT_TRY(const Value state, reader.document("validator"));
      VT_TRY(set_.validator->restore(state));
    }
    std::unique_ptr<const Model> best;
    if (*has_best.as_bool()) {
      VT_TRY(const ModelKind* kind, find_model(fit_.name));
      reader.enter("best");
      VT_TRY(best, kind->load(reader, set_.catalogue));
      reader.leave();
    }
    next_batch_ = static_cast<int>(*batch.as_int());
    const int done = static_cast<int>(*epoch.as_int());
    epochs.resume(done, std::move(best));
    return done;
  }

  void note(const std::string& line) { run_.monitor.note(std::string(fit_.name) + ": " + line); }

  const std::string& fingerprint() {
    if (fingerprint_.empty()) fingerprint_ = fingerprint_of(run_, set_, fit_);
    return fingerprint_;
  }

  const Run& run_;
  const TrainingSet& set_;
  const NeuralFit& fit_;
  nn::Optimizer optimizer_;
  std::optional<MovingAverage> average_;
  const nn::Schedule schedule_;
  std::vector<std::uint32_t> order_;
  std::vector<std::uint8_t> frozen_;  // by parameter, of the present epoch
  const int batches_;                 // of an epoch
  int next_batch_ = 0;
  Random epoch_random_{0};
  std::vector<std::unique_ptr<nn::Tape>> tapes_;
  std::vector<nn::Tape*> views_;
  std::string fingerprint_;
  bool file_exists_ = false;
};

}  // namespace

Result<std::unique_ptr<const Model>> fit_neural(const Run& run, const TrainingSet& set,
                                                const NeuralFit& fit) {
  return NeuralTrainer(run, set, fit).train();
}

// Values, their average, two moments, and two models (the best so far and the one that is
// measured), each of which keeps the item vectors twice; of whole matrices also a gradient for each
// shard and their sum.
double neural_bytes(double by_rows, double whole) {
  return 4 * (by_rows * (4 + 4) + whole * (4 + 4 + kNeuralShards + 1));
}

}  // namespace vitrine

// What a model that is fitted in steps may ask while it is fitted: does it still improve on
// held-out persons? It learns one bit and keeps the last state that was better; the held-out events
// stay out of its reach.
#pragma once

#include <string>

#include "eval/evaluate.h"
#include "model/model.h"

namespace vitrine {

class Validator {
 public:
  virtual ~Validator() = default;
  struct Answer {
    bool best = false;  // better than every model before: keep its state
    bool go_on = true;  // false: no improvement for too long
  };
  virtual Result<Answer> measure(const Run& run, const Model& model) = 0;
  // What it remembers and what it watches, for a checkpoint; restore() of another validator that
  // watches the same goes on from there. kCorrupt for what is no such state.
  virtual Value state() const = 0;
  virtual Status restore(const Value& state) = 0;
};

// Ranks every case of a validation split in full and watches one metric. Not thread-safe; `split`
// and `item_counts` must outlive it.
class SplitValidator final : public Validator {
 public:
  struct Options {
    std::string metric = "ndcg@20";  // of evaluate(); larger must be better
    std::string repeat = "never";    // as EvaluateOptions
    std::vector<std::string> seen = {};
    int patience = 3;  // measurements without improvement before it says stop
  };
  // kInvalid for a metric that is not NAME@CUTOFF.
  static Result<SplitValidator> create(const Split& split,
                                       std::span<const std::uint32_t> item_counts,
                                       const Options& options);

  Result<Answer> measure(const Run& run, const Model& model) override;
  Value state() const override;
  Status restore(const Value& state) override;
  double best() const { return best_; }
  int best_measurement() const { return best_at_; }  // counted from 1; 0: none yet

 private:
  SplitValidator(const Split& split, std::span<const std::uint32_t> item_counts,
                 const Options& options, std::string cutoff);

  const Split* split_;
  std::span<const std::uint32_t> item_counts_;
  Options options_;
  std::string cutoff_;
  double best_ = 0;
  int best_at_ = 0, measured_ = 0;
};

}  // namespace vitrine

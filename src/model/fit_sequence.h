// Fitting a sequence model of any network: what sasrec, bert4rec, gru4rec and caser share.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "model/memory.h"
#include "model/sequence_model.h"
#include "model/sequence_task.h"

namespace vitrine {

// kInvalid unless `heads` divides `factors`.
Status check_heads(std::string_view model, int factors, int heads);
// The same as kCorrupt: of an archive.
Status check_loaded(Status status);
// kExhausted where parameters (bytes_of(factors)) and the scores of a step would not fit.
Status check_sequence_memory(std::string_view model, const SequenceOptions& options,
                             const std::function<double(int factors)>& bytes_of);

struct Hidden {
  double share = 0;  // of tokens that are hidden; 0: predict the next item instead
};

template <class Options>
class FittedSequence final : public SequenceTask {
 public:
  FittedSequence(const Options& options, const TrainingSet& set, const KnownItems& known,
                 const SequenceNetwork& network, MakeNetwork<Options> make, Hidden hidden)
      : SequenceTask(options, set, known, network,
                     hidden.share > 0 ? Prediction::kHidden : Prediction::kNext, hidden.share),
        options_(options),
        known_(known),
        make_(make),
        ends_hidden_(hidden.share > 0) {}

  Result<std::unique_ptr<const Model>> finished(const nn::Parameters& parameters) override {
    SequenceRecommender::Parts parts;
    parts.known = known_;
    parts.ends_hidden = ends_hidden_;
    // The network's ids are the same for every set of its parameters.
    parts.network =
        make_(options_, std::int64_t{known_.items()} + (ends_hidden_ ? 1 : 0), parts.parameters);
    parts.parameters = nn::Parameters(parameters);
    return finish_sequence(options_, std::move(parts));
  }

 private:
  const Options& options_;
  const KnownItems& known_;
  MakeNetwork<Options> make_;
  bool ends_hidden_;
};

template <class Options>
Result<std::unique_ptr<const Model>> fit_sequence(const Run& run, const Options& options,
                                                  const TrainingSet& set, MakeNetwork<Options> make,
                                                  Hidden hidden) {
  const KnownItems known = KnownItems::of(set.interactions);
  nn::Parameters parameters;
  const auto network =
      make(options, std::int64_t{known.items()} + (hidden.share > 0 ? 1 : 0), parameters);
  network->initialize(parameters, run.random.fork("parameters"));
  FittedSequence<Options> task(options, set, known, *network, make, hidden);
  return fit_neural(run, set, {Options::kName, options, write_options(options), parameters, task});
}

}  // namespace vitrine

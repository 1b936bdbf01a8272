// What turns a history into a vector: the part in which sequence models differ. Immutable; it holds
// the names of parameters that live elsewhere, so training and serving run the same code on their
// own tapes.
#pragma once

#include "model/sequence_tokens.h"
#include "nn/tape.h"

namespace vitrine {

enum class States {
  kAll,   // the state after each token: what training predicts from
  kLast,  // of each history's last token: what answers
};

class SequenceNetwork {
 public:
  virtual ~SequenceNetwork() = default;
  // One row for each token or history, as wide as the item embedding. `tokens` must stay until the
  // optimiser's step.
  virtual nn::Var encode(nn::Tape& tape, const SequenceTokens& tokens, States states) const = 0;
  // Draws the parameters that it added.
  virtual void initialize(nn::Parameters& parameters, const Random& random) const = 0;
  // The item embedding, which is also what scores: score(i) = state . row i.
  virtual nn::ParameterId items() const = 0;
};

}  // namespace vitrine

// Losses: what is minimised is the sum of all that a tape was given. Each adds its value to
// tape.loss(). Weights and ids must stay until the tape's next begin().
#pragma once

#include <cstdint>
#include <span>

#include "nn/tape.h"

namespace vitrine::nn {

// The right answer of each row against candidates that all rows share: two products and a pass over
// the scores. `hidden` (rows x width); `right` (rows x width): the vector of each row's right item;
// `wrong` (candidates x width). Losses of operations.h, weighted by row.
//
// A candidate that is a row's own right item is left out of that row. `log_q` of a candidate, the
// logarithm of the expected number of times that it is drawn, is subtracted from its scores, which
// makes a sampled softmax tend to the whole one (Bengio, Senecal 2008; Yi et al., RecSys 2019);
// likewise of the right items.
struct Candidates {
  CandidateLoss loss = CandidateLoss::kSoftmax;
  float beta = 1;                                   // of gBCE and BPR-max
  float temperature = 1;                            // scores are divided by it
  std::span<const float> weights;                   // by row
  std::span<const std::uint32_t> right_ids;         // by row
  std::span<const std::uint32_t> wrong_ids;         // by candidate
  std::span<const float> right_log_q, wrong_log_q;  // or empty
};
void candidate_loss(Tape& tape, Var hidden, Var right, Var wrong, const Candidates& candidates);

// InfoNCE (van den Oord et al. 2018) with the batch's own right items as candidates:
// candidate_loss() with wrong = right.
void in_batch_loss(Tape& tape, Var hidden, Var right, Candidates candidates);

// -weight * sum over a row's own items of amounts * ln softmax(logits): multinomial likelihood
// (Liang et al., WWW 2018). Items of row r are ids[offsets[r] .. offsets[r + 1]), columns of
// logits. Where the columns are a sample, `log_q` is the logarithm of the probability that each was
// in it, and is taken off its logits: the sum over the sample then estimates that over all.
// `logits` is overwritten.
struct MultinomialTargets {
  std::span<const std::uint32_t> offsets, ids;
  std::span<const float> amounts;
  std::span<const float> log_q = {};  // by column, or none
};
void multinomial_loss(Tape& tape, Var logits, const MultinomialTargets& targets, float weight);

// weights[r] * KL(N(mean_r, exp(log_variance_r)) || N(0, 1)), summed.
void normal_divergence(Tape& tape, Var mean, Var log_variance, std::span<const float> weights);

// weights[r] * (ln q(z) - ln p(z)), summed, for a draw z of q = N(mean, exp(log_variance)) and the
// composite prior of Shenbin et al. (RecVAE, WSDM 2020): a mixture of N(0, 1), of what q was for
// this person before, and of a wide normal,
//   p(z) = 3/20 N(0, 1) + 3/4 N(old_mean, exp(old_log_variance)) + 1/10 N(0, exp(10)).
// The old ones are numbers (rows x cols), not on the tape, that stay until its next begin().
void composite_divergence(Tape& tape, Var z, Var mean, Var log_variance, const float* old_mean,
                          const float* old_log_variance, std::span<const float> weights);

// Cross-entropy of a probability: ln(1 + e^-x) of a positive label, ln(1 + e^x) of another;
// `logits` is (rows x 1).
void binary_loss(Tape& tape, Var logits, std::span<const float> labels,
                 std::span<const float> weights);

}  // namespace vitrine::nn

// Losses over a batch of (person, item) pairs for models whose score is a product of two vectors,
// with their gradients. v_n are the vectors of the batch's distinct nodes.
//
//   BPR (Rendle et al., UAI 2009), one negative j per pair:
//     mean over pairs of  ln(1 + exp(-(v_u . v_i - v_u . v_j)))
//   Sampled softmax (Wu et al., "On the effectiveness of sampled softmax loss for item
//   recommendation", TOIS 2024), negatives shared by the batch so that it is three dense products:
//     mean over pairs of  -ln(exp(s_ui) / (exp(s_ui) + sum over j of w_j exp(s_uj))),
//     s_un = cos(v_u, v_n) / temperature
//
// Deterministic for any number of threads: sums are per fixed lane, added in lane order.
#pragma once

#include <cstdint>
#include <vector>

#include "base/matrix.h"
#include "base/parallel.h"

namespace vitrine {

// Everything counts by place in `nodes`.
struct PairBatch {
  std::vector<std::uint32_t> nodes;           // distinct
  std::vector<std::uint32_t> persons, items;  // per pair
  std::vector<std::uint32_t> negatives;       // BPR: per pair; softmax: shared by all
  // Softmax: ln w_j of each negative; empty: they weigh 1.
  std::vector<float> log_weights;
  // Softmax: the negatives (by number) that pair p must not see, because they are its person's own:
  // dropped[dropped_offsets[p] .. dropped_offsets[p + 1]).
  std::vector<std::int64_t> dropped_offsets;
  std::vector<std::uint32_t> dropped;

  std::size_t pairs() const { return persons.size(); }
};

// Both return the loss and overwrite `gradient` (rows as `vectors`).
double bpr_loss(ThreadPool& pool, const PairBatch& batch, const Matrix& vectors, Matrix& gradient);
double softmax_loss(ThreadPool& pool, const PairBatch& batch, const Matrix& vectors,
                    float temperature, Matrix& gradient);

}  // namespace vitrine

// Operations on jagged rows: the tokens of segment s are rows [offsets[s], offsets[s + 1]) of a
// matrix, with nothing between segments and no padding. Offsets begin with 0 and end with the
// number of rows (VT_CHECK); they, and times, must stay until the tape's next begin().
#pragma once

#include <cstdint>
#include <span>

#include "nn/tape.h"

namespace vitrine::nn {

struct AttentionOptions {
  std::int64_t heads = 1;  // divide the width
  bool causal = true;
  ParameterId distance_bias = {};              // heads x distances (a multiple of 16), or none
  ParameterId time_bias = {};                  // heads x buckets (a multiple of 16), or none
  std::span<const std::int64_t> seconds = {};  // by token, of time_bias
};
// `qkv` is (tokens x 3 width): queries, keys, values; the result (tokens x width). operations.h has
// the equations.
Var attention(Tape& tape, Var qkv, std::span<const std::uint32_t> offsets,
              const AttentionOptions& options);

// A layer of gated recurrent units over each segment, beginning with a state of zeros. `x_gates` is
// the input's part of the gates (tokens x 3 width), bias included; `recurrent` is (width x 3 width)
// and `recurrent_bias` (1 x 3 width). The result holds the state after each token (tokens x width).
Var gru(Tape& tape, Var x_gates, std::span<const std::uint32_t> offsets, ParameterId recurrent,
        ParameterId recurrent_bias);

// The mean of each segment's rows; zeros where it is empty.
Var segment_mean(Tape& tape, Var x, std::span<const std::uint32_t> offsets);

}  // namespace vitrine::nn

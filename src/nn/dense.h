// Operations on matrices: what most of a network is. Each returns a new matrix and writes its
// gradient down; shapes must agree (VT_CHECK). Spans of ids must stay until the optimiser's step.
#pragma once

#include <cstdint>
#include <span>

#include "nn/tape.h"

namespace vitrine::nn {

// Rows of an embedding times `scale`. Ids are rows of the parameter (VT_CHECK in debug builds
// only).
Var gather(Tape& tape, ParameterId table, std::span<const std::uint32_t> ids, float scale = 1);
// Row s: the sum of weights[t] table[ids[t]] over the tokens t of segment s.
Var bag(Tape& tape, ParameterId table, std::span<const std::uint32_t> offsets,
        std::span<const std::uint32_t> ids, std::span<const float> weights);
// x W + b, where W is (in x out) and b (1 x out), or does not exist.
Var linear(Tape& tape, Var x, ParameterId weight, ParameterId bias = {});
Var add_row(Tape& tape, Var x, ParameterId row);  // to each row
// a b^T: rows of `a` against rows of `b`.
Var products(Tape& tape, Var a, Var b);
Var add(Tape& tape, Var a, Var b);
Var multiply(Tape& tape, Var a, Var b);  // elementwise
Var scale(Tape& tape, Var x, float factor);
Var activate(Tape& tape, Activation kind, Var x);
// (x - mean) / deviation * gain + bias for each row (Ba, Kiros, Hinton 2016).
Var layer_norm(Tape& tape, Var x, ParameterId gain, ParameterId bias);
Var normalize(Tape& tape, Var x);  // rows of length 1; a row of zeros stays
// x + dropout(y): Srivastava et al., JMLR 15 (2014), what is kept grows by 1 / (1 - rate).
Var add_dropout(Tape& tape, Var x, Var y, float rate);
Var dropout(Tape& tape, Var x, float rate);
// Rows of x, which may repeat.
Var select(Tape& tape, Var x, std::span<const std::uint32_t> rows);
Var concat(Tape& tape, Var a, Var b);  // columns of a, then of b
Var columns(Tape& tape, Var x, std::int64_t from, std::int64_t count);
// mean + exp(log_variance / 2) times a normal draw (Kingma, Welling 2014); the mean when serving.
Var sample_normal(Tape& tape, Var mean, Var log_variance);

}  // namespace vitrine::nn

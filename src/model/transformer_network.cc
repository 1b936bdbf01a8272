#include "model/transformer_network.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "nn/dense.h"
#include "nn/segments.h"

namespace vitrine {
namespace {

using nn::Activation;
using nn::Var;

constexpr std::int64_t kTypes = 256;       // numbers of event types
constexpr std::int64_t kTimeBuckets = 32;  // powers of two of seconds

// Distances have buckets by sixteen, so that rows have no padding.
std::int64_t distance_buckets(int length) { return (std::int64_t{length} + 15) / 16 * 16; }

}  // namespace

TransformerNetwork::Norm TransformerNetwork::add_norm(nn::Parameters& p, const std::string& name) {
  const Norm norm{p.add(name + "_gain", 1, shape_.width), p.add(name + "_bias", 1, shape_.width)};
  ones_.push_back(norm.gain);
  return norm;
}

TransformerNetwork::Dense TransformerNetwork::add_dense(nn::Parameters& p, const std::string& name,
                                                        std::int64_t in, std::int64_t out) {
  const Dense dense{p.add(name + "_weight", in, out), p.add(name + "_bias", 1, out)};
  matrices_.push_back(dense.weight);
  return dense;
}

TransformerNetwork::TransformerNetwork(const TransformerShape& shape, nn::Parameters& p)
    : shape_(shape) {
  const std::int64_t width = shape.width;
  const auto table = [&](const char* name, std::int64_t rows, nn::Update update) {
    return tables_.emplace_back(p.add(name, rows, width, update));
  };
  items_ = table("items", shape.rows, nn::Update::kRows);
  if (shape.positions) positions_ = table("positions", shape.length + 1, nn::Update::kWhole);
  if (shape.types) types_ = table("types", kTypes, nn::Update::kRows);
  if (shape.values) values_ = table("values", 1, nn::Update::kWhole);
  for (std::int64_t b = 0; b < shape.blocks; ++b) {
    const std::string name = "block" + std::to_string(b) + "_";
    Block block;
    block.before_attention = add_norm(p, name + "attention_norm");
    block.qkv = add_dense(p, name + "qkv", width, 3 * width);
    block.out = add_dense(p, name + "out", width, width);
    if (shape.distances)
      block.distances = p.add(name + "distances", shape.heads, distance_buckets(shape.length));
    if (shape.times) block.times = p.add(name + "times", shape.heads, kTimeBuckets);
    block.before_hidden = add_norm(p, name + "hidden_norm");
    block.hidden = add_dense(p, name + "hidden", width, shape.hidden);
    block.back = add_dense(p, name + "back", shape.hidden, width);
    if (shape.gated) {
      block.attention_gate = add_dense(p, name + "attention_gate", width, width);
      block.hidden_gate = add_dense(p, name + "hidden_gate", width, shape.hidden);
      block.back_gate = add_dense(p, name + "back_gate", width, width);
    }
    blocks_.push_back(block);
  }
  last_ = add_norm(p, "last_norm");
}

void TransformerNetwork::initialize(nn::Parameters& p, const Random& random) const {
  for (const nn::ParameterId id : tables_) p.fill_normal(id, random, double{shape_.deviation});
  for (const nn::ParameterId id : matrices_) p.fill_glorot(id, random);
  for (const nn::ParameterId id : ones_) p.fill(id, 1);
}

double TransformerNetwork::numbers_by_rows(const TransformerShape& s) {
  return static_cast<double>((s.rows + (s.types ? kTypes : 0)) * s.width);
}

double TransformerNetwork::numbers_whole(const TransformerShape& s) {
  const std::int64_t block = s.width * (4 * s.width + 2 * s.hidden) +
                             (s.gated ? s.width * (2 * s.width + s.hidden) : 0) + 12 * s.width;
  return static_cast<double>(s.blocks * block + (s.length + 1) * s.width);
}

Var TransformerNetwork::input(nn::Tape& t, const SequenceTokens& tokens) const {
  Var x = gather(t, items_, tokens.items, std::sqrt(static_cast<float>(shape_.width)));
  if (shape_.positions) x = add(t, x, gather(t, positions_, tokens.positions));
  if (shape_.types) x = add(t, x, gather(t, types_, tokens.types));
  if (shape_.values) {
    const Var column = t.make(t.rows(x), 1);
    std::copy(tokens.values.begin(), tokens.values.end(), t.value(column));
    x = add(t, x, linear(t, column, values_));
  }
  return dropout(t, x, shape_.dropout);
}

Var TransformerNetwork::attended(nn::Tape& t, const Block& block, Var x,
                                 const SequenceTokens& tokens) const {
  const Var normed = layer_norm(t, x, block.before_attention.gain, block.before_attention.bias);
  nn::AttentionOptions options;
  options.heads = shape_.heads;
  options.causal = shape_.causal;
  options.distance_bias = block.distances;
  options.time_bias = block.times;
  options.seconds = tokens.seconds;
  const Var qkv = linear(t, normed, block.qkv.weight, block.qkv.bias);
  return attention(t, qkv, tokens.offsets, options);
}

Var TransformerNetwork::transformed(nn::Tape& t, const Block& block, Var x) const {
  const Var normed = layer_norm(t, x, block.before_hidden.gain, block.before_hidden.bias);
  Var hidden = linear(t, normed, block.hidden.weight, block.hidden.bias);
  hidden = activate(t, shape_.gated ? Activation::kSilu : Activation::kRelu, hidden);
  if (shape_.gated) {
    hidden =
        multiply(t, hidden, linear(t, normed, block.hidden_gate.weight, block.hidden_gate.bias));
  }
  hidden = dropout(t, hidden, shape_.dropout);
  Var back = linear(t, hidden, block.back.weight, block.back.bias);
  if (shape_.gated) {
    const Var gate = linear(t, x, block.back_gate.weight, block.back_gate.bias);
    back = multiply(t, back, activate(t, Activation::kSigmoid, gate));
  }
  return add_dropout(t, x, back, shape_.dropout);
}

// Only the last token of the last block is computed where only that is asked for.
Var TransformerNetwork::encode(nn::Tape& t, const SequenceTokens& tokens, States states) const {
  Var x = input(t, tokens);
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const Block& block = blocks_[b];
    Var heads = attended(t, block, x, tokens);
    if (b + 1 == blocks_.size() && states == States::kLast) {
      heads = select(t, heads, tokens.last);
      x = select(t, x, tokens.last);
    }
    Var out = linear(t, heads, block.out.weight, block.out.bias);
    if (shape_.gated) {
      const Var gate = linear(t, x, block.attention_gate.weight, block.attention_gate.bias);
      out = multiply(t, out, activate(t, Activation::kSigmoid, gate));
    }
    x = transformed(t, block, add_dropout(t, x, out, shape_.dropout));
  }
  return layer_norm(t, x, last_.gain, last_.bias);
}

}  // namespace vitrine

#include "model/gru_network.h"

#include <cmath>
#include <string>

#include "nn/dense.h"
#include "nn/segments.h"

namespace vitrine {

using nn::Var;

GruNetwork::GruNetwork(const GruShape& shape, nn::Parameters& p) : shape_(shape) {
  const std::int64_t units = shape.units;
  items_ = p.add("items", shape.rows, shape.width, nn::Update::kRows);
  for (std::int64_t l = 0; l < shape.layers; ++l) {
    const std::string name = "layer" + std::to_string(l) + "_";
    Layer layer;
    layer.input = p.add(name + "input", l == 0 ? shape.width : units, 3 * units);
    layer.input_bias = p.add(name + "input_bias", 1, 3 * units);
    layer.recurrent = p.add(name + "recurrent", units, 3 * units);
    layer.recurrent_bias = p.add(name + "recurrent_bias", 1, 3 * units);
    layers_.push_back(layer);
  }
  if (!shape.projected()) return;
  projection_ = p.add("projection", units, shape.width);
  projection_bias_ = p.add("projection_bias", 1, shape.width);
}

void GruNetwork::initialize(nn::Parameters& p, const Random& random) const {
  p.fill_normal(items_, random, double{shape_.deviation});
  for (const Layer& layer : layers_) {
    p.fill_glorot(layer.input, random);
    p.fill_glorot(layer.recurrent, random);
  }
  if (shape_.projected()) p.fill_glorot(projection_, random);
}

double GruNetwork::numbers_by_rows(const GruShape& s) {
  return static_cast<double>(s.rows * s.width);
}

double GruNetwork::numbers_whole(const GruShape& s) {
  const std::int64_t inputs = s.width + (s.layers - 1) * s.units;
  const std::int64_t gates = 3 * s.units * (inputs + s.layers * (s.units + 2));
  return static_cast<double>(gates + (s.projected() ? (s.units + 1) * s.width : 0));
}

Var GruNetwork::encode(nn::Tape& t, const SequenceTokens& tokens, States states) const {
  Var x = gather(t, items_, tokens.items, std::sqrt(static_cast<float>(shape_.width)));
  x = dropout(t, x, shape_.embedding_dropout);
  for (const Layer& layer : layers_) {
    const Var gates = linear(t, x, layer.input, layer.input_bias);
    x = gru(t, gates, tokens.offsets, layer.recurrent, layer.recurrent_bias);
    if (layer.input.index == layers_.back().input.index && states == States::kLast)
      x = select(t, x, tokens.last);
    x = dropout(t, x, shape_.dropout);
  }
  return shape_.projected() ? linear(t, x, projection_, projection_bias_) : x;
}

}  // namespace vitrine

#include "model/caser_network.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "nn/dense.h"

namespace vitrine {
namespace {

using nn::Activation;
using nn::Var;

Var maximum(nn::Tape& t, Var a, Var b) {
  return add(t, a, activate(t, Activation::kRelu, add(t, b, scale(t, a, -1))));
}

}  // namespace

CaserNetwork::CaserNetwork(const CaserShape& shape, nn::Parameters& p) : shape_(shape) {
  items_ = p.add("items", shape.rows, shape.width, nn::Update::kRows);
  for (std::int64_t h = 1; h <= shape.recent; ++h) {
    const std::string name = "height" + std::to_string(h) + "_";
    Height height;
    height.filters = p.add(name + "filters", h * shape.width, shape.filters);
    height.filters_bias = p.add(name + "filters_bias", 1, shape.filters);
    height.out = p.add(name + "out", shape.filters, shape.width);
    heights_.push_back(height);
  }
  vertical_ = p.add("vertical", shape.recent * shape.width, shape.width);
  bias_ = p.add("bias", 1, shape.width);
}

void CaserNetwork::initialize(nn::Parameters& p, const Random& random) const {
  p.fill_normal(items_, random, double{shape_.deviation});
  for (const Height& height : heights_) {
    p.fill_glorot(height.filters, random);
    p.fill_glorot(height.out, random);
  }
  p.fill_glorot(vertical_, random);
}

double CaserNetwork::numbers_by_rows(const CaserShape& s) {
  return static_cast<double>(s.rows * s.width);
}

double CaserNetwork::numbers_whole(const CaserShape& s) {
  const std::int64_t cells = s.recent * (s.recent + 1) / 2;  // of all heights together
  return static_cast<double>(s.filters * (cells * s.width + s.recent * (1 + s.width)) +
                             (s.recent * s.width + 1) * s.width);
}

// Row by row of the image, the latest item first: what is missing is an empty bag, zeros.
Var CaserNetwork::image(nn::Tape& t, const SequenceTokens& tokens, States states) const {
  const bool all = states == States::kAll;
  const std::size_t asked = all ? tokens.items.size() : tokens.last.size();
  const auto ones = t.room<float>(asked);
  std::fill(ones.begin(), ones.end(), std::sqrt(static_cast<float>(shape_.width)));
  Var image;
  for (std::int64_t back = 0; back < shape_.recent; ++back) {
    const auto offsets = t.room<std::uint32_t>(asked + 1), items = t.room<std::uint32_t>(asked);
    std::uint32_t row = 0, found = 0;
    for (std::size_t s = 0; s < tokens.histories(); ++s) {
      const std::uint32_t first = tokens.offsets[s], end = tokens.offsets[s + 1];
      for (std::uint32_t token = all ? first : end - 1; token < end; ++token) {
        offsets[row++] = found;
        if (token - first >= back) items[found++] = tokens.items[token - back];
      }
    }
    offsets[row] = found;
    const Var line = bag(t, items_, offsets, items.first(found), ones.first(found));
    image = back == 0 ? line : concat(t, image, line);
  }
  return image;
}

Var CaserNetwork::convolved(nn::Tape& t, Var image, std::int64_t h) const {
  const Height& height = heights_[static_cast<std::size_t>(h - 1)];
  Var best;
  for (std::int64_t place = 0; place + h <= shape_.recent; ++place) {
    const Var lines = columns(t, image, place * shape_.width, h * shape_.width);
    const Var filtered = linear(t, lines, height.filters, height.filters_bias);
    best = place == 0 ? filtered : maximum(t, best, filtered);
  }
  best = dropout(t, activate(t, Activation::kRelu, best), shape_.dropout);
  return linear(t, best, height.out);
}

Var CaserNetwork::encode(nn::Tape& t, const SequenceTokens& tokens, States states) const {
  const Var x = image(t, tokens, states);
  Var state = linear(t, dropout(t, x, shape_.dropout), vertical_, bias_);
  for (std::int64_t h = 1; h <= shape_.recent; ++h) state = add(t, state, convolved(t, x, h));
  return state;
}

}  // namespace vitrine

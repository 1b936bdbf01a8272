// Gated recurrent units over a history: Hidasi et al., "Session-based recommendations with
// recurrent neural networks", ICLR 2016, with units as cuDNN computes them (Cho et al., EMNLP
// 2014):
//
//   x = dropout_e(sqrt(width) E[item])
//   for each layer, from the first token on, h beginning with zeros:
//     r = sigma(x W_r + b_r + h U_r + c_r)            z = sigma(x W_z + b_z + h U_z + c_z)
//     h = (1 - z) tanh(x W_n + b_n + r (h U_n + c_n)) + z h
//     x = dropout(h)
//   state = x, or x P + b where the units are not as many as the embedding is wide
//
// The embedding is tied ("constrained embedding" in the authors' implementation): it reads and
// scores. Scores have no bias by item.
#pragma once

#include <vector>

#include "model/sequence_network.h"

namespace vitrine {

struct GruShape {
  std::int64_t rows = 0;  // of the item embedding
  std::int64_t width = 64, units = 64, layers = 1;
  float embedding_dropout = 0, dropout = 0;
  float deviation = 0.02f;  // of the embedding when it is drawn

  bool projected() const { return units != width; }
};

class GruNetwork final : public SequenceNetwork {
 public:
  GruNetwork(const GruShape& shape, nn::Parameters& parameters);
  nn::Var encode(nn::Tape& tape, const SequenceTokens& tokens, States states) const override;
  void initialize(nn::Parameters& parameters, const Random& random) const override;
  nn::ParameterId items() const override { return items_; }

  // How many numbers it learns, by the way they are updated.
  static double numbers_by_rows(const GruShape& shape);
  static double numbers_whole(const GruShape& shape);

 private:
  struct Layer {
    nn::ParameterId input, input_bias, recurrent, recurrent_bias;
  };
  const GruShape shape_;
  nn::ParameterId items_, projection_, projection_bias_;
  std::vector<Layer> layers_;
};

}  // namespace vitrine

// Convolutions over the latest items: Tang, Wang, "Personalized top-N sequential recommendation via
// convolutional sequence embedding", WSDM 2018. The image of a token holds the vectors of the last
// `recent` items up to it, one below the other, zeros above the first of the history:
//
//   X = sqrt(width) E[items]                            recent x width
//   m_h = max over places p of relu(F_h X[p .. p + h] + f_h)     for each height h = 1 .. recent
//   state = sum over h of W_h dropout(m_h) + V dropout(X) + b
//
// The paper's vertical filters and the layer behind them are both linear: here they are one matrix
// V. The paper's relu over the state is left out: the embedding is tied, it reads and scores, and
// its vectors point everywhere. Persons have no vector, so anybody's history is answered.
#pragma once

#include <vector>

#include "model/sequence_network.h"

namespace vitrine {

struct CaserShape {
  std::int64_t rows = 0;  // of the item embedding
  std::int64_t width = 64, recent = 4, filters = 16;
  float dropout = 0;
  float deviation = 0.02f;  // of the embedding when it is drawn
};

class CaserNetwork final : public SequenceNetwork {
 public:
  CaserNetwork(const CaserShape& shape, nn::Parameters& parameters);
  nn::Var encode(nn::Tape& tape, const SequenceTokens& tokens, States states) const override;
  void initialize(nn::Parameters& parameters, const Random& random) const override;
  nn::ParameterId items() const override { return items_; }

  // How many numbers it learns, by the way they are updated.
  static double numbers_by_rows(const CaserShape& shape);
  static double numbers_whole(const CaserShape& shape);

 private:
  struct Height {
    nn::ParameterId filters, filters_bias, out;
  };
  nn::Var image(nn::Tape& tape, const SequenceTokens& tokens, States states) const;
  nn::Var convolved(nn::Tape& tape, nn::Var image, std::int64_t height) const;

  const CaserShape shape_;
  nn::ParameterId items_, vertical_, bias_;
  std::vector<Height> heights_;  // of 1, 2 and so on
};

}  // namespace vitrine

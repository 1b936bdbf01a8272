// A transformer over a history: Kang, McAuley, "Self-attentive sequential recommendation", ICDM
// 2018, with pre-norm blocks (Xiong et al., ICML 2020), or gated ones ("LiGR": Borisyuk et al.
// 2025, eSASRec: Tikhonovich et al., RecSys 2025):
//
//   x = dropout(sqrt(width) E[item] + P[position from the end] (+ T[type]) (+ value v))
//   pre_norm:  x += dropout(attention(norm(x)) W_o);                  x += dropout(W_2 relu(W_1
//   norm(x))) gated:     x += dropout(sigma(x G_a) * attention(norm(x)) W_o);   x +=
//   dropout(sigma(x G_f) *
//              W_2 (silu(W_1 norm(x)) * W_3 norm(x)))
//   state = norm(x)
//
// Attention may be biased by distance and time (nn/operations.h). The embedding is tied: it reads
// and scores.
#pragma once

#include <vector>

#include "model/sequence_network.h"

namespace vitrine {

struct TransformerShape {
  std::int64_t rows = 0;  // of the item embedding
  std::int64_t width = 64, heads = 1, blocks = 2, hidden = 64;
  int length = 50;
  bool causal = true, gated = false;
  bool positions = true, types = false, values = false, distances = false, times = false;
  float dropout = 0.5f;
  float deviation = 0.02f;  // of embeddings when they are drawn
};

class TransformerNetwork final : public SequenceNetwork {
 public:
  TransformerNetwork(const TransformerShape& shape, nn::Parameters& parameters);
  nn::Var encode(nn::Tape& tape, const SequenceTokens& tokens, States states) const override;
  void initialize(nn::Parameters& parameters, const Random& random) const override;
  nn::ParameterId items() const override { return items_; }

  // How many numbers it learns, by the way they are updated.
  static double numbers_by_rows(const TransformerShape& shape);
  static double numbers_whole(const TransformerShape& shape);

 private:
  struct Norm {
    nn::ParameterId gain, bias;
  };
  struct Dense {
    nn::ParameterId weight, bias;
  };
  struct Block {
    Norm before_attention, before_hidden;
    Dense qkv, out, attention_gate, hidden, hidden_gate, back, back_gate;
    nn::ParameterId distances, times;
  };
  Norm add_norm(nn::Parameters& p, const std::string& name);
  Dense add_dense(nn::Parameters& p, const std::string& name, std::int64_t in, std::int64_t out);
  nn::Var input(nn::Tape& tape, const SequenceTokens& tokens) const;
  nn::Var attended(nn::Tape& tape, const Block& block, nn::Var x,
                   const SequenceTokens& tokens) const;
  nn::Var transformed(nn::Tape& tape, const Block& block, nn::Var x) const;

  const TransformerShape shape_;
  nn::ParameterId items_, positions_, types_, values_;
  std::vector<Block> blocks_;
  Norm last_;
  std::vector<nn::ParameterId> tables_, matrices_, ones_;  // by how they begin
};

}  // namespace vitrine

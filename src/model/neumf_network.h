// The network of NeuMF (neumf.h has the equations): parameters, and what training computes of pairs
// of persons and items. Immutable; the parameters live elsewhere.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "nn/tape.h"

namespace vitrine {

struct NeumfShape {
  bool gmf = true, mlp = true;
  std::int64_t items = 0, persons = 0;  // rows of the tables; persons: 0 where none has a row
  std::int64_t factors = 0;
  int layers = 1;
  float dropout = 0;
};

// Persons, each a bag of history items and perhaps a row of their own; questions about them, in
// which an item of the history is left out; and pairs of a question and an item.
struct NeumfPairs {
  // By person: weights of the history, and rows (each segment none or one).
  std::vector<std::uint32_t> history_offsets{0}, history;
  std::vector<float> history_weights;
  std::vector<std::uint32_t> row_offsets{0}, rows;
  std::vector<float> row_weights;
  // By question: a person's place above, and what is taken out (each segment none or one), with the
  // negative of its weight.
  std::vector<std::uint32_t> persons, out_offsets{0}, out;
  std::vector<float> out_weights;
  // By pair: a question's place above, and the item.
  std::vector<std::uint32_t> questions, items;

  // `row`: of the person, or null.
  void add_person(std::span<const std::uint32_t> items_of, const std::uint32_t* row);
  void add_question(const std::uint32_t* left_out);  // about the last person; null: none
  void add_pair(std::uint32_t item);                 // with the last question
  void clear();
};

class NeumfNetwork {
 public:
  // One of the halves: item vectors, history vectors, rows of persons.
  struct Half {
    nn::ParameterId items, history, rows, out;
  };

  NeumfNetwork(const NeumfShape& shape, nn::Parameters& parameters);
  void initialize(nn::Parameters& parameters, const Random& random) const;

  // The vector of each person in a half, and one logit for each pair. `pairs` must stay until the
  // optimiser's step.
  nn::Var persons(nn::Tape& tape, const Half& half, const NeumfPairs& pairs) const;
  nn::Var logits(nn::Tape& tape, const NeumfPairs& pairs) const;
  // The last layer of the perceptron from the sums of the first.
  nn::Var hidden(nn::Tape& tape, nn::Var first) const;

  const NeumfShape& shape() const { return shape_; }
  const Half& gmf() const { return gmf_; }
  const Half& mlp() const { return mlp_; }
  nn::ParameterId bias() const { return bias_; }
  // The first layer's weights of the person and of the item, and its bias.
  nn::ParameterId first_person() const { return first_person_; }
  nn::ParameterId first_item() const { return layers_.front().weight; }
  nn::ParameterId first_bias() const { return layers_.front().bias; }
  // Of layer l, counted from 0: factors / 2^l, at least 1.
  static std::int64_t width(std::int64_t factors, int layer);

 private:
  struct Dense {
    nn::ParameterId weight, bias;
  };
  Half add_half(nn::Parameters& parameters, std::string_view name, std::int64_t last) const;
  nn::Var asked(nn::Tape& tape, const Half& half, const NeumfPairs& pairs) const;

  NeumfShape shape_;
  Half gmf_, mlp_;
  nn::ParameterId bias_, first_person_;
  std::vector<Dense> layers_;
};

}  // namespace vitrine

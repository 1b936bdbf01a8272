#include "model/neumf_network.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "nn/dense.h"

namespace vitrine {

using nn::Var;

void NeumfPairs::add_person(std::span<const std::uint32_t> items_of, const std::uint32_t* row) {
  const float weight = 1 / std::sqrt(static_cast<float>(std::max<std::size_t>(items_of.size(), 1)));
  history.insert(history.end(), items_of.begin(), items_of.end());
  history_weights.resize(history.size(), weight);
  history_offsets.push_back(static_cast<std::uint32_t>(history.size()));
  if (row != nullptr) rows.push_back(*row);
  row_weights.resize(rows.size(), 1);
  row_offsets.push_back(static_cast<std::uint32_t>(rows.size()));
}

void NeumfPairs::add_question(const std::uint32_t* left_out) {
  persons.push_back(static_cast<std::uint32_t>(history_offsets.size()) - 2);
  if (left_out != nullptr) {
    out.push_back(*left_out);
    out_weights.push_back(-history_weights.back());
  }
  out_offsets.push_back(static_cast<std::uint32_t>(out.size()));
}

void NeumfPairs::add_pair(std::uint32_t item) {
  questions.push_back(static_cast<std::uint32_t>(persons.size()) - 1);
  items.push_back(item);
}

void NeumfPairs::clear() {
  for (auto* list : {&history, &rows, &persons, &out, &questions, &items}) list->clear();
  for (auto* weights : {&history_weights, &row_weights, &out_weights}) weights->clear();
  for (auto* offsets : {&history_offsets, &row_offsets, &out_offsets}) offsets->resize(1);
}

std::int64_t NeumfNetwork::width(std::int64_t factors, int layer) {
  return std::max<std::int64_t>(factors >> layer, 1);
}

NeumfNetwork::Half NeumfNetwork::add_half(nn::Parameters& p, std::string_view name,
                                          std::int64_t last) const {
  const std::string prefix = std::string(name) + "_";
  const auto table = [&](const char* what, std::int64_t rows) {
    return p.add(prefix + what, rows, shape_.factors, nn::Update::kRows);
  };
  Half half;
  half.items = table("items", shape_.items);
  half.history = table("history", shape_.items);
  if (shape_.persons > 0) half.rows = table("persons", shape_.persons);
  half.out = p.add(prefix + "out", last, 1);
  return half;
}

NeumfNetwork::NeumfNetwork(const NeumfShape& shape, nn::Parameters& p) : shape_(shape) {
  if (shape.gmf) gmf_ = add_half(p, "gmf", shape.factors);
  if (shape.mlp) {
    mlp_ = add_half(p, "mlp", width(shape.factors, shape.layers - 1));
    first_person_ = p.add("layer0_person", shape.factors, shape.factors);
    std::int64_t in = shape.factors;
    for (int l = 0; l < shape.layers; ++l) {
      const std::string name = "layer" + std::to_string(l);
      const std::int64_t out = width(shape.factors, l);
      layers_.push_back({p.add(name + "_weight", in, out), p.add(name + "_bias", 1, out)});
      in = out;
    }
  }
  bias_ = p.add("bias", 1, 1);
}

void NeumfNetwork::initialize(nn::Parameters& p, const Random& random) const {
  constexpr double kDeviation = 0.05;
  for (const Half* half : {&gmf_, &mlp_}) {
    if (half->items.exists()) p.fill_normal(half->items, random, kDeviation);
    if (half->history.exists()) p.fill_normal(half->history, random, kDeviation);
  }                                            // a person begins as what the history says
  if (gmf_.out.exists()) p.fill(gmf_.out, 1);  // a product: plain factorisation
  if (mlp_.out.exists()) p.fill_glorot(mlp_.out, random);
  for (const Dense& layer : layers_) p.fill_glorot(layer.weight, random);
  if (first_person_.exists()) p.fill_glorot(first_person_, random);
}

Var NeumfNetwork::persons(nn::Tape& t, const Half& half, const NeumfPairs& pairs) const {
  const Var all = bag(t, half.history, pairs.history_offsets, pairs.history, pairs.history_weights);
  if (!half.rows.exists()) return all;
  return add(t, all, bag(t, half.rows, pairs.row_offsets, pairs.rows, pairs.row_weights));
}

// By question.
Var NeumfNetwork::asked(nn::Tape& t, const Half& half, const NeumfPairs& pairs) const {
  return add(t, select(t, persons(t, half, pairs), pairs.persons),
             bag(t, half.history, pairs.out_offsets, pairs.out, pairs.out_weights));
}

Var NeumfNetwork::hidden(nn::Tape& t, Var first) const {
  Var x = activate(t, nn::Activation::kRelu, first);
  for (std::size_t l = 1; l < layers_.size(); ++l) {
    x = dropout(t, x, shape_.dropout);
    x = activate(t, nn::Activation::kRelu, linear(t, x, layers_[l].weight, layers_[l].bias));
  }
  return x;
}

Var NeumfNetwork::logits(nn::Tape& t, const NeumfPairs& pairs) const {
  Var logits{};
  if (shape_.gmf) {
    const Var person = select(t, asked(t, gmf_, pairs), pairs.questions);
    const Var product = multiply(t, person, gather(t, gmf_.items, pairs.items));
    logits = linear(t, dropout(t, product, shape_.dropout), gmf_.out, bias_);
  }
  if (!shape_.mlp) return logits;
  const Var person = linear(t, dropout(t, asked(t, mlp_, pairs), shape_.dropout), first_person_);
  const Var item = linear(t, dropout(t, gather(t, mlp_.items, pairs.items), shape_.dropout),
                          layers_.front().weight, layers_.front().bias);
  const Var first = add(t, select(t, person, pairs.questions), item);
  const Var x = hidden(t, first);
  return shape_.gmf ? add(t, logits, linear(t, x, mlp_.out)) : linear(t, x, mlp_.out, bias_);
}

}  // namespace vitrine

#include "model/two_tower_network.h"

#include <cmath>

#include "nn/dense.h"

namespace vitrine {

using nn::Var;

void Bags::clear() {
  offsets.resize(1);
  ids.clear();
  weights.clear();
}

// The squares of a history's weights add up to 1.
void HistoryBags::add(std::span<const std::uint32_t> items, float decay) {
  const std::size_t begin = events.weights.size();
  events.ids.insert(events.ids.end(), items.begin(), items.end());
  events.weights.resize(events.ids.size());
  float weight = 1, squares = 0;
  for (std::size_t t = events.weights.size(); t-- > begin; weight *= decay) {
    events.weights[t] = weight;
    squares += weight * weight;
  }
  for (std::size_t t = begin; t < events.weights.size(); ++t)
    events.weights[t] /= std::sqrt(squares);
  events.end_row();
  if (!items.empty()) {
    latest.ids.push_back(items.back());
    latest.weights.push_back(1);
  }
  latest.end_row();
}

void HistoryBags::clear() {
  events.clear();
  latest.clear();
}

void ItemBags::add(std::uint32_t item, bool with_id, std::span<const std::uint32_t> attributes_of) {
  if (with_id) {
    ids.ids.push_back(item);
    ids.weights.push_back(1);
  }
  ids.end_row();
  const float weight = 1 / std::sqrt(static_cast<float>(attributes_of.size()));
  attributes.ids.insert(attributes.ids.end(), attributes_of.begin(), attributes_of.end());
  attributes.weights.resize(attributes.ids.size(), weight);
  attributes.end_row();
}

void ItemBags::clear() {
  ids.clear();
  attributes.clear();
}

TwoTowerNetwork::Tower TwoTowerNetwork::add_tower(nn::Parameters& p, const std::string& name,
                                                  std::int64_t in, const TwoTowerShape& shape) {
  return {p.add(name + "_in", in, shape.hidden), p.add(name + "_in_bias", 1, shape.hidden),
          p.add(name + "_out", shape.hidden, shape.factors),
          p.add(name + "_out_bias", 1, shape.factors)};
}

TwoTowerNetwork::TwoTowerNetwork(const TwoTowerShape& shape, Towers towers, nn::Parameters& p)
    : shape_(shape) {
  history_ = p.add("history", shape.items, shape.factors, nn::Update::kRows);
  user_ = add_tower(p, "user", (shape.latest ? 2 : 1) * shape.factors, shape);
  if (towers == Towers::kUser) return;
  ids_ = p.add("ids", shape.items, shape.factors, nn::Update::kRows);
  if (shape.attributes > 0)
    attributes_ = p.add("attributes", shape.attributes, shape.factors, nn::Update::kRows);
  item_ = add_tower(p, "item", shape.factors, shape);
}

// Attributes and the towers' way out begin with 0: vectors are then those of the ids.
void TwoTowerNetwork::initialize(nn::Parameters& p, const Random& random) const {
  const double deviation = 1 / std::sqrt(static_cast<double>(shape_.factors));
  p.fill_normal(history_, random, deviation);
  p.fill_normal(ids_, random, deviation);
  p.fill_glorot(user_.in, random);
  p.fill_glorot(item_.in, random);
}

Var TwoTowerNetwork::climb(nn::Tape& t, const Tower& tower, Var x, Var in) const {
  const Var hidden = activate(t, nn::Activation::kRelu, linear(t, in, tower.in, tower.in_bias));
  const Var out = linear(t, dropout(t, hidden, shape_.dropout), tower.out, tower.out_bias);
  return normalize(t, add(t, x, out));
}

Var TwoTowerNetwork::users(nn::Tape& t, const HistoryBags& h) const {
  const auto sum = [&](const Bags& b) { return bag(t, history_, b.offsets, b.ids, b.weights); };
  const Var mean = dropout(t, sum(h.events), shape_.dropout);
  return climb(t, user_, mean, shape_.latest ? concat(t, mean, sum(h.latest)) : mean);
}

Var TwoTowerNetwork::items(nn::Tape& t, const ItemBags& b) const {
  Var x = bag(t, ids_, b.ids.offsets, b.ids.ids, b.ids.weights);
  if (attributes_.exists())
    x = add(t, x,
            bag(t, attributes_, b.attributes.offsets, b.attributes.ids, b.attributes.weights));
  return climb(t, item_, x, x);
}

}  // namespace vitrine

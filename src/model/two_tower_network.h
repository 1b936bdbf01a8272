// The two towers (two_tower.h has the equations): parameters, and vectors of histories and of
// items. Immutable; the parameters live elsewhere, so training and serving run the same code.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "nn/tape.h"

namespace vitrine {

struct TwoTowerShape {
  std::int64_t items = 0, attributes = 0;  // rows of the tables
  std::int64_t factors = 0, hidden = 0;
  bool latest = true;
  float history_decay = 1, dropout = 0;
};

// Jagged rows of a table, weighted.
struct Bags {
  std::vector<std::uint32_t> offsets{0}, ids;
  std::vector<float> weights;
  void end_row() { offsets.push_back(static_cast<std::uint32_t>(ids.size())); }
  void clear();
};

// Histories, oldest event first.
struct HistoryBags {
  Bags events, latest;
  void add(std::span<const std::uint32_t> items, float decay);
  void clear();
};

// Items: their id, where it takes part, and their attributes.
struct ItemBags {
  Bags ids, attributes;
  void add(std::uint32_t item, bool with_id, std::span<const std::uint32_t> attributes_of);
  void clear();
};

class TwoTowerNetwork {
 public:
  // The user tower alone, as what answers needs no other; or both.
  enum class Towers { kUser, kBoth };

  // The parameters of the user tower are the first, in both cases.
  TwoTowerNetwork(const TwoTowerShape& shape, Towers towers, nn::Parameters& parameters);
  void initialize(nn::Parameters& parameters, const Random& random) const;

  // One row of length 1 for each; what is passed must stay until the optimiser's step.
  nn::Var users(nn::Tape& tape, const HistoryBags& histories) const;
  nn::Var items(nn::Tape& tape, const ItemBags& items) const;

  const TwoTowerShape& shape() const { return shape_; }

 private:
  struct Tower {
    nn::ParameterId in, in_bias, out, out_bias;
  };
  static Tower add_tower(nn::Parameters& parameters, const std::string& name, std::int64_t in,
                         const TwoTowerShape& shape);
  nn::Var climb(nn::Tape& tape, const Tower& tower, nn::Var x, nn::Var in) const;

  TwoTowerShape shape_;
  nn::ParameterId history_, ids_, attributes_;
  Tower user_, item_;
};

}  // namespace vitrine

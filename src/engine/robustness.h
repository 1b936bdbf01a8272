// What a model loses when its training data is spoilt: by noise, and by people who want an item in
// everybody's list (Lam and Riedl, "Shilling recommender systems for fun and profit", WWW 2004;
// Mobasher et al., "Toward trustworthy recommender systems", TOIT 2007).
//
//   noise      so many further events, each a copy of a random one with a random item
//   random     profiles of the target and random items
//   average    profiles of the target and items as often as persons take them
//   bandwagon  profiles of the target, the most taken items, and random ones
//
// Only the training part is spoilt. The questions stay, so every difference is paired. A profile is
// one anonymous session at the end of training: models see one more person. Targets are drawn among
// the items that few have (at most the median, at least one person).
#pragma once

#include <string>
#include <vector>

#include "engine/recipe_run.h"

namespace vitrine {

struct RobustnessRow {
  std::string model, treatment;  // "clean", "noise 5 %", "bandwagon attack 5 %"
  double value = 0;              // of choose_by
  Comparison lost;               // against the clean fit; a difference below zero is a loss
  // Attacks: how many of the lists of those who do not have the target hold it; means over targets.
  double listed_before = 0, listed_after = 0;
  bool attack = false;
};
struct RobustnessTable {
  std::string metric;
  std::size_t list_length = 0;
  std::vector<RobustnessRow> rows;
  Value to_json() const;
};

// Every model of the recipe under every treatment of [robustness]. kInvalid naming the option that
// cannot be. Deterministic for any number of threads.
Result<RobustnessTable> run_robustness(const Run& run, const Recipe& recipe,
                                       const RecipeSplits& data);

// For tests: the treatments themselves.
Histories with_noise(const Histories& train, double share, const Random& random);
Histories with_attack(const Histories& train, std::string_view attack, ItemIndex target,
                      std::size_t profiles, std::size_t profile_items, const Random& random);
std::vector<ItemIndex> attack_targets(const Histories& train, std::size_t count,
                                      const Random& random);

}  // namespace vitrine

// Which settings to try next: at random, or where good trials have been. Pure: trial t of a search
// is a function of the random stream, t, and the trials before it, so a search that is taken up
// again goes on as if it had never stopped.
//
// "tpe" is the tree of Parzen estimators of Bergstra, Bardenet, Bengio and Kegl, "Algorithms for
// hyper-parameter optimization", NIPS 2011: the best fifth of the trials and the others are each
// made into a density l and g, dimension by dimension (normal distributions around the trials, as
// wide as the gap to the next, and one that covers everything; counts for lists of values). Of 8
// draws from l the one with the largest l/g is tried, of a list the one draw. The first ten trials
// are random.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/random.h"
#include "model/search_space.h"

namespace vitrine {

struct Tried {
  Table settings;    // of the dimensions
  double value = 0;  // more is better; minus infinity where the settings could not be fitted
};

enum class Proposal { kRandom, kTpe };

// Settings that are not among `tried`. Nothing when a hundred draws found none: the space is used
// up.
std::optional<Table> propose(Proposal how, const SearchSpace& space, const Random& random,
                             std::uint64_t trial, std::span<const Tried> tried);

}  // namespace vitrine

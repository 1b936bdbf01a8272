// Exploration: now and then a place shows an item that the models know nothing of yet, with a known
// probability, so that new items are seen and what follows can be judged (inverse propensities).
//
// Every place but the first is given away with probability q = share n / (n - 1) (at most 1/2), one
// independently of the other; who gets it is drawn from the candidates that are left, in proportion
// to their scores. A new item's propensity is q times the probability of that draw, that of the
// item that stays 1 - q: over what a place may show they sum to one.
#pragma once

#include <span>
#include <string_view>

#include "base/random.h"
#include "data/query.h"
#include "rank/slate.h"

namespace vitrine {

struct Exploration {
  std::span<const Candidate> candidates = {};  // distinct, scores positive
  double share = 0;                            // of the places of a list, on average
  Random random = Random(0);                   // of this list alone
  std::string_view source = "new items";       // named by the items that come in
};

// Items that the slate has already are not drawn. Nothing happens without candidates.
void explore(Slate& slate, const Exploration& exploration);

}  // namespace vitrine

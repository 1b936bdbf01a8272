// What a visitor is shown: the ordered list, with reasons and propensities.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/query.h"

namespace vitrine {

// A history event's share in an item's score: what the score loses without it, normalised over the
// events that help it, so shares of one item add up to at most 1.
struct Reason {
  ItemIndex item;  // of the history event
  EventType type;
  Timestamp time;
  float share;
};

struct SlateItem {
  ItemIndex item;
  float score;           // after fusion; 0 of an item that only the fallback listed
  float propensity = 1;  // probability of this item at this position under the policy
  std::string source;    // the model that contributed most to the score
  std::vector<Reason>
      reasons;  // strongest first, at most kReasonsMax; empty when not asked for or none
};

struct Slate {
  std::vector<SlateItem> items;
  std::string
      degraded;  // why this list is less than usual ("no model lists anything: ..."), or empty
  std::string shortfall;   // why there are fewer than n, or empty
  std::size_t listed = 0;  // items that models listed; those of the fallback come behind them, and
  std::string filled_up;   // this is what `degraded` says of it, or empty
};

}  // namespace vitrine

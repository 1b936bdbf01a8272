// Reasons: which of a person's own events stand behind an item. The share of a history item is what
// the score of the listed item loses when all events of that history item are left out, over the
// sum of such losses that are positive. Any model can be asked; it needs no method for it. Pure.
//
// Leaving each history item out in turn costs (history items tried) x (a score() of the whole
// history). Where a model's score is the sum of what its history items give alone, that sum is
// noticed, verified on all listed items, and used instead: one score() call of one history item
// each. On such models both give the same shares; others are always asked by leaving out.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/model.h"
#include "rank/slate.h"

namespace vitrine {

struct ExplainOptions {
  std::size_t reasons = 3;  // at most, per listed item
  std::size_t events = 50;  // latest distinct history items that are tried
};

// The reasons of each of `items`, strongest first, equals by the later event. A reason names a
// history item once, with its latest event. No list where nothing helped. The model answers for the
// history alone: query.user is not passed on, for a row that was fitted for this user would answer
// for what is left out.
std::vector<std::vector<Reason>> explain(const Model& model, const Query& query,
                                         std::span<const ItemIndex> items,
                                         const ExplainOptions& options);

}  // namespace vitrine

// Joins the lists of several models into one by weighted reciprocal-rank fusion (Cormack, Clarke,
// Buettcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
// SIGIR 2009):
//
//   score(i) = sum over the sources s that list i of weight(s) / (k + rank of i in s), ranks from 1
//
// Scores of different models are not comparable; their ranks are. One list keeps its order. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/query.h"

namespace vitrine {

// One source's list, best first. An item that it repeats counts at its first place.
struct RankedList {
  std::span<const Candidate> items;
  std::uint32_t source = 0;  // the caller's number of the source
  float weight = 1;          // at most 0: the list is ignored
};

struct FusedCandidate {
  ItemIndex item;
  float score = 0;
  std::uint32_t source = 0;  // whose contribution is the largest; the earlier list of equals
};

// Each item once, in the order of first appearance. `fused` is overwritten; its room is reused.
void fuse(std::span<const RankedList> lists, double k, std::vector<FusedCandidate>& fused);

// Brings the best `n` to the front: better score first, then the lower index. The rest follows in
// any order.
void best_first(std::vector<FusedCandidate>& fused, std::size_t n);

}  // namespace vitrine

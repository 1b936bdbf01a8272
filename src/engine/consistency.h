// Consistency over time: how much of a person's list stays from one to the next.
//
// A pair is two lists in a row that one person (or session) was shown at one placement for the same
// item being looked at. Pairs are told apart by what lay between them: a training (the lists name
// different snapshots), and events of that person in the log.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/value.h"

namespace vitrine {

struct ConsistencyOptions {
  int n = 10;                // first items of a list that are compared
  double persistence = 0.9;  // of rank-biased overlap, below 1: larger looks deeper
};

// Of the first k items of both, k = min(n, length of the longer list); 1 for two empty lists.
// The share of k that both have.
double overlap_at(std::span<const std::string> a, std::span<const std::string> b, int n);
// Rank-biased overlap, extrapolated from depth k (Webber, Moffat, Zobel 2010, "A similarity measure
// for indefinite rankings", equation 30); a list that has ended agrees on nothing more.
double rank_biased_overlap(std::span<const std::string> a, std::span<const std::string> b, int n,
                           double persistence);

struct ConsistencyRow {
  std::string placement;
  bool same_snapshot = false;  // a refresh; else a training lies between
  bool new_events = false;     // of the person, between the two lists
  std::uint64_t pairs = 0;
  double overlap = 0, rbo = 0, identical = 0;  // means over the pairs
};

struct ConsistencyReport {
  ConsistencyOptions options;
  std::string first, last;  // times of the lists
  std::uint64_t lists = 0, persons = 0;
  std::vector<ConsistencyRow> rows;  // that have pairs; by placement, refreshes first
  Value to_json() const;
};

}  // namespace vitrine

// New items: what nobody took yet, but the catalogue describes, stands for a mix of items that were
// taken. With T the attributes (attributes x items, 1 where an item has it), the mix of a new item
// j is the ridge regression of its attributes on those of the items that were taken,
//
//   min over a   1/2 | T_j - T a |^2 + lambda mean(T^T T) / 2 |a|^2
//
// over its best candidates (model/item_regressions.h). An item-to-item model with weights B then
// grows: with M = [I A], B' = M^T (B + I) M without its diagonal, less I. What leads to item k, or
// was k itself, leads to j with weight a_kj; a history that holds j counts as the mix.
//
// The transfer is the metadata prior of cold-start extensions of EASE (Jeunen et al., "Closed-form
// models for collaborative filtering with side-information", RecSys 2020; Monteil et al., "MARec:
// metadata alignment for cold-start recommendation", RecSys 2024) reduced to the new items: rows of
// attributes below those of persons would teach the regression of a new item that nobody wants it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/run.h"
#include "data/catalogue.h"
#include "data/histories.h"

namespace vitrine {

// The most items that may share an attribute: what more have says little, and costs its square.
inline constexpr std::size_t kAttributeItemsMax = 20'000;

// The attributes that at least two of the items and at most that many share, as rows; all weights
// are 1. `names`: "category" (every node of the path), "brand", "tags", "title" (its words), else a
// free attribute, each of whose values (text, whole number, boolean, or a list of them) is one.
Interactions attribute_cells(const Catalogue& catalogue, std::uint32_t items,
                             std::span<const std::string> names);

// A, by rows of the items that were taken: columns are available items without interactions.
// kCancelled when the monitor said so; kExhausted before it begins.
Result<SparseRows> attribute_mixes(const Run& run, const Interactions& interactions,
                                   const Interactions& attributes, const Catalogue& catalogue,
                                   double lambda, int candidates, int memory_limit_mb);

// B' for the rows of a sparse B; of a new item the best `most` positive weights are kept either
// way, and what leads from one new item to another goes through those.
Result<SparseRows> grown_rows(const Run& run, const SparseRows& weights, const SparseRows& mixes,
                              int most);

}  // namespace vitrine

// Items that are described alike: term frequency and inverse document frequency over the catalogue,
// cosine between items. An item's terms are the words of its title and description and its labels:
// brand, tags, attributes and every level of its category. With c_f(t) how often term t occurs in
// field f, w_f the field's weight, N described items and n(t) of them with the term,
//
//   x(t) = ln(N / n(t)) sum over f with c_f(t) > 0 of w_f (1 + ln c_f(t)),   s_ij = x_i . x_j /
//   |x_i||x_j|
//
// (Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988). A history
// scores item j by the sum of s_ij over its distinct items i, so an item that nobody took yet can
// be listed. Each item keeps its best `neighbours`; terms of more than `common_share` of the items
// are left out: they cost most and say least. Cost: sum over the terms of n(t)^2. The same bytes
// for any number of threads.
#pragma once

#include <memory>

#include "model/model.h"

namespace vitrine {

struct ContentOptions {
  double title_weight = 1;
  double description_weight = 0.5;
  double label_weight = 1;
  double common_share = 0.2;
  int neighbours = 100;

  static constexpr std::string_view kName = "content";
  static constexpr auto fields() {
    using O = ContentOptions;
    return std::tuple{Field{"title_weight", &O::title_weight, 0.0, 100.0, "of words of the title"},
                      Field{"description_weight", &O::description_weight, 0.0, 100.0,
                            "of words of the description"},
                      Field{"label_weight", &O::label_weight, 0.0, 100.0,
                            "of brand, tags, attributes and category levels"},
                      Field{"common_share", &O::common_share, 0.001, 1.0,
                            "terms that more than this share of the items have are left out"},
                      Field{"neighbours", &O::neighbours, 1, 100'000, "entries kept per item"}};
  }
};

Result<std::unique_ptr<const Model>> fit_content(const Run& run, const ContentOptions& options,
                                                 const TrainingSet& set);
Result<std::unique_ptr<const Model>> load_content(ArchiveReader& reader, const Catalogue&);

}  // namespace vitrine

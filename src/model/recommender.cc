#include "model/recommender.h"

#include <numeric>

namespace vitrine {

Recommender recommender_of(std::string name, const Model& model) {
  Recommender recommender;
  recommender.name = std::move(name);
  recommender.recommend = [&model](std::span<const Query> queries,
                                   std::span<const std::span<const ItemIndex>> excluded, int n,
                                   CandidateBlock& out) {
    std::vector<ItemMask> masks(queries.size());
    for (std::size_t q = 0; q < masks.size(); ++q) masks[q].excluded = excluded[q];
    model.retrieve(queries, masks, n, out);
  };
  recommender.score_all = [&model](const Query& query, std::span<float> scores) {
    std::vector<ItemIndex> items(scores.size());
    for (std::size_t i = 0; i < items.size(); ++i)
      items[i] = ItemIndex{static_cast<std::uint32_t>(i)};
    model.score(query, items, scores);
  };
  return recommender;
}

}  // namespace vitrine

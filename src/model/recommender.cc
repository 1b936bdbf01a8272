#include "model/recommender.h"

#include <numeric>

namespace vitrine {

Recommender recommender_of(std::string name, const Model& model, bool anonymous) {
  Recommender recommender;
  recommender.name = std::move(name);
  recommender.recommend = [&model, anonymous](std::span<const Query> queries,
                                              std::span<const std::span<const ItemIndex>> excluded,
                                              int n, CandidateBlock& out) {
    std::vector<Query> nameless;
    if (anonymous) {
      nameless.assign(queries.begin(), queries.end());
      for (Query& query : nameless) query.user.reset();
      queries = nameless;
    }
    std::vector<ItemMask> masks(queries.size());
    for (std::size_t q = 0; q < masks.size(); ++q) masks[q].excluded = excluded[q];
    model.retrieve(queries, masks, n, out);
  };
  recommender.score_all = [&model, anonymous](Query query, std::span<float> scores) {
    if (anonymous) query.user.reset();
    std::vector<ItemIndex> items(scores.size());
    for (std::size_t i = 0; i < items.size(); ++i)
      items[i] = ItemIndex{static_cast<std::uint32_t>(i)};
    model.score(query, items, scores);
  };
  return recommender;
}

}  // namespace vitrine

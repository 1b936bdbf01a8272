#include "model/recommender.h"

#include <gtest/gtest.h>

#include "model/item_knn.h"
#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;

TEST(Recommender, IsTheModelWithEachQuerysExclusions) {
  const Histories histories = testing::make_histories(
      {{event_of(0), event_of(1), event_of(2)}, {event_of(0), event_of(1)}}, 2, 3);
  const auto model = testing::fit_on(fit_item_knn, ItemKnnOptions{}, histories);
  const Recommender recommender = recommender_of("knn", *model);
  EXPECT_EQ(recommender.name, "knn");

  const HistoryEvent zero = event_of(0);
  Query query;
  query.history = {&zero, 1};
  const std::vector<Query> queries{query, query};
  const ItemIndex one{1};
  const std::vector<std::span<const ItemIndex>> excluded{{}, {&one, 1}};
  CandidateBlock block;
  recommender.recommend(queries, excluded, 5, block);
  const auto list = testing::list_of(*model, query, 5);
  EXPECT_EQ((std::vector<Candidate>(block.row(0).begin(), block.row(0).end())), list);
  ItemMask mask;
  mask.excluded = {&one, 1};
  const auto masked = testing::list_of(*model, query, 5, mask);
  EXPECT_EQ((std::vector<Candidate>(block.row(1).begin(), block.row(1).end())), masked);
  EXPECT_NE(list, masked);

  std::vector<float> scores(3);
  recommender.score_all(query, scores);
  EXPECT_EQ(scores, testing::scores_of(*model, query, 3));
}

}  // namespace
}  // namespace vitrine

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

// Lists the item after the number of who asks.
class Personal final : public Model {
 public:
  void retrieve(std::span<const Query> queries, std::span<const ItemMask>, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(n));
    for (std::size_t q = 0; q < queries.size(); ++q) {
      out.room(q)[0] = {ItemIndex{queries[q].user ? raw(*queries[q].user) + 1 : 0}, 1};
      out.set_count(q, 1);
    }
  }
  void score(const Query& query, std::span<const ItemIndex>,
             std::span<float> scores) const override {
    scores[0] = query.user ? 1.0f : 0.0f;
  }
  void save(ArchiveWriter&) const override {}
};

TEST(Recommender, AnonymousWithholdsWhoAsks) {
  const Personal model;
  Query query;
  query.user = UserIndex{4};
  const std::span<const ItemIndex> nothing;
  for (const bool anonymous : {false, true}) {
    const Recommender recommender = recommender_of("personal", model, anonymous);
    CandidateBlock block;
    recommender.recommend({&query, 1}, {&nothing, 1}, 1, block);
    EXPECT_EQ(block.row(0)[0].item, ItemIndex{anonymous ? 0u : 5u});
    float score = 0;
    recommender.score_all(query, {&score, 1});
    EXPECT_EQ(score, anonymous ? 0.0f : 1.0f);
  }
}

}  // namespace
}  // namespace vitrine

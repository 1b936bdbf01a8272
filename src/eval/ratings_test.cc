#include "eval/ratings.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "data/histories_testing.h"

namespace vitrine {
namespace {

using testing::make_histories;
using testing::QuietRun;

// Training ratings from 1 to 5; held out are three ratings of one person and one of another.
Split rated_split() {
  const auto rated = [](std::uint32_t item, float value) {
    return HistoryEvent{.item = ItemIndex{item}, .type = EventType::kRating, .value = value};
  };
  const std::vector<std::vector<HistoryEvent>> train{{rated(0, 1), rated(1, 5)}, {rated(0, 4)}};
  Split split(make_histories(train, 2, 5), "rated");
  const std::vector<ItemIndex> three{ItemIndex{2}, ItemIndex{3}, ItemIndex{4}};
  const std::vector<float> of_three{4, 2, 5};
  split.add_case({.history = train[0], .truth = three, .user = UserIndex{0}, .ratings = of_three});
  const ItemIndex one{1};
  const float of_one = 3;
  split.add_case(
      {.history = train[1], .truth = {&one, 1}, .user = UserIndex{1}, .ratings = {&of_one, 1}});
  return split;
}

Recommender scoring(std::vector<float> scores) {
  Recommender recommender{.name = "fixed", .recommend = {}, .score_all = {}};
  recommender.score_all = [scores = std::move(scores)](const Query&, std::span<float> out) {
    std::copy_n(scores.begin(), out.size(), out.begin());
  };
  return recommender;
}

TEST(Ratings, AreTakenOverAllRatingsAndClipped) {
  // Errors: 4 predicted 3, 2 predicted 2.5, 5 predicted 9 (clipped to 5), 3 predicted -7 (to 1).
  const auto errors = rating_errors(QuietRun(), scoring({0, -7, 3, 2.5, 9}), rated_split(), 5, {});
  ASSERT_TRUE(errors.ok()) << errors.error().message;
  EXPECT_EQ((*errors)[0].name, "rmse");
  EXPECT_NEAR((*errors)[0].mean, std::sqrt((1 + 0.25 + 0 + 4) / 4), 1e-6);
  EXPECT_EQ((*errors)[1].name, "mae");
  EXPECT_NEAR((*errors)[1].mean, (1 + 0.5 + 0 + 2) / 4, 1e-6);
  EXPECT_LE((*errors)[0].low, (*errors)[0].mean);
  EXPECT_GE((*errors)[0].high, (*errors)[0].mean);
  EXPECT_TRUE((*errors)[0].per_case.empty());
}

TEST(Ratings, AreTheSameForAnyNumberOfThreads) {
  const Recommender recommender = scoring({1, 2, 3, 4, 5});
  const auto one = rating_errors(QuietRun(1), recommender, rated_split(), 5, {});
  const auto four = rating_errors(QuietRun(4), recommender, rated_split(), 5, {});
  ASSERT_TRUE(one.ok() && four.ok());
  for (std::size_t m = 0; m < 2; ++m) {
    EXPECT_EQ((*one)[m].mean, (*four)[m].mean);
    EXPECT_EQ((*one)[m].low, (*four)[m].low);
  }
}

TEST(Ratings, OfASplitWithoutAnyAreAnError) {
  Split split(make_histories({{HistoryEvent{.item = ItemIndex{0}}}}, 1, 2), "no ratings");
  const ItemIndex one{1};
  split.add_case({.truth = {&one, 1}, .user = UserIndex{0}});
  const auto errors = rating_errors(QuietRun(), scoring({1, 1}), split, 2, {});
  ASSERT_FALSE(errors.ok());
  EXPECT_EQ(errors.error().code, Code::kInvalid);
}

TEST(Ratings, StandBesideTheOtherMetrics) {
  Recommender recommender = scoring({1, 2, 3, 4, 5});
  recommender.recommend = [](std::span<const Query> queries, auto, int n, CandidateBlock& out) {
    out.reset(queries.size(), static_cast<std::size_t>(n));
  };
  EvaluateOptions options;
  options.ratings = true;
  const std::vector<std::uint32_t> counts(5, 1);
  const auto evaluation = evaluate(QuietRun(), recommender, rated_split(), counts, options);
  ASSERT_TRUE(evaluation.ok()) << evaluation.error().message;
  EXPECT_NE(evaluation->find("rmse"), nullptr);
  EXPECT_NE(evaluation->find("ndcg@10"), nullptr);
}

}  // namespace
}  // namespace vitrine

#include "model/popularity.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::fit_on;
using testing::make_histories;
using testing::near;
using testing::scores_of;

std::vector<double> slow_counts(const Histories& histories, const PopularityOptions& o) {
  std::vector<double> counts(histories.items());
  for (std::uint32_t i = 0; i < counts.size(); ++i) {
    for (std::size_t r = 0; r < histories.rows(); ++r) {
      double sum = 0, best = 0;
      for (const HistoryEvent& e : histories.row(r)) {
        if (raw(e.item) != i) continue;
        const double days =
            e.time == kNoTime ? 0 : static_cast<double>(histories.last_time() - e.time) / kDay;
        if (o.window_days > 0 && days > o.window_days) continue;
        const double w =
            e.weight * (o.half_life_days > 0 ? std::pow(0.5, days / o.half_life_days) : 1);
        sum += w;
        best = std::max(best, w);
      }
      counts[i] += o.count == "persons" ? best : sum;
    }
  }
  return counts;
}

TEST(Popularity, CountsAreTheFormula) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    PopularityOptions options;
    options.count = *rc::gen::element<std::string>("persons", "events");
    options.window_days = *rc::gen::element(0.0, 3.0, 8.0);
    options.half_life_days = *rc::gen::element(0.0, 2.5);
    const auto model = fit_on(fit_popularity, options, histories);
    const auto expected = slow_counts(histories, options);
    const auto scores = scores_of(*model, Query{}, 8);
    for (std::size_t i = 0; i < 8; ++i) RC_ASSERT(near(scores[i], expected[i]));
    const auto list = testing::list_of(*model, Query{}, 8);
    RC_ASSERT(std::is_sorted(list.begin(), list.end(), better));
    RC_ASSERT(static_cast<std::ptrdiff_t>(list.size()) ==
              std::count_if(scores.begin(), scores.end(), [](float s) { return s > 0; }));
  }));
}

TEST(Popularity, ListsTheCategoryThatIsLookedAt) {
  Catalogue catalogue;
  const std::vector<std::vector<std::string>> paths{
      {"Home", "Kitchen"}, {"Home", "Kitchen"}, {"Home"}, {"Garden"}, {}};
  for (std::uint32_t i = 0; i < paths.size(); ++i) {
    Item item;
    item.category = paths[i];
    catalogue.put(ItemIndex{i}, item);
  }
  const Histories histories = make_histories(
      {{event_of(0), event_of(1), event_of(3)}, {event_of(1), event_of(2), event_of(4)}}, 2, 5);
  PopularityOptions options;
  options.by = "category";
  const auto model = fit_on(fit_popularity, options, histories, {}, catalogue);
  const auto listed = [&](const Query& query) {
    std::vector<std::uint32_t> items;
    for (const Candidate& c : testing::list_of(*model, query, 10)) items.push_back(raw(c.item));
    return items;
  };
  EXPECT_EQ(listed(Query{}), (std::vector<std::uint32_t>{1, 0, 2, 3, 4}));
  Query query;
  const std::vector<HistoryEvent> history{event_of(0), event_of(2), event_of(4)};
  query.history = history;  // 4 has no category: the latest that has one decides
  EXPECT_EQ(listed(query), (std::vector<std::uint32_t>{1, 0, 2}));
  Context context;
  context.item = ItemIndex{0};
  query.context = &context;
  EXPECT_EQ(listed(query), (std::vector<std::uint32_t>{1, 0}));
  EXPECT_EQ(scores_of(*model, query, 5), (std::vector<float>{1, 2, 0, 0, 0}));
}

}  // namespace
}  // namespace vitrine

#include "model/together.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <set>

#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::fit_on;
using testing::make_histories;
using testing::near;
using testing::scores_of;

std::vector<std::set<std::uint32_t>> baskets_of(const Histories& histories) {
  std::vector<std::set<std::uint32_t>> baskets;
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    const auto row = histories.row(r);
    for (std::size_t e = 0; e < row.size(); ++e) {
      if (e == 0 || row[e].group != row[e - 1].group) baskets.emplace_back();
      baskets.back().insert(raw(row[e].item));
    }
  }
  return baskets;
}

// Dunning's statistic by way of entropies, as 2 N (H(rows) + H(columns) - H(cells)).
double entropy(const std::vector<double>& counts) {
  double all = 0, sum = 0;
  for (const double k : counts) all += k;
  for (const double k : counts) sum -= k > 0 ? k / all * std::log(k / all) : 0;
  return sum;
}
double slow_llr(double both, double i, double j, double all) {
  return 2 * all *
         (entropy({i, all - i}) + entropy({j, all - j}) -
          entropy({both, i - both, j - both, all - i - j + both}));
}

double slow_weight(const TogetherOptions& options,
                   const std::vector<std::set<std::uint32_t>>& baskets, std::uint32_t i,
                   std::uint32_t j) {
  double both = 0, with_i = 0, with_j = 0;
  const auto all = static_cast<double>(baskets.size());
  for (const auto& basket : baskets) {
    with_i += basket.count(i);
    with_j += basket.count(j);
    both += basket.count(i) && basket.count(j);
  }
  if (i == j || both < options.support_min || both / all <= with_i / all * (with_j / all) + 1e-12)
    return 0;
  if (options.score == "support") return both;
  return options.score == "lift" ? both / all / (with_i / all) / (with_j / all)
                                 : slow_llr(both, with_i, with_j, all);
}

TEST(Together, RowsAreTheFormula) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    TogetherOptions options;
    options.score = *rc::gen::element<std::string>("llr", "lift", "support");
    options.support_min = *rc::gen::inRange(1, 3);
    const auto model = fit_on(fit_together, options, histories);
    const auto baskets = baskets_of(histories);
    for (std::uint32_t i = 0; i < 8; ++i) {
      const HistoryEvent event = event_of(i);
      const auto scores = scores_of(*model, std::span(&event, 1), 8);
      for (std::uint32_t j = 0; j < 8; ++j) {
        RC_ASSERT(near(scores[j], slow_weight(options, baskets, i, j), 1e-4));
      }
    }
  }));
}

// Two baskets of {0, 1}, two of {1, 2, 3}, one of {4}.
Histories shop(EventType type) {
  std::vector<std::vector<HistoryEvent>> rows;
  for (const std::vector<std::uint32_t>& basket :
       {std::vector<std::uint32_t>{0, 1}, {1, 2, 3}, {4}, {0, 1}, {1, 2, 3}}) {
    rows.emplace_back();
    for (const std::uint32_t item : basket) {
      rows.back().push_back(event_of(item));
      rows.back().back().type = type;
    }
  }
  return make_histories(rows, 5, 5);
}

std::vector<std::uint32_t> listed(const Model& model, const Query& query) {
  std::vector<std::uint32_t> items;
  for (const Candidate& c : testing::list_of(model, query, 10)) items.push_back(raw(c.item));
  return items;
}

TEST(Together, AsksTheCartThenTheLastBasketAndNeverListsThem) {
  TogetherOptions options;
  options.support_min = 1;
  options.score = "support";
  const auto model = fit_on(fit_together, options, shop(EventType::kPurchase));
  std::vector<HistoryEvent> history{event_of(0), event_of(3), event_of(2), event_of(4)};
  history[1].group = history[2].group = 1;
  history[3].group = 2;
  for (HistoryEvent& e : history) e.type = EventType::kPurchase;
  history[3].type = EventType::kView;  // no basket
  Query query;
  query.history = history;
  EXPECT_EQ(listed(*model, query), (std::vector<std::uint32_t>{1}));
  Context context;
  context.cart = {ItemIndex{1}};
  context.item = ItemIndex{3};
  query.context = &context;
  EXPECT_EQ(listed(*model, query), (std::vector<std::uint32_t>{2, 0}));
  const auto scores = scores_of(*model, query, 5);
  EXPECT_EQ(scores[1], 0);
  EXPECT_EQ(scores[3], 0);
  EXPECT_EQ(scores[2], 4);
}

TEST(Together, ViewsAreNoBasketsWhereThereArePurchases) {
  std::vector<std::vector<HistoryEvent>> rows(3, {event_of(0), event_of(1), event_of(2)});
  rows.push_back({event_of(3)});
  for (auto& row : rows) row[0].type = EventType::kPurchase;
  for (std::size_t r = 0; r < 3; ++r) rows[r][1].type = EventType::kPurchase;
  const Histories histories = make_histories(rows, 4, 4);
  HistoryEvent zero = event_of(0);
  zero.type = EventType::kPurchase;
  Query query;
  query.history = std::span(&zero, 1);
  TogetherOptions options;
  EXPECT_EQ(listed(*fit_on(fit_together, options, histories), query),
            (std::vector<std::uint32_t>{1}));
  options.events = "all";
  EXPECT_EQ(listed(*fit_on(fit_together, options, histories), query),
            (std::vector<std::uint32_t>{1, 2}));
}

// Views and purchases of one shop; each is a group of its own.
Histories viewed_and_bought() {
  std::vector<std::vector<HistoryEvent>> rows;
  const auto add = [&](int times, EventType type, std::vector<std::uint32_t> items) {
    for (int t = 0; t < times; ++t) {
      rows.emplace_back();
      for (const std::uint32_t item : items) {
        rows.back().push_back(event_of(item));
        rows.back().back().type = type;
      }
    }
  };
  add(6, EventType::kView, {0, 1});      // two cameras are compared ...
  add(1, EventType::kPurchase, {0, 1});  // ... and rarely both bought
  add(1, EventType::kView, {0, 2});      // a camera and its bag
  add(4, EventType::kPurchase, {0, 2});
  add(3, EventType::kPurchase, {3, 4});  // bought together, never viewed
  add(5, EventType::kView, {5});
  add(5, EventType::kPurchase, {5});
  return make_histories(rows, static_cast<std::uint32_t>(rows.size()), 6);
}

TEST(Together, TellsComplementsFromSubstitutes) {
  const Histories histories = viewed_and_bought();
  TogetherOptions options;
  options.support_min = 1;
  options.score = "support";
  Query query;
  Context context;
  query.context = &context;
  const auto listed_for = [&](const char* relation, std::uint32_t item) {
    options.relation = relation;
    context.item = ItemIndex{item};
    return listed(*fit_on(fit_together, options, histories), query);
  };
  using Items = std::vector<std::uint32_t>;
  EXPECT_EQ(listed_for("complements", 0), (Items{2}));
  EXPECT_EQ(listed_for("substitutes", 0), (Items{1}));
  EXPECT_EQ(listed_for("complements", 3), (Items{4}));
  EXPECT_EQ(listed_for("substitutes", 3), (Items{}));
}

TEST(Together, ComplementsAreOfTheEventsThatMakeABasket) {
  // Carts and views, no purchase at all.
  std::vector<std::vector<HistoryEvent>> rows(3, {event_of(0), event_of(1)});
  rows.push_back({event_of(2)});
  for (auto& row : rows) {
    for (HistoryEvent& event : row) event.type = EventType::kCart;
  }
  rows.push_back({event_of(2), event_of(3)});
  for (HistoryEvent& event : rows.back()) event.type = EventType::kView;
  const Histories histories = make_histories(rows, 5, 4);
  TogetherOptions options;
  options.support_min = 1;
  options.relation = "complements";
  HistoryEvent zero = event_of(0);
  zero.type = EventType::kCart;
  Query query;
  query.history = std::span(&zero, 1);
  for (const char* events : {"auto", "all"}) {
    options.events = events;
    EXPECT_EQ(listed(*fit_on(fit_together, options, histories), query),
              (std::vector<std::uint32_t>{1}));
  }
  options.events = "purchases";
  EXPECT_TRUE(listed(*fit_on(fit_together, options, histories), query).empty());
}

// The two lifts of the header, group by group.
TEST(Together, RelationsCompareTheLifts) {
  EXPECT_TRUE(rc::check([] {
    std::vector<std::vector<HistoryEvent>> rows(*rc::gen::inRange<std::size_t>(1, 25));
    for (auto& row : rows) {
      const auto type = *rc::gen::element(EventType::kView, EventType::kPurchase);
      for (std::uint32_t item = 0; item < 6; ++item) {
        if (*rc::gen::inRange(0, 3) > 0) continue;
        row.push_back(event_of(item));
        row.back().type = type;
      }
    }
    const Histories histories = make_histories(rows, static_cast<std::uint32_t>(rows.size()), 6);
    const auto lift = [&](EventType type, std::uint32_t i, std::uint32_t j) {
      double all = 0, with_i = 0, with_j = 0, both = 0;
      for (const auto& row : rows) {
        if (row.empty() || row[0].type != type) continue;
        const auto has = [&](std::uint32_t item) {
          return std::any_of(row.begin(), row.end(),
                             [&](const HistoryEvent& e) { return raw(e.item) == item; });
        };
        ++all;
        with_i += has(i);
        with_j += has(j);
        both += has(i) && has(j);
      }
      return all > 0 ? (both + 1) * all / (with_i * with_j + all) : 0;
    };
    TogetherOptions options;
    options.support_min = 1;
    options.events = "purchases";
    const auto all = fit_on(fit_together, options, histories);
    options.relation = "complements";
    const auto complements = fit_on(fit_together, options, histories);
    for (std::uint32_t i = 0; i < 6; ++i) {
      HistoryEvent event = event_of(i);
      event.type = EventType::kPurchase;
      const auto before = scores_of(*all, std::span(&event, 1), 6);
      const auto after = scores_of(*complements, std::span(&event, 1), 6);
      for (std::uint32_t j = 0; j < 6; ++j) {
        const double bought = lift(EventType::kPurchase, i, j);
        const double viewed = lift(EventType::kView, i, j);
        if (std::abs(bought - viewed) < 1e-9) continue;
        RC_ASSERT(after[j] == (viewed > bought ? 0 : before[j]));
      }
    }
  }));
}

TEST(Together, SaysHowManyNeighboursWouldFit) {
  TogetherOptions options;
  options.memory_limit_mb = 1;
  options.basket_max = options.neighbours = 300;
  const Histories histories = testing::full_histories(2, 250);
  const Error error = testing::error_of(fit_together, options, histories);
  EXPECT_EQ(error.code, Code::kExhausted);
  EXPECT_NE(error.message.find("or set neighbours = 150"), std::string::npos) << error.message;
  options.neighbours = 150;
  fit_on(fit_together, options, histories);
  options.relation = "substitutes";  // no purchases: nothing beside
  fit_on(fit_together, options, histories);
  options.relation = "complements";
  options.neighbours = 1;
  const Error rival = testing::error_of(fit_together, options, histories);
  EXPECT_EQ(rival.code, Code::kExhausted);
  EXPECT_EQ(rival.message.find("or set"), std::string::npos) << rival.message;
}

TEST(Together, WholesaleBasketsAreLeftOut) {
  TogetherOptions options;
  options.support_min = 1;
  options.basket_max = 2;
  const auto model = fit_on(fit_together, options, shop(EventType::kView));
  const HistoryEvent two = event_of(2), one = event_of(1);
  Query query;
  query.history = std::span(&two, 1);
  EXPECT_TRUE(listed(*model, query).empty());
  query.history = std::span(&one, 1);
  EXPECT_EQ(listed(*model, query), (std::vector<std::uint32_t>{0}));
}

}  // namespace
}  // namespace vitrine

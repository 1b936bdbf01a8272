#include "model/basket.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
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
using Items = std::set<std::uint32_t>;

// The latest first.
std::vector<Items> baskets_of(std::span<const HistoryEvent> row) {
  std::vector<Items> baskets;
  for (std::size_t e = 0; e < row.size(); ++e) {
    if (e == 0 || row[e].group != row[e - 1].group) baskets.insert(baskets.begin(), Items());
    baskets.front().insert(raw(row[e].item));
  }
  return baskets;
}

struct Person {
  std::vector<double> v;
  Items items;
};

Person person_of(std::span<const HistoryEvent> row, std::uint32_t items, const BasketOptions& o) {
  Person person{std::vector<double>(items), {}};
  const auto baskets = baskets_of(row);
  std::size_t counted = baskets.size();
  if (o.window > 0) counted = std::min(counted, static_cast<std::size_t>(o.window));
  for (std::size_t t = 0; t < baskets.size(); ++t) {
    for (const std::uint32_t i : baskets[t]) {
      person.items.insert(i);
      const auto group = static_cast<std::size_t>(o.group_size);
      if (t < counted) {
        person.v[i] += std::pow(o.basket_decay, t % group) * std::pow(o.group_decay, t / group) /
                       static_cast<double>(counted);
      }
    }
  }
  return person;
}

double common_of(const Person& a, const Person& b) {
  double common = 0;
  for (const std::uint32_t i : a.items) common += b.items.contains(i);
  return common;
}

struct Voter {
  const Person* person;
  double similarity;
};

// Everybody compared, those active last first.
std::vector<Voter> slow_neighbours(const std::vector<Person>& persons, const Person& asked,
                                   const BasketOptions& o) {
  std::vector<Voter> voters;
  for (const Person& p : persons) {
    const double common = common_of(asked, p);
    if (common == 0) continue;
    double similarity = common / (std::pow(asked.items.size(), o.asymmetry) *
                                  std::pow(p.items.size(), 1 - o.asymmetry));
    if (o.similarity == "vectors") {
      similarity = 100;
      for (std::size_t i = 0; i < p.v.size(); ++i) similarity -= std::pow(asked.v[i] - p.v[i], 2);
    }
    voters.push_back({&p, similarity});
  }
  std::stable_sort(voters.begin(), voters.end(), [](const Voter& a, const Voter& b) {
    return a.similarity > b.similarity + 1e-6;
  });
  voters.resize(std::min(voters.size(), static_cast<std::size_t>(o.neighbours)));
  for (Voter& v : voters) {
    v.similarity = o.similarity == "vectors" ? 1 : std::pow(v.similarity, o.locality);
  }
  return voters;
}

std::vector<double> slow_scores(const Histories& histories, std::span<const HistoryEvent> history,
                                const BasketOptions& o) {
  const std::uint32_t items = histories.items();
  std::vector<std::pair<Timestamp, Person>> rows;
  std::vector<double> holding(items);
  double baskets = 0;
  for (std::size_t r = histories.rows(); r-- > 0;) {
    const auto row = histories.row(r);
    if (row.empty()) continue;
    rows.emplace_back(row.back().time, person_of(row, items, o));
    for (const Items& basket : baskets_of(row)) {
      ++baskets;
      for (const std::uint32_t i : basket) ++holding[i];
    }
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Person> persons;
  for (auto& row : rows) persons.push_back(std::move(row.second));
  const Person asked = person_of(history, items, o);
  std::vector<double> scores(items);
  const auto voters = slow_neighbours(persons, asked, o);
  double all = 0;
  for (const Voter& v : voters) all += v.similarity;
  for (std::uint32_t j = 0; j < items; ++j) {
    scores[j] = o.own * asked.v[j];
    for (const Voter& v : voters) {
      scores[j] += (1 - o.own) * v.similarity / all * v.person->v[j];
    }
    if (baskets > 0) scores[j] += o.popular * holding[j] / baskets;
  }
  return scores;
}

TEST(Basket, IsTheFormulaOverAllPersons) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    BasketOptions o;
    o.window = *rc::gen::element(0, 1, 3);
    o.basket_decay = *rc::gen::element(1.0, 0.83, 0.0);
    o.group_size = *rc::gen::element(1, 2, 1000);
    o.group_decay = *rc::gen::element(1.0, 0.71);
    o.own = *rc::gen::element(0.0, 0.4, 1.0);
    o.similarity = *rc::gen::element<std::string>("sets", "vectors");
    o.neighbours = *rc::gen::element(3, 300);
    if (o.similarity == "vectors") o.neighbours = 300;  // near ties have no order in float
    o.asymmetry = *rc::gen::element(0.0, 0.25, 1.0);
    o.locality = *rc::gen::element(0.0, 1.0, 5.0);
    o.popular = *rc::gen::element(0.0, 0.1);
    const auto model = fit_on(fit_basket, o, histories);
    for (std::size_t r = 0; r < histories.rows(); ++r) {
      const auto expected = slow_scores(histories, histories.row(r), o);
      const auto scores = scores_of(*model, histories.row(r), histories.items());
      for (std::size_t j = 0; j < expected.size(); ++j) RC_ASSERT(near(scores[j], expected[j]));
    }
  }));
}

// 1 of 20 items in common: (1 / 20)^100 is far below what a float holds.
TEST(Basket, DistantNeighboursVoteHoweverLocal) {
  std::vector<HistoryEvent> asked, other;
  for (std::uint32_t i = 0; i < 20; ++i) {
    asked.push_back(event_of(i));
    other.push_back(event_of(i + 19));
  }
  BasketOptions options;
  options.own = options.popular = 0;
  options.locality = 100;
  const auto model = fit_on(fit_basket, options, make_histories({other}, 1, 40));
  EXPECT_NEAR(scores_of(*model, asked, 40)[30], 1, 1e-6);
}

TEST(Basket, ListsWhatIsBoughtAgainThenWhatEveryoneBuys) {
  // GP-TopFreq: own frequencies first, then everyone's.
  BasketOptions options;
  options.own = 1;
  options.basket_decay = 1;
  options.popular = 0.001;
  const auto basket = [](std::vector<std::uint32_t> items, std::uint32_t group) {
    std::vector<HistoryEvent> events;
    for (const std::uint32_t item : items) {
      events.push_back(event_of(item));
      events.back().group = group;
    }
    return events;
  };
  std::vector<HistoryEvent> person = basket({0, 1}, 0);
  for (const HistoryEvent& e : basket({1, 2}, 1)) person.push_back(e);
  const auto model = fit_on(fit_basket, options,
                            make_histories({person, basket({3}, 0), basket({3, 2}, 0)}, 3, 5));
  Query query;
  query.history = person;
  std::vector<std::uint32_t> listed;
  for (const Candidate& c : testing::list_of(*model, query, 10)) listed.push_back(raw(c.item));
  EXPECT_EQ(listed, (std::vector<std::uint32_t>{1, 2, 0, 3}));
}

TEST(Basket, ViewsAreNoBasketsWhereThereArePurchases) {
  std::vector<HistoryEvent> row{event_of(0), event_of(1)};
  row[0].type = EventType::kPurchase;
  const auto model = fit_on(fit_basket, BasketOptions{}, make_histories({row}, 1, 2));
  const auto scores = scores_of(*model, row, 2);
  EXPECT_GT(scores[0], 0);
  EXPECT_EQ(scores[1], 0);
}

}  // namespace
}  // namespace vitrine

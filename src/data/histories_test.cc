#include "data/histories.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <limits>
#include <map>

#include "data/histories_testing.h"

namespace vitrine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::QuietRun;

constexpr Timestamp kMinute = 60 * kSecond;

Event purchase(std::string user, std::string item, Timestamp time, std::string order = {},
               std::string session = {}) {
  Event e;
  e.user = std::move(user);
  e.item = std::move(item);
  e.type = EventType::kPurchase;
  e.time = time;
  e.order = std::move(order);
  e.session = std::move(session);
  return e;
}

struct Shop {
  Vocabulary vocabulary;
  EventTable events;
  EventTypes types;
  QuietRun run;

  explicit Shop(const std::vector<Event>& list) {
    for (const Event& e : list) events.add(e, events.size(), vocabulary);
  }
  // All rows, as if nothing had been cleaned.
  CleanView everything() const {
    CleanView view;
    for (std::size_t i = 0; i < events.size(); ++i) {
      view.rows.push_back(static_cast<std::uint32_t>(i));
      view.quantity.push_back(events.quantity[i]);
    }
    return view;
  }
  Result<Histories> histories(const HistoryOptions& options = {}) const {
    return build_histories(run, events, everything(), vocabulary, types, options);
  }
};

std::vector<std::string> row_items(const Shop& shop, const Histories& histories, std::size_t r) {
  std::vector<std::string> out;
  for (const HistoryEvent& e : histories.row(r)) out.emplace_back(shop.vocabulary.id(e.item));
  return out;
}
std::vector<std::uint32_t> row_groups(const Histories& histories, std::size_t r) {
  std::vector<std::uint32_t> out;
  for (const HistoryEvent& e : histories.row(r)) out.push_back(e.group);
  return out;
}

TEST(EventTable, NumbersIdsAndHashesContent) {
  Event a = purchase("u", "i", 5, "o");
  Event again = a;
  again.id = "other";
  again.received = 99;
  Event dearer = a;
  dearer.price = 2;
  Event shifted = purchase("ui", "", 5, "o");
  Event bare;
  const Shop shop({a, again, dearer, shifted, bare});
  EXPECT_EQ(shop.events.content[0], shop.events.content[1]);
  EXPECT_NE(shop.events.content[0], shop.events.content[2]);
  EXPECT_NE(shop.events.content[0], shop.events.content[3]);
  EXPECT_EQ(shop.events.order, (std::vector<std::uint32_t>{0, 0, 0, 0, EventTable::kNone}));
  EXPECT_EQ(shop.events.session[4], EventTable::kNone);
  EXPECT_EQ(shop.events.user[4], kNoUser);
  EXPECT_EQ(shop.events.item[3], kNoItem);
  EXPECT_EQ(shop.events.sequence[3], 3u);
}

TEST(Histories, OrderByTimeThenByLogUsersThenSessions) {
  const Shop shop({purchase("", "a", 9, "", "s2"), purchase("u", "b", 7), purchase("v", "c", 1),
                   purchase("u", "a", 3), purchase("", "c", 1, "", "s1"), purchase("u", "c", 7),
                   purchase("", "b", 2, "", "s2"), purchase("v", "", 1), purchase("", "a", 1)});
  const auto histories = shop.histories();
  ASSERT_TRUE(histories.ok());
  EXPECT_EQ(histories->rows(), 4u);
  EXPECT_EQ(histories->users(), 2u);
  EXPECT_THAT(row_items(shop, *histories, 0), ElementsAre("a", "b", "c"));
  EXPECT_THAT(row_items(shop, *histories, 1), ElementsAre("c"));
  EXPECT_THAT(row_items(shop, *histories, 2), ElementsAre("b", "a"));  // s2 came first
  EXPECT_THAT(row_items(shop, *histories, 3), ElementsAre("c"));
  EXPECT_EQ(histories->user(1), UserIndex{1});
  EXPECT_EQ(histories->user(2), std::nullopt);
  EXPECT_EQ(histories->last_time(), 9);
}

TEST(Histories, ValueIsTheRatingElseTheQuantityElseOne) {
  Event rating = purchase("u", "a", 1);
  rating.type = EventType::kRating;
  rating.value = 4.5;
  rating.quantity = 3;
  Event bought = purchase("u", "b", 2);
  bought.quantity = 12;
  const Shop shop({rating, bought, purchase("u", "c", 3)});
  const auto histories = shop.histories();
  const auto row = histories->row(0);
  EXPECT_EQ(row[0].value, 4.5f);
  EXPECT_EQ(row[1].value, 12.f);
  EXPECT_EQ(row[2].value, 1.f);
}

TEST(Histories, TypesWeighWhatTheConfigurationSays) {
  std::vector<Event> list;
  const EventTypes types;
  for (const std::string name : {"impression", "view", "purchase", "return", "search", "dislike"}) {
    list.push_back(purchase("u", name, static_cast<Timestamp>(list.size())));
    list.back().type = *types.find(name);
  }
  const Shop shop(list);
  EXPECT_THAT(row_items(shop, *shop.histories(), 0), ElementsAre("view", "purchase"));
  HistoryOptions options;
  options.weights = {"impression=0.125", "view=0", "purchase=2"};
  const auto weighted = shop.histories(options);
  ASSERT_TRUE(weighted.ok()) << weighted.error().message;
  EXPECT_THAT(row_items(shop, *weighted, 0), ElementsAre("impression", "purchase"));
  EXPECT_EQ(weighted->row(0)[0].weight, 0.125f);
  EXPECT_EQ(weighted->row(0)[1].weight, 2.f);
}

TEST(Histories, AWrongWeightIsNamed) {
  const Shop shop({purchase("u", "a", 1)});
  const auto message = [&](std::vector<std::string> weights) {
    HistoryOptions options;
    options.weights = std::move(weights);
    const auto histories = shop.histories(options);
    return histories.ok() ? std::string() : histories.error().message;
  };
  EXPECT_THAT(message({"view"}), HasSubstr("\"view\" is not of the form type=weight"));
  EXPECT_THAT(message({"veiw=1"}), HasSubstr("view"));
  for (const std::string text :
       {"view=", "view=-1e7", "view=1x", "view=nan", "view=inf", "view=1e9"}) {
    EXPECT_THAT(message({text}), HasSubstr(text + "\": the weight must be a number from -1"));
  }
  EXPECT_THAT(message({"view=1", "view=2"}), HasSubstr("has an entry already"));
  EXPECT_THAT(message({"return=1"}), HasSubstr("never enter histories"));
}

Event of_type(EventType type, std::string user, std::string item, Timestamp time) {
  Event e = purchase(std::move(user), std::move(item), time);
  e.type = type;
  return e;
}

TEST(Histories, ANegativeWeightTakesInterestBack) {
  const Shop shop({purchase("u", "a", 1), of_type(EventType::kView, "u", "a", 2),
                   purchase("u", "b", 3), of_type(EventType::kHide, "u", "a", 4),
                   purchase("u", "a", 5), of_type(EventType::kHide, "v", "b", 1),
                   purchase("v", "a", 1)});
  HistoryOptions options;
  options.weights = {"view=0.25", "hide=-1"};
  const auto histories = shop.histories(options);
  ASSERT_TRUE(histories.ok());
  // The view goes whole, a quarter of the purchase stays; what comes later is untouched.
  EXPECT_THAT(row_items(shop, *histories, 0), ElementsAre("a", "b", "a"));
  EXPECT_FLOAT_EQ(histories->row(0)[0].weight, 0.25f);
  EXPECT_FLOAT_EQ(histories->row(0)[2].weight, 1);
  EXPECT_THAT(row_groups(*histories, 0), ElementsAre(0, 0, 0));
  EXPECT_THAT(row_items(shop, *histories, 1), ElementsAre("a"));
}

// The obvious version: each negative event walks back through what is left.
TEST(Histories, InterestTakenBackAgreesWithTheObviousVersion) {
  EXPECT_TRUE(rc::check([] {
    std::vector<Event> list(*rc::gen::inRange<std::size_t>(0, 30));
    for (std::size_t i = 0; i < list.size(); ++i) {
      list[i] = of_type(*rc::gen::element(EventType::kView, EventType::kPurchase, EventType::kHide,
                                          EventType::kDislike),
                        *rc::gen::element<std::string>("u", "v"),
                        *rc::gen::element<std::string>("a", "b"), static_cast<Timestamp>(i));
    }
    const Shop shop(list);
    HistoryOptions options;
    options.weights = {"view=0.5", "hide=-2", "dislike=-0.25"};
    const auto weights = event_weights(options, shop.types);
    const auto histories = shop.histories(options);
    RC_ASSERT(histories.ok());
    for (std::uint32_t u = 0; u < shop.vocabulary.users.size(); ++u) {
      std::vector<std::pair<std::string, float>> expected;
      for (const Event& e : list) {
        if (e.user != shop.vocabulary.id(UserIndex{u})) continue;
        float weight = (*weights)[static_cast<std::size_t>(e.type)];
        if (weight > 0) {
          expected.emplace_back(e.item, weight);
          continue;
        }
        for (auto at = expected.rbegin(); at != expected.rend() && weight < 0; ++at) {
          if (at->first != e.item) continue;
          const float taken = std::min(-weight, at->second);
          at->second -= taken;
          weight += taken;
        }
      }
      std::erase_if(expected, [](const auto& e) { return e.second <= 0; });
      const auto row = histories->row(u);
      RC_ASSERT(row.size() == expected.size());
      for (std::size_t i = 0; i < row.size(); ++i) {
        RC_ASSERT(shop.vocabulary.id(row[i].item) == expected[i].first);
        RC_ASSERT(row[i].weight == expected[i].second);
      }
    }
  }));
}

TEST(Histories, GroupsByOrderSessionAndGap) {
  const Shop shop({purchase("u", "a", 0, "o1", "s1"), purchase("u", "b", 0, "o1", "s1"),
                   purchase("u", "c", kMinute, "o2", "s1"), purchase("u", "d", 2 * kMinute),
                   purchase("u", "e", 32 * kMinute), purchase("u", "f", 63 * kMinute, "", "s2"),
                   purchase("u", "g", 63 * kMinute, "o1", "s2")});
  HistoryOptions options;
  EXPECT_THAT(row_groups(*shop.histories(options), 0), ElementsAre(0, 0, 1, 2, 2, 3, 4));
  options.group_by = "session";
  EXPECT_THAT(row_groups(*shop.histories(options), 0), ElementsAre(0, 0, 0, 1, 1, 2, 2));
  options.group_by = "gap";
  EXPECT_THAT(row_groups(*shop.histories(options), 0), ElementsAre(0, 0, 0, 0, 0, 1, 1));
  options.session_gap_minutes = 31;
  EXPECT_THAT(row_groups(*shop.histories(options), 0), ElementsAre(0, 0, 0, 0, 0, 0, 0));
}

TEST(Histories, EventsWithoutTimeKeepLogOrderAndShareNoGroup) {
  const Shop shop({purchase("u", "a", 5), purchase("u", "b", kNoTime), purchase("u", "c", kNoTime),
                   purchase("v", "c", kNoTime), purchase("v", "a", kNoTime)});
  const auto histories = shop.histories();
  EXPECT_THAT(row_items(shop, *histories, 0), ElementsAre("b", "c", "a"));
  EXPECT_THAT(row_groups(*histories, 0), ElementsAre(0, 1, 2));
  EXPECT_THAT(row_items(shop, *histories, 1), ElementsAre("c", "a"));
}

TEST(Histories, SurviveExtremeTimes) {
  const Shop shop({purchase("u", "a", std::numeric_limits<Timestamp>::max()),
                   purchase("u", "b", std::numeric_limits<Timestamp>::min() + 1)});
  const auto histories = shop.histories();
  EXPECT_THAT(row_items(shop, *histories, 0), ElementsAre("b", "a"));
  EXPECT_THAT(row_groups(*histories, 0), ElementsAre(0, 1));
}

// The obvious version of one person's history: insertion by time after everything not later.
TEST(Histories, AgreeWithTheObviousVersion) {
  EXPECT_TRUE(rc::check([] {
    std::vector<Event> list(*rc::gen::inRange<std::size_t>(0, 40));
    for (Event& e : list) {
      e = purchase(*rc::gen::element<std::string>("", "u", "v"),
                   *rc::gen::element<std::string>("a", "b"),
                   *rc::gen::element(Timestamp{kNoTime}, Timestamp{0}, Timestamp{1}, Timestamp{2}),
                   *rc::gen::element<std::string>("", "o1", "o2"),
                   *rc::gen::element<std::string>("", "s", "t"));
    }
    const Shop shop(list);
    std::map<std::pair<bool, std::string>, std::vector<const Event*>> persons;
    for (const Event& e : list) {
      if (e.user.empty() && e.session.empty()) continue;
      auto& row = persons[{e.user.empty(), e.user.empty() ? e.session : e.user}];
      auto at = row.end();
      while (at != row.begin() && (*std::prev(at))->time > e.time) --at;
      row.insert(at, &e);
    }
    const auto histories = shop.histories();
    RC_ASSERT(histories.ok());
    std::size_t total = 0;
    for (const auto& person : persons) {
      const auto& expected = person.second;
      total += expected.size();
      bool found =
          false;  // sessions have no index of their own: any row that says the same will do
      for (std::size_t r = 0; r < histories->rows() && !found; ++r) {
        const auto row = histories->row(r);
        found =
            row.size() == expected.size() && histories->user(r).has_value() != person.first.first;
        for (std::size_t i = 0; i < row.size() && found; ++i) {
          found = row[i].time == expected[i]->time &&
                  shop.vocabulary.id(row[i].item) == expected[i]->item;
          if (i == 0) continue;
          const bool joined = expected[i]->order == expected[i - 1]->order &&
                              (!expected[i]->order.empty() || expected[i - 1]->time != kNoTime);
          found = found && row[i].group == row[i - 1].group + (joined ? 0 : 1);
        }
      }
      RC_ASSERT(found);
    }
    RC_ASSERT(histories->size() == total);
  }));
}

}  // namespace
}  // namespace vitrine

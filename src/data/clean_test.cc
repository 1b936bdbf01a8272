#include "data/clean.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <limits>
#include <map>

#include "data/histories_testing.h"

namespace vitrine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::QuietRun;

constexpr Timestamp kStart = 1'291'191'960'000;  // 2010-12-01T08:26:00Z

Event event(EventType type, std::string user, std::string item, Timestamp time,
            double quantity = 1) {
  Event e;
  e.user = std::move(user);
  e.item = std::move(item);
  e.type = type;
  e.time = time;
  e.quantity = quantity;
  return e;
}
Event bought(std::string user, std::string item, Timestamp time, double quantity = 1) {
  return event(EventType::kPurchase, std::move(user), std::move(item), time, quantity);
}
Event returned(std::string user, std::string item, Timestamp time, double quantity = -1) {
  return event(EventType::kReturn, std::move(user), std::move(item), time, quantity);
}

CleanView cleaned(const std::vector<Event>& list, const CleaningOptions& options = {}) {
  Vocabulary vocabulary;
  EventTable table;
  for (const Event& e : list) table.add(e, table.size(), vocabulary);
  auto view = clean(QuietRun(), table, vocabulary, Catalogue(), EventTypes(), options);
  EXPECT_TRUE(view.ok());
  return std::move(view).value();
}

const CleaningRule& rule(const CleanView& view, std::string_view name) {
  for (const CleaningRule& r : view.report.rules) {
    if (r.name == name) return r;
  }
  ADD_FAILURE() << "no rule " << name;
  return view.report.rules.front();
}

TEST(Clean, GoodEventsStay) {
  const CleanView view =
      cleaned({bought("u", "a", kStart, 2), event(EventType::kSearch, "u", "", kStart),
               event(EventType::kView, "u", "a", kNoTime, std::nan(""))});
  EXPECT_THAT(view.rows, ElementsAre(0, 1, 2));
  EXPECT_EQ(view.quantity[0], 2);
  EXPECT_TRUE(std::isnan(view.quantity[2]));
  EXPECT_EQ(view.report.rows_without_time, 1u);
  EXPECT_EQ(view.report.rules.size(), 8u);
}

TEST(Clean, DuplicatesAreEqualInAllButIdAndReceipt) {
  Event again = bought("u", "a", kStart);
  again.id = "other";
  again.received = kStart + 5;
  Event other = bought("u", "a", kStart);
  other.order = "o";
  const CleanView view = cleaned({bought("u", "a", kStart), again, other, again});
  EXPECT_THAT(view.rows, ElementsAre(0, 2));
  EXPECT_EQ(rule(view, "duplicates").rows, 2u);
  EXPECT_THAT(rule(view, "duplicates").examples[0],
              "user u, item a, 2010-12-01T08:26:00Z, purchase, quantity 1");
}

TEST(Clean, MissingIds) {
  Event visit = bought("", "a", kStart);
  visit.session = "s";
  const CleanView view = cleaned({bought("u", "", kStart), bought("", "a", kStart), visit});
  EXPECT_THAT(view.rows, ElementsAre(2));
  EXPECT_THAT(rule(view, "missing_ids").examples,
              ElementsAre(HasSubstr("user u, no item"), HasSubstr("nobody, item a")));
}

TEST(Clean, ImpossibleTimesAndPrices) {
  Event late = bought("u", "a", kStart + kDay);
  late.received = kStart;
  Event future = bought("u", "a", kStart + kDay + 1);
  future.received = kStart;
  Event cheap = bought("u", "b", kStart);
  cheap.price = -0.01;
  Event dear = bought("u", "b", kStart);
  dear.price = 1e300;  // infinite in single precision
  Event free = bought("u", "b", kStart);
  free.price = 0;
  const std::vector<Event> list{late,
                                future,
                                bought("u", "a", 0),
                                cheap,
                                dear,
                                free,
                                bought("u", "a", std::numeric_limits<Timestamp>::max())};
  const CleanView view = cleaned(list);
  EXPECT_THAT(view.rows, ElementsAre(0, 5, 6));
  EXPECT_EQ(rule(view, "impossible_times").rows, 2u);
  EXPECT_THAT(rule(view, "impossible_prices").examples[0], HasSubstr("price -0.01"));
  CleaningOptions options;
  options.drop_free = true;
  EXPECT_THAT(cleaned(list, options).rows, ElementsAre(0, 6));
}

TEST(Clean, NonProductsByIdAndPattern) {
  CleaningOptions options;
  options.non_product_ids = {"POST", "never seen"};
  options.non_product_patterns = {"gift_*"};
  const std::vector<Event> list{bought("u", "POST", kStart), bought("u", "POSTER", kStart),
                                bought("u", "gift_20", kStart)};
  EXPECT_THAT(cleaned(list, options).rows, ElementsAre(1));
  options.non_products = false;
  const CleanView off = cleaned(list, options);
  EXPECT_THAT(off.rows, ElementsAre(0, 1, 2));
  EXPECT_FALSE(rule(off, "non_products").enabled);
  EXPECT_EQ(rule(off, "non_products").rows, 0u);
  EXPECT_THAT(rule(off, "non_products").meaning, HasSubstr("(switched off)"));
}

TEST(Clean, BotsActAtRatesThatNoHumanReaches) {
  std::vector<Event> list;
  const auto act = [&](const std::string& user, int minutes, int per_minute, EventType type,
                       const std::string& order = {}) {
    for (int m = 0; m < minutes; ++m) {
      for (int i = 0; i < per_minute; ++i) {
        list.push_back(
            event(type, user, "item " + std::to_string(i), kStart + m * 60 * kSecond + i));
        list.back().order = order;
      }
    }
  };
  act("bot", 5, 120, EventType::kView);
  act("eager", 4, 120, EventType::kView);
  act("patient", 5, 119, EventType::kView);
  act("wholesaler", 5, 500, EventType::kPurchase, "one order");
  act("reader", 5, 200, EventType::kImpression);
  const CleanView view = cleaned(list);
  EXPECT_EQ(rule(view, "bots").rows, 600u);
  EXPECT_THAT(
      rule(view, "bots").examples,
      ElementsAre("user bot: 120 or more actions in each of 5 minutes up to 2010-12-01T08:30:00Z"));
  CleaningOptions options;
  options.bot_events_per_day = 480;
  const CleanView strict = cleaned(list, options);
  EXPECT_EQ(rule(strict, "bots").rows, 600u + 480u + 595u);
  EXPECT_THAT(rule(strict, "bots").examples[1],
              "user eager: 480 actions within the day of 2010-12-01T08:26:00Z");
}

TEST(Clean, AReturnTakesFromTheLatestEarlierPurchases) {
  const CleanView view =
      cleaned({bought("u", "a", kStart, 5), bought("u", "a", kStart + 1, 3),
               bought("v", "a", kStart + 1, 9), bought("u", "b", kStart + 1, 9),
               returned("u", "a", kStart + 2, -4), bought("u", "a", kStart + 3, 2)});
  EXPECT_THAT(view.rows, ElementsAre(0, 2, 3, 5));
  EXPECT_THAT(view.quantity, ElementsAre(4, 9, 9, 2));
  EXPECT_EQ(view.report.returns_matched, 1u);
  EXPECT_EQ(view.report.returns_unmatched, 0u);
  EXPECT_EQ(view.report.purchases_undone, 1u);
  EXPECT_EQ(view.report.purchases_reduced, 1u);
  EXPECT_EQ(rule(view, "returns").rows, 2u);
}

TEST(Clean, AReturnOfAnOrderTakesAllThatIsLeftOfIt) {
  const auto ordered = [](std::string item, std::string order, Timestamp time) {
    Event e = bought("u", std::move(item), time);
    e.order = std::move(order);
    return e;
  };
  Event one = event(EventType::kReturn, "u", "b", kStart + 2);  // of the later order
  Event whole = event(EventType::kReturn, "u", "", kStart + 3);
  whole.order = "o1";
  Event stranger = whole;
  stranger.user = "v";
  Event early = whole;
  early.time = kStart - 1;
  early.order = "o2";
  const CleanView view = cleaned({ordered("a", "o1", kStart), ordered("b", "o1", kStart),
                                  ordered("b", "o2", kStart + 1), ordered("c", "o2", kStart + 1),
                                  one, whole, stranger, early, ordered("d", "o1", kStart + 4)});
  EXPECT_THAT(view.rows, ElementsAre(3, 8));
  EXPECT_EQ(view.report.returns_matched, 2u);
  EXPECT_EQ(view.report.returns_unmatched, 2u);
  EXPECT_EQ(view.report.purchases_undone, 3u);
}

TEST(Clean, WhatWasRemovedFromTheCartIsNotInIt) {
  const std::vector<Event> list{
      event(EventType::kCart, "u", "a", kStart), event(EventType::kCart, "u", "b", kStart + 1),
      event(EventType::kRemoveFromCart, "u", "a", kStart + 2),
      event(EventType::kCart, "u", "a", kStart + 3), bought("u", "b", kStart + 4)};
  const CleanView view = cleaned(list);
  EXPECT_THAT(view.rows, ElementsAre(1, 3, 4));
  EXPECT_EQ(rule(view, "cart_removals").rows, 2u);
  EXPECT_EQ(view.report.returns_matched, 0u);
}

TEST(Clean, WhatAReturnCannotTakeIsReported) {
  Event anonymous = returned("", "a", kStart + 5);
  anonymous.session = "s";
  const CleanView view = cleaned({returned("u", "a", kStart, -1), bought("u", "a", kStart, 2),
                                  returned("u", "a", kStart, 5), anonymous});
  EXPECT_THAT(view.rows, IsEmpty());
  EXPECT_EQ(view.report.returns_matched, 0u);
  EXPECT_EQ(view.report.returns_unmatched, 3u);
  EXPECT_EQ(view.report.pieces_unmatched, 5);
}

TEST(Clean, ReturnsWithoutTimeOrQuantityMatchByLogOrderAndPiece) {
  const double none = std::nan("");
  Event purchase = bought("u", "a", kNoTime, none);
  Event negative = bought("u", "a", kNoTime, -1);  // a source without types
  purchase.price = 1;
  const CleanView view = cleaned(
      {purchase, bought("u", "a", kNoTime, none), returned("u", "a", kNoTime, none), negative});
  EXPECT_THAT(view.rows, IsEmpty());
  EXPECT_EQ(view.report.returns_matched, 2u);
}

// The obvious version: replays everything in time order, piece by piece.
TEST(Clean, ReturnsAgreeWithTheObviousVersion) {
  EXPECT_TRUE(rc::check([] {
    std::vector<Event> list(*rc::gen::inRange<std::size_t>(0, 30));
    for (Event& e : list) {
      const bool back = *rc::gen::weightedElement<bool>({{2, false}, {1, true}});
      e = event(back ? EventType::kReturn : EventType::kPurchase,
                *rc::gen::element<std::string>("u", "v"), *rc::gen::element<std::string>("a", "b"),
                kStart + *rc::gen::inRange(0, 5), *rc::gen::inRange(1, 5));
    }
    std::vector<std::size_t> order(list.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return list[a].time < list[b].time; });
    std::vector<double> left(list.size());
    double unmatched = 0;
    for (std::size_t at = 0; at < order.size(); ++at) {
      const Event& e = list[order[at]];
      left[order[at]] = e.type == EventType::kPurchase ? e.quantity : 0;
      for (double piece = 0; e.type == EventType::kReturn && piece < e.quantity; ++piece) {
        std::size_t j = at;
        while (j > 0 && !(list[order[j - 1]].user == e.user && list[order[j - 1]].item == e.item &&
                          left[order[j - 1]] > 0)) {
          --j;
        }
        if (j == 0)
          ++unmatched;
        else
          --left[order[j - 1]];
      }
    }
    CleaningOptions options;
    options.duplicates = false;
    const CleanView view = cleaned(list, options);
    std::vector<double> got(list.size());
    for (std::size_t i = 0; i < view.rows.size(); ++i) got[view.rows[i]] = view.quantity[i];
    RC_ASSERT(got == left);
    RC_ASSERT(view.report.pieces_unmatched == unmatched);
  }));
}

TEST(Clean, TheReportIsReadByPrograms) {
  const CleanView view = cleaned({bought("u", "a", kStart), bought("u", "a", kStart)});
  const Value json = view.report.to_json();
  const Table& table = *json.as_table();
  EXPECT_EQ(*table.find("rows_in")->as_int(), 2);
  EXPECT_EQ(*table.find("rows_kept")->as_int(), 1);
  const Table& first = *table.find("rules")->as_list()->front().as_table();
  EXPECT_EQ(*first.find("name")->as_string(), "duplicates");
  EXPECT_EQ(*first.find("rows")->as_int(), 1);
  EXPECT_EQ(first.find("examples")->as_list()->size(), 1u);
}

}  // namespace
}  // namespace vitrine

#include "data/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <set>

#include "data/histories_testing.h"

namespace vitrine {
namespace {

using testing::arbitrary_histories;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::make_histories;
using testing::QuietRun;

HistoryEvent event(std::uint32_t item, Timestamp time = kNoTime, std::uint32_t group = 0) {
  HistoryEvent e;
  e.item = ItemIndex{item};
  e.time = time;
  e.group = group;
  return e;
}

std::vector<std::uint32_t> items(std::span<const HistoryEvent> events) {
  std::vector<std::uint32_t> out;
  for (const HistoryEvent& e : events) out.push_back(raw(e.item));
  return out;
}
std::vector<std::uint32_t> items(std::span<const ItemIndex> indexes) {
  std::vector<std::uint32_t> out;
  for (const ItemIndex i : indexes) out.push_back(raw(i));
  return out;
}

SplitOptions kind(std::string name) {
  SplitOptions options;
  options.kind = std::move(name);
  return options;
}

// Histories whose events can be told apart: `value` is a serial number.
Histories numbered_histories() {
  const Histories plain = arbitrary_histories();
  std::vector<HistoryEvent> events(plain.events().begin(), plain.events().end());
  for (std::size_t i = 0; i < events.size(); ++i) events[i].value = static_cast<float>(i);
  return {std::vector<std::uint64_t>(plain.offsets().begin(), plain.offsets().end()),
          std::move(events), plain.users(), plain.items()};
}

std::set<float> serials(std::span<const HistoryEvent> events) {
  std::set<float> out;
  for (const HistoryEvent& e : events) out.insert(e.value);
  return out;
}

SplitOptions arbitrary_options() {
  SplitOptions options;
  options.kind = *rc::gen::element<std::string>("time", "last", "last_group", "random", "users");
  options.test_days = *rc::gen::element(0.0, 3.0);
  options.test_share = *rc::gen::element(0.1, 0.3, 0.6);
  options.hold_out = *rc::gen::inRange(1, 4);
  options.events_min = *rc::gen::inRange(0, 3);
  options.fold_in_share = *rc::gen::element(0.2, 0.8);
  options.new_items = *rc::gen::arbitrary<bool>();
  if (options.kind.starts_with("last")) options.fit_hold_out = *rc::gen::inRange(0, 3);
  return options;
}

// What a split should hold out of a row that shows `shown`.
std::vector<std::uint32_t> held_items(std::span<const HistoryEvent> row,
                                      const std::set<float>& shown,
                                      const std::vector<std::uint32_t>& seen, bool new_items) {
  std::set<std::uint32_t> held;
  for (const HistoryEvent& e : row) {
    if (!shown.contains(e.value) && (new_items || seen[raw(e.item)] > 0)) held.insert(raw(e.item));
  }
  return {held.begin(), held.end()};
}

// The row that a case came from: cases are in the order of rows, and serial numbers tell rows
// apart. A case without history is that of the next row that nothing was fitted of and that has
// this truth.
std::size_t row_of(const Histories& all, const Split& split, const EvaluationCase& asked,
                   std::size_t from, const std::vector<std::uint32_t>& seen, bool new_items) {
  for (std::size_t r = from; r < all.rows(); ++r) {
    if (!asked.history.empty()) {
      if (serials(all.row(r)).contains(asked.history.front().value)) return r;
    } else if (split.train().row(r).empty() && all.user(r) &&
               held_items(all.row(r), {}, seen, new_items) == items(asked.truth)) {
      return r;
    }
  }
  return all.rows();
}

// What holds for every split, whatever its kind.
void check_split(const Histories& all, const Split& split, const SplitOptions& options) {
  const Histories& train = split.train();
  RC_ASSERT(train.rows() == all.rows());
  RC_ASSERT(train.users() == all.users());
  RC_ASSERT(train.items() == all.items());
  RC_ASSERT(train.size() > 0u);
  const std::set<float> fitted = serials(train.events());
  for (std::size_t r = 0; r < all.rows(); ++r) {  // same row, same person, same order
    const std::set<float> row = serials(all.row(r));
    float before = -1;
    for (const HistoryEvent& e : train.row(r)) {
      RC_ASSERT(row.contains(e.value));
      RC_ASSERT(before < e.value);
      before = e.value;
    }
  }
  const std::vector<std::uint32_t> seen = item_counts(train);
  RC_ASSERT(split.cases() > 0u);
  std::size_t from = 0;
  for (std::size_t i = 0; i < split.cases(); ++i) {
    const EvaluationCase asked = split[i];
    RC_ASSERT(!asked.truth.empty());
    RC_ASSERT(static_cast<int>(asked.history.size()) >= options.events_min);
    const std::size_t r = row_of(all, split, asked, from, seen, options.new_items);
    RC_ASSERT(r < all.rows());
    from = r + 1;
    if (!all.user(r)) RC_ASSERT(!asked.history.empty());
    const std::optional<UserIndex> user = train.row(r).empty() ? std::nullopt : all.user(r);
    RC_ASSERT(asked.user == user);
    // What is fitted is shown; what is not shown is not fitted and is the truth.
    const std::set<float> shown = serials(asked.history);
    for (const HistoryEvent& e : train.row(r)) RC_ASSERT(shown.contains(e.value));
    for (const HistoryEvent& e : all.row(r))
      RC_ASSERT(shown.contains(e.value) || !fitted.contains(e.value));
    RC_ASSERT(items(asked.truth) == held_items(all.row(r), shown, seen, options.new_items));
  }
}

TEST(Split, NeverLeaks) {
  const QuietRun run;
  std::map<std::string, int> split_kinds;
  EXPECT_TRUE(rc::check([&] {
    const Histories all = numbered_histories();
    const SplitOptions options = arbitrary_options();
    const auto split = make_split(run, all, options);
    if (!split.ok()) {
      RC_ASSERT(split.error().code == Code::kInvalid);
      return;
    }
    ++split_kinds[options.kind];
    check_split(all, *split, options);
    if (options.fit_hold_out > 0) return;
    const auto validation = validation_split(run, *split, options);
    if (validation.ok()) check_split(split->train(), *validation, options);
  }));
  EXPECT_EQ(split_kinds.size(), 5u);
}

TEST(Split, ATimeSplitTrainsBeforeTheCutAndAsksAtIt) {
  const QuietRun run;
  EXPECT_TRUE(rc::check([&] {
    const Histories all = numbered_histories();
    SplitOptions options = arbitrary_options();
    options.kind = "time";
    options.fit_hold_out = 0;
    const auto split = make_split(run, all, options);
    if (!split.ok()) return;
    const Timestamp cut = (*split)[0].now;
    std::size_t before = 0;
    for (const HistoryEvent& e : all.events()) before += e.time < cut;
    RC_ASSERT(split->train().size() == before);
    for (const HistoryEvent& e : split->train().events()) RC_ASSERT(e.time < cut);
    std::size_t asked = 0;  // the obvious count of those to ask, new items aside
    for (std::size_t r = 0; r < all.rows(); ++r) {
      std::size_t past = 0, future = 0;
      for (const HistoryEvent& e : all.row(r)) ++(e.time < cut ? past : future);
      const int needed = std::max(options.events_min, all.user(r) ? 0 : 1);
      asked += future > 0 && static_cast<int>(past) >= needed;
    }
    RC_ASSERT((options.new_items ? split->cases() == asked : split->cases() <= asked));
    for (std::size_t i = 0; i < split->cases(); ++i) RC_ASSERT((*split)[i].now == cut);
  }));
}

TEST(Split, IsTheSameForAnyNumberOfThreadsAndDiffersBySeed) {
  std::vector<std::vector<HistoryEvent>> rows(50);
  for (std::uint32_t r = 0; r < 50; ++r) {
    for (std::uint32_t i = 0; i < 10; ++i) rows[r].push_back(event((r * 7 + i * 3) % 40));
  }
  const Histories all = make_histories(rows, 50, 40);
  for (const std::string name : {"random", "users"}) {
    const auto a = make_split(QuietRun(1), all, kind(name));
    const auto b = make_split(QuietRun(4), all, kind(name));
    const auto c = make_split(QuietRun(1, 2), all, kind(name));
    ASSERT_TRUE(a.ok() && b.ok() && c.ok());
    EXPECT_EQ(items(a->train().events()), items(b->train().events()));
    EXPECT_NE(items(a->train().events()), items(c->train().events()));
  }
}

TEST(Split, TimeByDaysCutsAtTheLastEventLessTheDays) {
  const Histories all =
      make_histories({{event(0, 1 * kDay), event(1, 7 * kDay), event(0, 9 * kDay)},
                      {event(1, 2 * kDay), event(0, 10 * kDay)},
                      {event(1, 3 * kDay)},
                      {event(1, 8 * kDay)}},
                     4, 2);
  SplitOptions options = kind("time");
  options.test_days = 3;
  const auto split = make_split(QuietRun(), all, options);
  ASSERT_TRUE(split.ok()) << split.error().message;
  EXPECT_THAT(items(split->train().row(0)), ElementsAre(0));  // an event at the cut is test
  EXPECT_THAT(items(split->train().row(3)), ElementsAre());
  ASSERT_EQ(split->cases(), 2u);
  EXPECT_EQ((*split)[0].now, 7 * kDay);
  EXPECT_THAT(items((*split)[0].truth), ElementsAre(0, 1));
  EXPECT_THAT(split->description(), HasSubstr("the 4 events of 7 from 1970-01-08T00:00:00Z on"));
  options.events_min = 0;  // now the person who comes for the first time is asked as well
  const auto cold = make_split(QuietRun(), all, options);
  ASSERT_TRUE(cold.ok());
  ASSERT_EQ(cold->cases(), 3u);
  EXPECT_TRUE((*cold)[2].history.empty());
  EXPECT_EQ((*cold)[2].user, std::nullopt);
}

TEST(Split, TimeWithoutTimesNamesTheRemedy) {
  const auto split =
      make_split(QuietRun(), make_histories({{event(0), event(1)}}, 1, 2), kind("time"));
  ASSERT_FALSE(split.ok());
  EXPECT_EQ(split.error().code, Code::kInvalid);
  EXPECT_THAT(split.error().message, HasSubstr("only 0 of 2 have one; kind=last (in file order)"));
}

TEST(Split, LeaveOneOutAsInTheSequentialPapers) {
  const Histories all = make_histories({{event(4), event(2), event(0), event(1), event(3)},
                                        {event(0), event(1), event(3)},
                                        {event(3)}},
                                       3, 5);
  SplitOptions options = kind("last");
  options.fit_hold_out = 1;
  const auto split = make_split(QuietRun(), all, options);
  ASSERT_TRUE(split.ok()) << split.error().message;
  EXPECT_THAT(items(split->train().row(0)), ElementsAre(4, 2, 0));
  EXPECT_THAT(items(split->train().row(2)), ElementsAre(3));  // too short to be asked: fitted whole
  ASSERT_EQ(split->cases(), 2u);
  EXPECT_THAT(items((*split)[0].history), ElementsAre(4, 2, 0, 1));
  EXPECT_THAT(items((*split)[0].truth), ElementsAre(3));
  EXPECT_THAT(split->description(), HasSubstr("9 events have no time and keep file order"));

  options.new_items = true;  // item 1 is nowhere in training
  const auto validation = validation_split(QuietRun(), *split, options);
  ASSERT_TRUE(validation.ok()) << validation.error().message;
  EXPECT_EQ(items(validation->train().events()), items(split->train().events()));
  ASSERT_EQ(validation->cases(), 2u);
  EXPECT_THAT(items((*validation)[0].history), ElementsAre(4, 2, 0));
  EXPECT_THAT(items((*validation)[0].truth), ElementsAre(1));
  EXPECT_EQ((*validation)[0].user, UserIndex{0});
}

TEST(Split, LastGroupHoldsTheWholeBasketOut) {
  const Histories all =
      make_histories({{event(0, 10, 0), event(1, 10, 0), event(0, 20, 1), event(1, 20, 1)},
                      {event(0, 30, 0), event(1, 30, 0)}},
                     2, 2);
  const auto split = make_split(QuietRun(), all, kind("last_group"));
  ASSERT_TRUE(split.ok());
  ASSERT_EQ(split->cases(), 1u);
  EXPECT_THAT(items((*split)[0].history), ElementsAre(0, 1));
  EXPECT_THAT(items((*split)[0].truth), ElementsAre(0, 1));
  EXPECT_EQ((*split)[0].now, 20);
  EXPECT_EQ(split->train().row(1).size(), 2u);
}

TEST(Split, APurchaseThatMayComeBackIsNoTruthYet) {
  std::vector<std::vector<HistoryEvent>> rows(2);
  for (std::uint32_t i = 0; i < 10; ++i) {
    rows[0].push_back(event(i % 4, i * kDay));
    rows[1].push_back(event(i % 4, i * kDay));
    rows[0].back().type = EventType::kPurchase;
  }
  SplitOptions options = kind("time");
  options.test_days = 4;
  options.maturity_days = 3;
  const auto split = make_split(QuietRun(), make_histories(rows, 2, 4), options);
  ASSERT_TRUE(split.ok()) << split.error().message;
  ASSERT_EQ(split->cases(), 2u);
  EXPECT_THAT(items((*split)[0].truth), ElementsAre(1, 2));  // days 5 and 6
  EXPECT_THAT(items((*split)[1].truth), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ((*split)[0].history.size(), 5u);
  EXPECT_EQ(split->train().size(), 10u);
  EXPECT_NE(split->description().find("may come back"), std::string::npos);
}

TEST(Split, TruthIsDistinctAndNewItemsAreDroppedAndCounted) {
  const Histories all = make_histories(
      {{event(0), event(1), event(2), event(1), event(2)}, {event(1), event(0), event(0)}}, 2, 3);
  SplitOptions options = kind("last");
  options.hold_out = 3;
  options.events_min = 1;
  const auto split = make_split(QuietRun(), all, options);
  ASSERT_TRUE(split.ok()) << split.error().message;
  ASSERT_EQ(split->cases(), 1u);
  EXPECT_THAT(items((*split)[0].truth), ElementsAre(1));
  EXPECT_EQ(split->dropped_new_items(), 1u);
  options.new_items = true;
  const auto with_new = make_split(QuietRun(), all, options);
  EXPECT_THAT(items((*with_new)[0].truth), ElementsAre(1, 2));
  EXPECT_EQ(with_new->dropped_new_items(), 0u);
}

TEST(Split, HeldOutUsersAreStrangers) {
  std::vector<std::vector<HistoryEvent>> rows(20);
  for (std::uint32_t r = 0; r < 20; ++r) {
    for (std::uint32_t i = 0; i < 10; ++i) rows[r].push_back(event(i));
  }
  SplitOptions options = kind("users");
  options.test_share = 0.25;
  const auto split = make_split(QuietRun(), make_histories(rows, 20, 10), options);
  ASSERT_TRUE(split.ok());
  ASSERT_EQ(split->cases(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    const EvaluationCase asked = (*split)[i];
    EXPECT_EQ(asked.user, std::nullopt);
    EXPECT_EQ(asked.history.size(), 8u);
    EXPECT_EQ(asked.truth.size(), 2u);
    EXPECT_TRUE(std::is_sorted(asked.history.begin(), asked.history.end(),
                               [](const auto& a, const auto& b) { return a.item < b.item; }));
  }
  EXPECT_EQ(split->train().size(), 150u);
}

TEST(Split, SaysWhyItCannot) {
  const QuietRun run;
  const Histories all = make_histories({{event(0, 5)}, {event(1, 5)}}, 2, 2);
  const auto message = [&](SplitOptions options, const Histories& histories) {
    const auto split = make_split(run, histories, options);
    return split.ok() ? std::string() : split.error().message;
  };
  EXPECT_THAT(message(kind("time"), all), HasSubstr("the cut falls on the first time"));
  EXPECT_THAT(message(kind("last"), all), HasSubstr("leaves nobody to ask"));
  EXPECT_THAT(message(kind("last"), Histories()), HasSubstr("there are no events"));
  EXPECT_THAT(message(kind("lats"), all), HasSubstr("no kind is named \"lats\""));
  SplitOptions days = kind("time");
  days.test_days = 30;
  EXPECT_THAT(message(days, all), HasSubstr("test_days=30 leaves nothing to fit"));
  SplitOptions withheld = kind("random");
  withheld.fit_hold_out = 1;
  EXPECT_THAT(message(withheld, all),
              HasSubstr("fit_hold_out belongs to kinds last and last_group"));
}

TEST(SplitFromFiles, KeepsThePapersTruth) {
  const Histories train = make_histories({{event(0), event(1)}, {event(1)}, {}}, 3, 4);
  const Histories test = make_histories({{event(3), event(2), event(3)}, {}, {event(0)}}, 3, 4);
  const auto split = split_from_files(train, test, "given files");
  ASSERT_TRUE(split.ok());
  ASSERT_EQ(split->cases(), 2u);
  EXPECT_THAT(items((*split)[0].history), ElementsAre(0, 1));
  EXPECT_THAT(items((*split)[0].truth), ElementsAre(2, 3));
  EXPECT_EQ((*split)[0].user, UserIndex{0});
  EXPECT_EQ((*split)[1].user, std::nullopt);
  EXPECT_THAT(split->description(), HasSubstr("given files; "));
  const Histories anonymous = make_histories({{event(0)}}, 0, 4);
  EXPECT_FALSE(split_from_files(train, anonymous, "").ok());
}

}  // namespace
}  // namespace vitrine

#include "rank/explore.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace vitrine {
namespace {

Slate slate_of(std::uint32_t n) {
  Slate slate;
  for (std::uint32_t i = 0; i < n; ++i) slate.items.push_back({ItemIndex{i}, 1, 1, "m", {}});
  return slate;
}

TEST(Explore, NothingToShowOrNoShareChangesNothing) {
  const std::vector<Candidate> fresh{{ItemIndex{100}, 1}};
  const std::vector<Candidate> listed{{ItemIndex{3}, 1}, {ItemIndex{200}, 0}};
  for (const Exploration& exploration :
       {Exploration{{}, 0.5}, Exploration{fresh, 0}, Exploration{listed, 0.5}}) {
    Slate slate = slate_of(5);
    explore(slate, exploration);
    for (std::uint32_t i = 0; i < 5; ++i) {
      EXPECT_EQ(slate.items[i].item, ItemIndex{i});
      EXPECT_EQ(slate.items[i].propensity, 1);
    }
  }
  Slate one = slate_of(1);
  explore(one, {fresh, 1});
  EXPECT_EQ(one.items[0].item, ItemIndex{0}) << "the first place is never given away";
}

// What is logged is how often it happens: the share of the lists in which a place shows an item is
// its mean propensity.
TEST(Explore, PropensitiesAreFrequencies) {
  const std::vector<Candidate> fresh{{ItemIndex{100}, 3}, {ItemIndex{101}, 1}, {ItemIndex{102}, 1}};
  constexpr int kLists = 20'000;
  int given = 0;
  std::map<ItemIndex, double> shown, expected;
  for (int i = 0; i < kLists; ++i) {
    Slate slate = slate_of(10);
    explore(slate, {fresh, 0.1, Random(static_cast<std::uint64_t>(i))});
    std::set<ItemIndex> distinct;
    for (std::size_t place = 0; place < 10; ++place) {
      const SlateItem& item = slate.items[place];
      EXPECT_TRUE(distinct.insert(item.item).second);
      EXPECT_GT(item.propensity, 0);
      EXPECT_LE(item.propensity, 1);
      const bool is_new = item.item >= ItemIndex{100};
      EXPECT_EQ(item.source, is_new ? "new items" : "m");
      given += is_new;
      if (place == 1 && is_new) shown[item.item] += 1.0 / kLists;
      if (place == 1 && is_new) expected[item.item] = item.propensity;
    }
    EXPECT_EQ(slate.items[0].propensity, 1);
  }
  EXPECT_NEAR(given / (10.0 * kLists), 0.1, 0.01);
  ASSERT_EQ(shown.size(), 3u);
  double sum = 0;
  for (const auto& [item, share] : shown) {
    EXPECT_NEAR(share, expected[item], 0.006);
    sum += expected[item];
  }
  EXPECT_NEAR(sum, 0.1 * 10 / 9, 1e-6) << "and 1 - q for the item that stays";
}

}  // namespace
}  // namespace vitrine

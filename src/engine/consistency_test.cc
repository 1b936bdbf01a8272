#include "engine/consistency.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "engine/engine_testing.h"

namespace vitrine {
namespace {

using Names = std::vector<std::string>;

Names first_of(const Names& list, std::size_t n) {
  return {list.begin(), list.begin() + static_cast<std::ptrdiff_t>(std::min(n, list.size()))};
}

std::size_t shared(const Names& a, const Names& b) {
  const std::set<std::string> in_a(a.begin(), a.end()), in_b(b.begin(), b.end());
  std::size_t both = 0;
  for (const std::string& item : in_a) both += in_b.count(item);
  return both;
}

// As the paper writes it: X_k / k p^k + (1 - p) / p sum X_d / d p^d.
double slow_rbo(const Names& a, const Names& b, std::size_t n, double p) {
  const std::size_t k = std::min(n, std::max(a.size(), b.size()));
  double sum = 0, agreement = 1;
  for (std::size_t d = 1; d <= k; ++d) {
    agreement =
        static_cast<double>(shared(first_of(a, d), first_of(b, d))) / static_cast<double>(d);
    sum += agreement * std::pow(p, static_cast<double>(d));
  }
  return agreement * std::pow(p, static_cast<double>(k)) + (1 - p) / p * sum;
}

TEST(Consistency, MeasuresAgreeWithTheirDefinitions) {
  const Random random(7);
  for (std::uint64_t round = 0; round < 200; ++round) {
    const Random draw = random.fork(round);
    Names lists[2];
    for (std::uint64_t l = 0; l < 2; ++l) {
      const std::uint64_t length = draw.below(l, 9);
      for (std::uint64_t i = 0; lists[l].size() < length; ++i) {
        const std::string name = std::to_string(draw.fork(l).below(i, 12));
        if (std::find(lists[l].begin(), lists[l].end(), name) == lists[l].end())
          lists[l].push_back(name);
      }
    }
    const std::size_t n = 1 + draw.below(2, 10);
    const std::size_t k = std::min(n, std::max(lists[0].size(), lists[1].size()));
    const double expected =
        k == 0 ? 1
               : static_cast<double>(shared(first_of(lists[0], k), first_of(lists[1], k))) /
                     static_cast<double>(k);
    EXPECT_DOUBLE_EQ(overlap_at(lists[0], lists[1], static_cast<int>(n)), expected);
    EXPECT_NEAR(rank_biased_overlap(lists[0], lists[1], static_cast<int>(n), 0.8),
                slow_rbo(lists[0], lists[1], n, 0.8), 1e-12);
  }
  const Names same{"a", "b", "c"}, turned{"c", "b", "a"}, other{"x", "y", "z"};
  EXPECT_DOUBLE_EQ(rank_biased_overlap(same, same, 3, 0.9), 1);
  EXPECT_DOUBLE_EQ(rank_biased_overlap(same, other, 3, 0.9), 0);
  EXPECT_DOUBLE_EQ(overlap_at(same, turned, 3), 1);
  EXPECT_LT(rank_biased_overlap(same, turned, 3, 0.9), 1);
}

// A list as it was shown, and what the test knows of it.
struct Seen {
  std::string user, snapshot;
  int events;  // of the user, before
  Names items;
};

TEST(Consistency, PairsAreToldApartByWhatLayBetween) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe);
  std::vector<Seen> seen;
  int events[6] = {};
  const auto ask = [&] {
    for (int p = 0; p < 6; ++p) {
      const Answer answer = must(engine->recommend(request_of(user_id(p), 5)));
      seen.push_back({user_id(p), answer.snapshot, events[p], ids_of(answer)});
    }
  };
  const auto buy = [&](int p) {
    const Timestamp time = kShopOpens + (200 + events[p]++) * kDay;
    must(engine->add_events(std::vector{purchase(user_id(p), item_id(3, p), time, "late")}));
  };
  ask();
  for (int p = 0; p < 3; ++p) buy(p);
  ask();
  buy(1);
  buy(4);
  TestRun run;
  must(engine->train(run.run, {.force = true, .reason = "a test"}));
  ask();
  ask();
  engine->flush_slates();

  std::map<std::pair<bool, bool>, std::vector<std::pair<double, double>>> expected;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    for (std::size_t before = i; before-- > 0;) {
      if (seen[before].user != seen[i].user) continue;
      expected[{seen[before].snapshot == seen[i].snapshot, seen[before].events < seen[i].events}]
          .push_back({static_cast<double>(shared(seen[before].items, seen[i].items)) / 5,
                      slow_rbo(seen[before].items, seen[i].items, 5, 0.9)});
      break;
    }
  }
  const ConsistencyReport report = must(engine->consistency(run.run, {}, ""));
  EXPECT_EQ(report.lists, 24u);
  EXPECT_EQ(report.persons, 6u);
  ASSERT_EQ(expected.size(), 4u);
  ASSERT_EQ(report.rows.size(), expected.size());
  for (const ConsistencyRow& row : report.rows) {
    const auto& pairs = expected[{row.same_snapshot, row.new_events}];
    double overlap = 0, rbo = 0;
    for (const auto& [o, r] : pairs) overlap += o, rbo += r;
    EXPECT_EQ(row.placement, "home");
    ASSERT_EQ(row.pairs, pairs.size());
    EXPECT_NEAR(row.overlap, overlap / static_cast<double>(pairs.size()), 1e-12);
    EXPECT_NEAR(row.rbo, rbo / static_cast<double>(pairs.size()), 1e-12);
    if (row.same_snapshot && !row.new_events) {
      EXPECT_DOUBLE_EQ(row.identical, 1);
    }
  }
}

TEST(Consistency, WithoutSlatesItSaysSo) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool, false);
  TestRun run;
  EXPECT_EQ(engine->consistency(run.run, {}, "").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace vitrine

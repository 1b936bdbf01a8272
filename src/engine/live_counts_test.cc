#include "engine/live_counts.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <map>

#include "engine/limits.h"

namespace vitrine {
namespace {

struct Added {
  std::uint32_t item;
  std::int64_t day;  // -1: without time
  float weight;
};

// A day leaves when it is kPopularDays older than the newest, and what comes for it later is not
// counted.
std::vector<Candidate> slow_popular(const std::vector<Added>& all, int days, std::size_t n) {
  std::int64_t newest = -1;
  for (const Added& a : all) newest = std::max(newest, a.day);
  std::map<std::uint32_t, double> sums;
  for (const Added& a : all) {
    const bool inside = a.day >= 0 && a.day > newest - std::min(days, kPopularDays);
    if (days == 0 || inside) sums[a.item] += a.weight;
  }
  std::vector<Candidate> found;
  for (const auto& entry : sums)
    if (entry.second > 1e-9)
      found.push_back({ItemIndex{entry.first}, static_cast<float>(entry.second)});
  std::sort(found.begin(), found.end(), better);
  if (found.size() > n) found.resize(n);
  return found;
}

TEST(LiveCounts, AgreeWithAddingUpEverything) {
  EXPECT_TRUE(rc::check([] {
    LiveCounts counts;
    std::vector<Added> all;
    const auto steps = *rc::gen::inRange(0, 300);
    std::int64_t day = 15'000;
    for (int i = 0; i < steps; ++i) {
      if (*rc::gen::inRange(0, 4) == 0) {
        const int days = *rc::gen::element(0, 1, 2, 7, 30, 92, 500);
        const auto n = *rc::gen::inRange<std::size_t>(0, 30);
        const auto fast = counts.popular({.days = days}, n, [](ItemIndex) { return true; });
        const auto slow = slow_popular(all, days, n);
        RC_ASSERT(fast.size() == slow.size());
        for (std::size_t k = 0; k < fast.size(); ++k) {
          RC_ASSERT(fast[k].item == slow[k].item);
          RC_ASSERT(std::abs(fast[k].score - slow[k].score) < 1e-4F);
        }
        continue;
      }
      day += *rc::gen::weightedElement<std::int64_t>({{12, 0}, {4, 1}, {1, 40}});
      const std::int64_t back = *rc::gen::element<std::int64_t>(0, 0, 0, 1, 5, 50, 91, 92);
      Added added{*rc::gen::inRange<std::uint32_t>(0, 25), day - back,
                  *rc::gen::element(1.0F, 0.25F, -1.0F)};
      if (*rc::gen::inRange(0, 10) == 0) added.day = -1;
      all.push_back(added);
      counts.add(ItemIndex{added.item}, added.day < 0 ? kNoTime : added.day * kDay, added.weight);
    }
  }));
}

constexpr Timestamp kHour = kDay / 24;

// Hours, days, regions and trends, each by adding up all events again.
struct Wanted {
  std::uint32_t item;
  Timestamp time;
  float weight;
  std::string region;
};

std::map<std::uint32_t, double> slow_sums(const std::vector<Wanted>& all, Timestamp length,
                                          std::int64_t count, const std::string& region) {
  std::map<std::uint32_t, double> sums;
  std::int64_t newest = 0;
  for (const Wanted& each : all) {
    newest = std::max(newest, each.time / length);
  }
  for (const Wanted& each : all)
    if (each.time / length > newest - count && (region.empty() || each.region == region))
      sums[each.item] += static_cast<double>(each.weight);
  return sums;
}

void expect_list(const std::vector<Candidate>& fast, std::vector<Candidate> slow, std::size_t n) {
  std::sort(slow.begin(), slow.end(), better);
  if (slow.size() > n) slow.resize(n);
  RC_ASSERT(fast.size() == slow.size());
  for (std::size_t i = 0; i < fast.size(); ++i) {
    RC_ASSERT(std::abs(fast[i].score - slow[i].score) < 1e-4F);
    RC_ASSERT(fast[i].item == slow[i].item || std::abs(fast[i].score - slow[i].score) < 1e-5F);
  }
}

std::vector<Candidate> slow_trending(const std::vector<Wanted>& all, int hours,
                                     const std::string& region) {
  auto recent = slow_sums(all, kHour, hours, region);
  auto before = slow_sums(all, kDay, kTrendBaselineDays, region);
  double seen = 0, known = 0;
  for (const auto& [item, weight] : recent) {
    before[item] = std::max(0.0, before[item] - weight);
    seen += weight;
  }
  for (const auto& entry : before) known += entry.second;
  std::vector<Candidate> found;
  for (const auto& [item, weight] : recent) {
    const double expected = known > 0 ? before[item] * seen / known : 0;
    if (weight < kTrendFloor || weight - expected < kTrendDeviations * std::sqrt(expected + 1))
      continue;
    found.push_back(
        {ItemIndex{item}, static_cast<float>((weight + kTrendPrior) / (expected + kTrendPrior))});
  }
  return found;
}

TEST(LiveCounts, HoursRegionsAndTrendsAreWhatTheEventsSay) {
  EXPECT_TRUE(rc::check([] {
    LiveCounts counts;
    std::vector<Wanted> all;
    Timestamp now = 18'000 * kDay;
    const auto steps = *rc::gen::inRange(0, 400);
    const auto any = [](ItemIndex) { return true; };
    for (int i = 0; i < steps; ++i) {
      now += *rc::gen::element<Timestamp>(0, 0, 0, 5 * 60'000, kHour, 20 * kHour);
      const Timestamp time = now - *rc::gen::element<Timestamp>(0, 0, kHour, 3 * kHour);
      Wanted wanted{*rc::gen::inRange<std::uint32_t>(0, 8), time,
                    *rc::gen::element(1.0F, 1.0F, 0.5F, 3.0F),
                    *rc::gen::element<std::string>("", "no", "se")};
      all.push_back(wanted);
      counts.add(ItemIndex{wanted.item}, wanted.time, wanted.weight, wanted.region);
      if (*rc::gen::inRange(0, 5) > 0) continue;
      const auto region = *rc::gen::element<std::string>("", "no", "se", "dk");
      const auto hours = *rc::gen::inRange(1, kPopularHours + 1);
      const auto list = [](const std::map<std::uint32_t, double>& sums) {
        std::vector<Candidate> found;
        for (const auto& [item, sum] : sums)
          found.push_back({ItemIndex{item}, static_cast<float>(sum)});
        return found;
      };
      expect_list(counts.popular({0, hours, region}, 5, any),
                  list(slow_sums(all, kHour, hours, region)), 5);
      expect_list(counts.popular({7, 0, region}, 5, any), list(slow_sums(all, kDay, 7, region)), 5);
      expect_list(counts.trending(hours, region, 99, any), slow_trending(all, hours, region), 99);
    }
  }));
}

TEST(LiveCounts, WhatRisesIsNotWhatIsLarge) {
  LiveCounts counts;
  const auto any = [](ItemIndex) { return true; };
  const Timestamp today = 18'000 * kDay + 12 * kHour;
  const auto on = [&](std::int64_t days_ago, std::uint32_t item, int times) {
    for (int i = 0; i < times; ++i) counts.add(ItemIndex{item}, today - days_ago * kDay, 1);
  };
  for (int day = 1; day <= 20; ++day) {
    on(day, 0, 100);  // always wanted most
    on(day, 1, 2);    // rises
    on(day, 2, 10);   // falls
  }
  on(0, 0, 110);
  on(0, 1, 25);
  on(0, 2, 1);
  on(0, 3, 2);  // new, and too rare to say
  on(0, 4, 9);  // new
  const auto found = counts.trending(12, "", 9, any);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(raw(found[0].item), 1U);
  EXPECT_EQ(raw(found[1].item), 4U);
  EXPECT_EQ(raw(counts.popular({0, 12, ""}, 1, any).at(0).item), 0U);
}

TEST(LiveCounts, RegionsAreBounded) {
  LiveCounts counts;
  const auto any = [](ItemIndex) { return true; };
  const Timestamp start = 18'000 * kDay;
  for (std::uint32_t region = 0; region < 2 * kRegionsMax; ++region)
    for (std::uint32_t item = 0; item < kRegionItemsMax + 100; ++item)
      counts.add(ItemIndex{item}, start, 1, "r" + std::to_string(region));
  EXPECT_EQ(counts.popular({1, 0, "r0"}, 9'999, any).size(), kRegionItemsMax);
  EXPECT_TRUE(counts.popular({1, 0, "r" + std::to_string(kRegionsMax)}, 9, any).empty());
  EXPECT_LT(counts.memory_bytes(), (2 * kRegionsMax + 2) * kRegionItemsMax * 24U);
  // A region's own days are those of the shop.
  counts.add(ItemIndex{0}, start + (kRegionDays + 3) * kDay, 1);
  EXPECT_TRUE(counts.popular({0, 0, "r0"}, 9, any).empty());
}

TEST(LiveCounts, MemoryIsBoundedByTheDaysKept) {
  LiveCounts counts;
  for (std::int64_t day = 0; day < 1000; ++day)
    for (std::uint32_t item = 0; item < 100; ++item) counts.add(ItemIndex{item}, day * kDay, 1);
  EXPECT_LT(counts.memory_bytes(), kPopularDays * 256 * 16 + 4096U);
  EXPECT_EQ(counts.popular({.days = 500}, 1, [](ItemIndex) { return true; }).at(0).score,
            kPopularDays);
}

}  // namespace
}  // namespace vitrine

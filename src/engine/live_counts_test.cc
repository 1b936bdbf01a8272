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

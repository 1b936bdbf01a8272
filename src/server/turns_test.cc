#include "server/turns.h"

#include <gtest/gtest.h>

#include <string>

#include "server/limits.h"

namespace vitrine {
namespace {

// One thread that answers each request in `answer_s`, asked once every `apart_s` from `begin_s` on;
// the number of those that were told that it took too long.
int refused(Turns<int>& turns, double begin_s, double seconds, double apart_s, double answer_s) {
  int count = 0;
  double free_s = begin_s;
  for (double now_s = begin_s; now_s < begin_s + seconds; now_s += apart_s) {
    turns.come(0, now_s);
    while (free_s <= now_s) {
      const auto turn = turns.take(std::max(free_s, now_s - apart_s));
      if (!turn) {
        free_s = now_s + 1e-9;
        break;
      }
      count += turn->in_time ? 0 : 1;
      free_s += turn->in_time ? answer_s : 0;
    }
  }
  return count;
}

TEST(Turns, FirstComeFirstServed) {
  Turns<char> turns(0);
  for (const char name : {'a', 'b', 'c'}) turns.come(name, 0);
  EXPECT_EQ(turns.waiting(), 3u);
  std::string served;
  while (const auto turn = turns.take(1)) served += turn->who;
  EXPECT_EQ(served, "abc");
  EXPECT_EQ(turns.waiting(), 0u);
}

TEST(Turns, BelowCapacityNobodyIsRefused) {
  Turns<int> turns(0.1);
  EXPECT_EQ(refused(turns, 0, 60, 0.0101, 0.01), 0);
}

TEST(Turns, AtTwiceTheCapacityHalfIsRefusedAndNobodyWaitsLonger) {
  Turns<int> turns(0.1);
  refused(turns, 0, 2, 0.0005, 0.001);  // until it stands
  EXPECT_NEAR(refused(turns, 2, 10, 0.0005, 0.001), 10'000, 300);
  const std::size_t waiting = turns.waiting();
  EXPECT_GT(waiting, 150u);  // a tenth of a second of what comes
  EXPECT_LT(waiting, 250u);
}

TEST(Turns, AStallTurnsNobodyAwayWhenTheQueueRecovers) {
  Turns<int> turns(0.1);
  for (int i = 0; i < 200; ++i) turns.come(i, 0);
  double now_s = 0.2;  // when the machine came back
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(turns.take(now_s)->in_time);
    now_s += 0.5 * kStandingSeconds / 200;
  }
  EXPECT_FALSE(turns.take(now_s));
}

TEST(Turns, WhenLessComesAgainNobodyIsRefused) {
  Turns<int> turns(0.1);
  EXPECT_GT(refused(turns, 0, 5, 0.0005, 0.001), 0);
  refused(turns, 5, 1, 0.002, 0.001);  // what is left of the queue
  EXPECT_EQ(refused(turns, 6, 20, 0.002, 0.001), 0);
}

TEST(Turns, AFewMayWaitHoweverLongAJobTakes) {
  Turns<int> turns(0.001);
  for (std::size_t i = 0; i < 2 * kWaitingAlways; ++i) turns.come(0, 0);
  EXPECT_TRUE(turns.take(1)->in_time);  // one that waited long is no standing queue
  std::size_t late = 0;
  while (const auto turn = turns.take(10)) late += turn->in_time ? 0 : 1;
  EXPECT_EQ(late, kWaitingAlways - 1);
}

TEST(Turns, WithoutALimitEverybodyWaits) {
  Turns<int> turns(0);
  for (int i = 0; i < 1000; ++i) turns.come(i, 0);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(turns.take(10 * i)->in_time);
}

}  // namespace
}  // namespace vitrine

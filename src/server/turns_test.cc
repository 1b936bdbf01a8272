#include "server/turns.h"

#include <gtest/gtest.h>

#include <string>

#include "server/limits.h"

namespace vitrine {
namespace {

TEST(Turns, FirstComeFirstServed) {
  Turns turns(2, 0);
  std::string done;
  for (const char name : {'a', 'b', 'c'}) EXPECT_TRUE(turns.ask([&done, name] { done += name; }));
  while (const auto job = turns.take()) job();
  EXPECT_EQ(done, "abc");
  EXPECT_EQ(turns.waiting(), 0u);
}

TEST(Turns, WhoWouldWaitTooLongIsRefusedAtOnce) {
  Turns turns(2, 0.5);
  turns.took(0.01);  // a job takes ten milliseconds: of two threads, half a second is a hundred
  int admitted = 0;
  for (int i = 0; i < 200; ++i) admitted += turns.ask([] {}) ? 1 : 0;
  EXPECT_EQ(admitted, 101);  // the last of them is expected to wait for exactly so long
  turns.take();
  EXPECT_TRUE(turns.ask([] {}));
  EXPECT_FALSE(turns.ask([] {}));
}

TEST(Turns, AFewMayWaitHoweverLongAJobTakes) {
  Turns turns(1, 0.001);
  turns.took(10);
  std::size_t admitted = 0;
  for (int i = 0; i < 100; ++i) admitted += turns.ask([] {}) ? 1 : 0;
  EXPECT_EQ(admitted, kWaitingAlways);
}

TEST(Turns, WithoutALimitEverybodyWaits) {
  Turns turns(1, 0);
  turns.took(10);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(turns.ask([] {}));
}

}  // namespace
}  // namespace vitrine

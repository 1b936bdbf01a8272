#include "store/window.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <string>

namespace vitrine {
namespace {

IdHash number(std::uint64_t n) { return n == 0 ? IdHash{} : hash_id("id" + std::to_string(n)); }

TEST(HashId, NoIdIsZeroAndIdsAreNot) {
  EXPECT_FALSE(hash_id(""));
  EXPECT_TRUE(hash_id("a"));
  EXPECT_NE(hash_id("a"), hash_id("b"));
}

TEST(IdWindow, AgreesWithAMapOverTheLatestRecords) {
  EXPECT_TRUE(rc::check([] {
    const auto capacity = *rc::gen::inRange<std::uint64_t>(1, 300);
    const auto first = *rc::gen::inRange<std::uint64_t>(1, 1000);
    const auto ids =
        *rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, 600));
    IdWindow window(capacity);
    std::vector<IdHash> added;
    for (const std::uint64_t n : ids) {
      const IdHash id = number(n);
      std::uint64_t expected = 0;
      for (std::size_t i = added.size(); i-- > 0 && added.size() - i <= capacity;)
        if (id && added[i] == id) expected = first + i;
      RC_ASSERT(window.find(id) == expected);
      const IdHash fresh = expected == 0 ? id : IdHash{};
      window.add(first + added.size(), std::span(&fresh, 1));
      added.push_back(fresh);
    }
  }));
}

TEST(IdWindow, GrowsWrapsAndForgets) {
  constexpr std::uint64_t kCapacity = 50'000, kAll = 130'000;
  IdWindow window(kCapacity);
  std::vector<IdHash> ids;
  for (std::uint64_t n = 1; n <= kAll; ++n) ids.push_back(number(n));
  window.add(1, ids);
  for (std::uint64_t n = 1; n <= kAll; ++n)
    ASSERT_EQ(window.find(number(n)), n > kAll - kCapacity ? n : 0) << n;
  EXPECT_EQ(window.size(), kCapacity);
  EXPECT_LT(window.memory_bytes(), kCapacity * 45);
}

TEST(IdWindow, WhatIsReservedIsEnough) {
  constexpr std::uint64_t kCapacity = 40'000;  // two chunks and a part of one
  IdWindow window(kCapacity);
  std::uint64_t next = 30'000;
  for (const std::uint64_t count : {1, 20'000, 3, 39'000, 70'000}) {
    std::vector<IdHash> ids;
    for (std::uint64_t i = 0; i < count; ++i) ids.push_back(number(next + i));
    window.reserve(next, count);
    const std::uint64_t taken = window.memory_bytes();
    window.add(next, ids);
    EXPECT_EQ(window.memory_bytes(), taken) << count;
    next += count;
  }
}

TEST(IdWindow, WithoutCapacityKnowsNothing) {
  IdWindow window(0);
  const IdHash id = number(1);
  window.add(1, std::span(&id, 1));
  EXPECT_EQ(window.find(id), 0U);
}

TEST(IdBatch, FindsRepeatsAmongItsOwn) {
  IdBatch batch;
  batch.start(7, 3);
  EXPECT_EQ(batch.find(number(1)), 0U);
  batch.add(number(1));
  batch.add({});
  batch.add(number(2));
  EXPECT_EQ(batch.find(number(1)), 7U);
  EXPECT_EQ(batch.find(number(2)), 9U);
  EXPECT_EQ(batch.find({}), 0U);
  EXPECT_EQ(batch.next_sequence(), 10U);
}

TEST(IdWindow, AGapMovesItOn) {
  const auto id = [](std::uint64_t i) { return hash_id(std::to_string(i)); };
  for (std::uint64_t next = 9; next < 30; ++next) {
    IdWindow window(8);
    for (std::uint64_t i = 1; i <= 8; ++i) window.add(i, std::vector{id(i)});
    window.add(next, std::vector{id(next)});
    for (std::uint64_t i = 1; i <= 8; ++i)
      EXPECT_EQ(window.find(id(i)), i + 8 > next ? i : 0U) << "behind a gap to " << next;
    EXPECT_EQ(window.find(id(next)), next);
  }
}

}  // namespace
}  // namespace vitrine

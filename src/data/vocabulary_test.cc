#include "data/vocabulary.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <atomic>
#include <map>
#include <thread>

namespace vitrine {
namespace {

TEST(StringIndex, NumbersInOrderOfAppearance) {
  StringIndex index;
  EXPECT_EQ(index.add("b"), 0u);
  EXPECT_EQ(index.add("a"), 1u);
  EXPECT_EQ(index.add("b"), 0u);
  EXPECT_EQ(index.add(""), 2u);
  EXPECT_EQ(index.size(), 3u);
  EXPECT_EQ(index.id(1), "a");
  EXPECT_EQ(index.id(3), "");
  EXPECT_EQ(index.find("a"), 1u);
  EXPECT_EQ(index.find("c"), std::nullopt);
}

TEST(StringIndex, AnErasedIdLeavesAHole) {
  StringIndex index;
  index.add("a");
  index.add("b");
  EXPECT_TRUE(index.erase("a"));
  EXPECT_FALSE(index.erase("a"));
  EXPECT_EQ(index.find("a"), std::nullopt);
  EXPECT_EQ(index.id(0), "");
  EXPECT_EQ(index.size(), 2u);
  EXPECT_EQ(index.find("b"), 1u);
  EXPECT_EQ(index.add("a"), 2u);
}

TEST(StringIndex, AgreesWithAMap) {
  EXPECT_TRUE(rc::check("adds, finds and erases",
                        [](const std::vector<std::pair<std::uint16_t, std::uint8_t>>& steps) {
                          StringIndex index;
                          std::map<std::string, std::uint32_t> live;
                          std::uint32_t next = 0;
                          for (const auto& step : steps) {
                            const std::string id = "id" + std::to_string(step.first % 300);
                            if (step.second % 4 == 0) {
                              RC_ASSERT(index.erase(id) == (live.erase(id) > 0));
                            } else {
                              const bool is_new = live.find(id) == live.end();
                              if (is_new) live[id] = next++;
                              RC_ASSERT(index.add(id) == live[id]);
                            }
                          }
                          RC_ASSERT(index.size() == next);
                          for (const auto& entry : live) {
                            RC_ASSERT(index.find(entry.first) == entry.second);
                            RC_ASSERT(index.id(entry.second) == entry.first);
                          }
                        }));
}

TEST(StringIndex, ManyIdsStayWhereTheyAreAndCostLittle) {
  StringIndex index;
  constexpr std::uint32_t kCount = 200'000;
  std::size_t text = 0;
  const std::string_view first = index.id(index.add("user_0"));
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const std::string id = "user_" + std::to_string(i);
    ASSERT_EQ(index.add(id), i);
    text += id.size();
  }
  EXPECT_EQ(first.data(), index.id(0).data());
  for (std::uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(index.find(index.id(i)), i);
  EXPECT_LT(static_cast<double>(index.memory_bytes() - text) / kCount, 40);
  StringIndex moved = std::move(index);
  EXPECT_EQ(moved.find("user_7"), 7u);
}

TEST(StringIndex, LongIdsFit) {
  StringIndex index;
  const std::string longer(1'000'000, 'x');
  EXPECT_EQ(index.add(longer), 0u);
  EXPECT_EQ(index.add("short"), 1u);
  EXPECT_EQ(index.id(0), longer);
  EXPECT_EQ(index.id(1), "short");
}

TEST(StringIndex, ReadersRunBesideTheWriter) {
  StringIndex index;
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> wrong{0};
  const auto read = [&] {
    while (!done.load()) {
      const std::uint32_t size = index.size();
      for (std::uint32_t i = 0; i < size; i += 37) {
        const std::string_view id = index.id(i);
        if (index.find(id) != i) ++wrong;
      }
    }
  };
  const auto seek = [&] {  // finds an id the moment it is there, and then reads it
    std::uint32_t next = 0;
    while (!done.load()) {
      const std::string id = "item" + std::to_string(next);
      const std::optional<std::uint32_t> found = index.find(id);
      if (!found) continue;
      if (found != next || index.id(*found) != id) ++wrong;
      ++next;
    }
  };
  std::thread one(read), two(seek);
  for (int i = 0; i < 30'000; ++i) index.add("item" + std::to_string(i));
  done = true;
  one.join();
  two.join();
  EXPECT_EQ(wrong.load(), 0u);
  EXPECT_EQ(index.size(), 30'000u);
}

}  // namespace
}  // namespace vitrine

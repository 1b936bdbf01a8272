#include "index/item_search.h"

#include <gtest/gtest.h>

#include "bench/planted.h"
#include "index/testing.h"
#include "tests/memory_files.h"

namespace vitrine {
namespace {

class ItemSearchTest : public testing::Test {
 protected:
  ItemSearchTest() {
    for (std::uint32_t i = 0; i < 400; i += 2) names_.push_back(ItemIndex{i});
  }
  std::vector<Candidate> top(const ItemSearch& search) {
    const ItemMask everything;
    CandidateBlock out;
    search.top(p_.queries.view(), std::span(&everything, 1), 250, out);
    return {out.row(2).begin(), out.row(2).end()};
  }
  Result<ItemSearch> reload(const ItemSearch& search, std::span<const ItemIndex> names) {
    ArchiveWriter writer(files_, "search", "test");
    writer.document("other", 1);
    search.save(writer);
    EXPECT_TRUE(writer.finish().ok());
    VT_TRY(auto reader, ArchiveReader::open(files_, "search", "test"));
    return ItemSearch::load(*reader, p_.items.view(), names);
  }
  MemoryFiles files_;
  ThreadPool pool_{1};
  const Planted p_ = planted_vectors(400, 5, 7, false, 10);
  std::vector<ItemIndex> names_;
};

TEST_F(ItemSearchTest, IsExactBelowANumberOfItemsAndApproximateFromThere) {
  const ItemSearch exact = ItemSearch::build(p_.items.view(), names_, pool_, 201);
  const ItemSearch close = ItemSearch::build(p_.items.view(), names_, pool_, 200);
  EXPECT_EQ(exact.approximate(), nullptr);
  EXPECT_EQ(exact.recall_note(), "");
  EXPECT_EQ(close.recall_note().substr(0, 46), "approximate search: 200 items in 56 lists; rec");
  ASSERT_NE(close.approximate(), nullptr);
  EXPECT_EQ(top(exact).size(), 200u);
  EXPECT_EQ(top(close), top(exact));  // all items: nothing can be missed
  EXPECT_TRUE(top(ItemSearch()).empty());
}

TEST_F(ItemSearchTest, IsTheSameAfterLoading) {
  for (const std::size_t from : {200u, 201u}) {
    const ItemSearch built = ItemSearch::build(p_.items.view(), names_, pool_, from);
    const auto loaded = reload(built, names_);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(loaded->approximate() == nullptr, from == 201);
    EXPECT_EQ(top(*loaded), top(built));
  }
}

TEST_F(ItemSearchTest, RefusesAnIndexOfOtherItems) {
  const ItemSearch built = ItemSearch::build(p_.items.view(), names_, pool_, 1);
  std::vector<ItemIndex> others = names_;
  others.back() = ItemIndex{399};
  EXPECT_EQ(reload(built, others).error().code, Code::kCorrupt);
  EXPECT_EQ(reload(built, std::span(names_).first(199)).error().code, Code::kCorrupt);
}

TEST_F(ItemSearchTest, WhatCannotBeClusteredIsExact) {
  Matrix items(20, 2);
  items(3, 1) = HUGE_VALF;
  items(4, 1) = 1;
  const ItemSearch search = ItemSearch::build(items.view(), std::span(names_).first(10), pool_, 1);
  EXPECT_NE(search.approximate(), nullptr);  // item 3 is not among them
  const ItemIndex three[] = {ItemIndex{3}};
  EXPECT_EQ(ItemSearch::build(items.view(), three, pool_, 1).approximate(), nullptr);
  EXPECT_EQ(ItemSearch::build(items.view(), {}, pool_, 0).approximate(), nullptr);
}

}  // namespace
}  // namespace vitrine

#include "index/item_search.h"

#include <gtest/gtest.h>

#include "index/testing.h"
#include "tests/memory_files.h"
#include "tests/planted.h"

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
  Result<ItemSearch> reload(const ItemSearch& search, std::span<const ItemIndex> names,
                            std::size_t approximate_from, const Matrix& items) {
    ArchiveWriter writer(files_, "search", "test");
    writer.document("other", 1);
    search.save(writer, approximate_from);
    EXPECT_TRUE(writer.finish().ok());
    VT_TRY(auto reader, ArchiveReader::open(files_, "search", "test"));
    return ItemSearch::load(*reader, items.view(), names);
  }
  MemoryFiles files_;
  const Planted p_ = planted_vectors(400, 5, 7, false, 10);
  std::vector<ItemIndex> names_;
};

TEST_F(ItemSearchTest, IsExactBelowANumberOfItemsAndApproximateFromThere) {
  const ItemSearch fitted(p_.items.view(), names_);
  EXPECT_EQ(fitted.approximate(), nullptr);
  EXPECT_EQ(top(fitted).size(), 200u);
  const auto exact = reload(fitted, names_, 201, p_.items);
  const auto close = reload(fitted, names_, 200, p_.items);
  EXPECT_EQ(exact->approximate(), nullptr);
  ASSERT_NE(close->approximate(), nullptr);
  EXPECT_EQ(close->approximate()->items(), 200);
  EXPECT_EQ(top(*exact), top(fitted));
  EXPECT_EQ(top(*close), top(fitted));  // all items: nothing can be missed
  const auto again = reload(*close, names_, 1'000, p_.items);
  EXPECT_EQ(again->approximate()->bytes(), close->approximate()->bytes());
  EXPECT_TRUE(top(ItemSearch()).empty());
}

TEST_F(ItemSearchTest, TellsTheRecallsOfAnArchive) {
  const ItemSearch fitted(p_.items.view(), names_);
  const auto close = reload(fitted, names_, 1, p_.items);
  const auto saved = ArchiveReader::open(files_, "search", "test");
  const auto recalls = ClusteredItems::saved_recalls(**saved);
  const auto levels = close->approximate()->levels();
  ASSERT_EQ(recalls->size(), levels.size());
  for (std::size_t i = 0; i < levels.size(); ++i) EXPECT_EQ((*recalls)[i], levels[i].recall);
  ArchiveWriter writer(files_, "members", "test");  // of a blend
  writer.enter("members/1");
  close->save(writer);
  writer.leave();
  ASSERT_TRUE(writer.finish().ok());
  EXPECT_EQ(*ClusteredItems::saved_recalls(**ArchiveReader::open(files_, "members", "test")),
            *recalls);
  EXPECT_EQ(reload(fitted, names_, 1'000, p_.items)->approximate(), nullptr);
  EXPECT_TRUE(
      ClusteredItems::saved_recalls(**ArchiveReader::open(files_, "search", "test"))->empty());
}

TEST_F(ItemSearchTest, RefusesAnIndexOfOtherItems) {
  const ItemSearch fitted(p_.items.view(), names_);
  std::vector<ItemIndex> others = names_;
  others.back() = ItemIndex{399};
  EXPECT_EQ(reload(fitted, others, 1, p_.items).error().code, Code::kCorrupt);
  EXPECT_EQ(reload(fitted, std::span(names_).first(199), 1, p_.items).error().code, Code::kCorrupt);
}

TEST_F(ItemSearchTest, WhatCannotBeClusteredIsExact) {
  Matrix items(20, 2);
  items(3, 1) = HUGE_VALF;
  items(4, 1) = 1;
  const std::span<const ItemIndex> even = std::span(names_).first(10);
  const ItemIndex three[] = {ItemIndex{3}};
  EXPECT_NE(reload(ItemSearch(items.view(), even), even, 1, items)->approximate(), nullptr);
  EXPECT_EQ(reload(ItemSearch(items.view(), three), three, 1, items)->approximate(), nullptr);
  EXPECT_EQ(reload(ItemSearch(items.view(), {}), {}, 0, items)->approximate(), nullptr);
}

}  // namespace
}  // namespace vitrine

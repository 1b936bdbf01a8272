#include "index/clustered.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "base/random.h"
#include "index/testing.h"
#include "tests/memory_files.h"
#include "tests/planted.h"

namespace vitrine {
namespace {

using List = std::vector<Candidate>;

std::vector<ItemIndex> all_names(std::int64_t items) {
  std::vector<ItemIndex> names;
  for (std::uint32_t i = 0; i < items; ++i) names.push_back(ItemIndex{i});
  return names;
}

ClusteredItems build(const Matrix& items, const ClusterOptions& options = {}, int threads = 1) {
  ThreadPool pool(threads);
  auto built = ClusteredItems::build(items.view(), all_names(items.rows()), {}, options, pool);
  EXPECT_TRUE(built.ok()) << built.error().message;
  return std::move(built).value();
}

std::string contents(MemoryFiles& files, const std::string& path) {
  const auto mapped = files.map(path);
  const std::span<const std::byte> bytes = (*mapped)->bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string bytes_of(const ClusteredItems& index) {
  MemoryFiles files;
  ArchiveWriter writer(files, "index", "test");
  index.save(writer);
  EXPECT_TRUE(writer.finish().ok());
  return contents(files, "index");
}

List row(const CandidateBlock& block, std::size_t q) {
  return {block.row(q).begin(), block.row(q).end()};
}

List search(const ClusteredItems& index, const Matrix& items, const Matrix& queries, std::int64_t q,
            const ItemMask& mask, int n) {
  CandidateBlock out;
  const MatrixView<const float> one{queries.row(q).data(), 1, queries.cols(), queries.stride()};
  index.search(one, items.view(), std::span(&mask, 1), n, out);
  return row(out, 0);
}

// Shares of the exact lists that are found.
double recall(const ClusteredItems& index, const Planted& p, const ItemMask& mask, int n) {
  CandidateBlock exact;
  scan_top(p.queries.view(), PackedItems(p.items.view()), std::span(&mask, 1), n, exact);
  double found = 0, all = 0;
  for (std::int64_t q = 0; q < p.queries.rows(); ++q) {
    const List got = search(index, p.items, p.queries, q, mask, n);
    const List expected = row(exact, static_cast<std::size_t>(q));
    EXPECT_EQ(got.size(), expected.size());
    for (const Candidate& c : expected)
      found += std::find(got.begin(), got.end(), c) != got.end() ? 1 : 0;
    all += static_cast<double>(expected.size());
  }
  return found / all;
}

TEST(Clustered, TheSameBytesForAnyNumberOfThreads) {
  const Planted p = planted_vectors(3'000, 1, 24, false, 60);
  const std::string one = bytes_of(build(p.items, {}, 1));
  EXPECT_EQ(bytes_of(build(p.items, {}, 2)), one);
  EXPECT_EQ(bytes_of(build(p.items, {}, 5)), one);
  EXPECT_NE(bytes_of(build(p.items, {0, 0.97, 2}, 1)), one);
}

TEST(Clustered, FindsWhatItPromisesUnderAnyMask) {
  const Planted p = planted_vectors(20'000, 100, 32, false, 200);
  const ClusteredItems index = build(p.items);
  EXPECT_GE(index.lists(), 565);
  ASSERT_EQ(index.levels().size(), ClusteredItems::kLevels.size());
  for (const ClusteredItems::Level& level : index.levels())
    EXPECT_GE(level.recall, 0.97) << level.k;
  EXPECT_LT(index.levels()[0].probes, 140u);
  const Random random(5);
  for (const double share : {1.0, 0.5, 0.05, 0.005}) {
    Bitmap allowed(20'000);
    for (std::size_t i = 0; i < allowed.size(); ++i) allowed.set(i, random.uniform(i) < share);
    const ItemMask mask{share < 1 ? &allowed : nullptr, {}};
    for (const int n : {1, 10, 100})
      EXPECT_GE(recall(index, p, mask, n), 0.94) << share << " " << n;
  }
  // All on one side: whole lists are allowed, others hardly.
  Bitmap kind(20'000);
  for (std::size_t i = 0; i < kind.size(); ++i)
    kind.set(i, p.items(static_cast<long>(i), 0) > 1.0f);
  const ItemMask mask{&kind, {}};
  EXPECT_GE(recall(index, p, mask, 10), 0.9);
}

TEST(Clustered, ListsObeyTheMaskAndHaveNItemsWheneverItHas) {
  const Planted p = planted_vectors(2'000, 10, 12, false, 30);
  const ClusteredItems index = build(p.items);
  EXPECT_TRUE(rc::check([&] {
    const OwnedMask owned = any_mask(2'000);
    const ItemMask mask = owned.mask();
    std::size_t allowed = 0;
    for (const ItemIndex item : all_names(2'000)) allowed += mask.allows(item) ? 1 : 0;
    const int n = *rc::gen::element(0, 1, 10, 300, 5'000);
    const std::int64_t q = *rc::gen::inRange(0, 10);
    const List got = search(index, p.items, p.queries, q, mask, n);
    RC_ASSERT(got.size() == std::min(allowed, static_cast<std::size_t>(n)));
    std::set<ItemIndex> met;
    for (std::size_t i = 0; i < got.size(); ++i) {
      RC_ASSERT(mask.allows(got[i].item) && met.insert(got[i].item).second);
      if (i > 0) RC_ASSERT(better(got[i - 1], got[i]));
      float score = 0;
      scan_scores(p.queries.row(q), p.items.view(), std::span(&got[i].item, 1),
                  std::span(&score, 1));
      RC_ASSERT(score == got[i].score);
    }
  }));
}

TEST(Clustered, HardVectors) {
  Matrix items(600, 5);  // zeros, duplicates, a few that differ
  for (std::int64_t i = 0; i < 600; ++i) items(i, 2) = i < 200 ? 0.0f : i < 590 ? 1.0f : float(i);
  for (const std::int64_t lists : {1, 2, 50, 600}) {
    const ClusteredItems index = build(items, {lists, 0.97, 1});
    Matrix queries(4, 5);
    queries(1, 2) = 1;
    queries(2, 2) = -1;
    queries(3, 0) = std::nanf("");
    const List best = search(index, items, queries, 1, {}, 20);
    ASSERT_EQ(best.size(), 20u);
    EXPECT_EQ(raw(best[0].item), 599u);
    EXPECT_EQ(search(index, items, queries, 0, {}, 1'000).size(), 600u);
    EXPECT_EQ(search(index, items, queries, 2, {}, 1'000).size(), 600u);
    EXPECT_TRUE(search(index, items, queries, 3, {}, 10).empty());
  }
  ThreadPool pool(1);
  items(7, 1) = std::nanf("");
  const auto names = all_names(600);
  EXPECT_EQ(ClusteredItems::build(items.view(), names, {}, {}, pool).error().code, Code::kInvalid);
  EXPECT_EQ(ClusteredItems::build(items.view(), {}, {}, {}, pool).error().code, Code::kInvalid);
}

TEST(Clustered, NamedRowsAlone) {
  const Planted p = planted_vectors(500, 5, 8, false, 10);
  std::vector<ItemIndex> names;
  for (std::uint32_t i = 3; i < 500; i += 2) names.push_back(ItemIndex{i});
  ThreadPool pool(1);
  auto built = ClusteredItems::build(p.items.view(), names, p.queries.view(), {}, pool);
  const List got = search(built.value(), p.items, p.queries, 0, {}, 1'000);
  EXPECT_EQ(got.size(), names.size());
  for (const Candidate& c : got) EXPECT_EQ(raw(c.item) % 2, 1u);
}

class ClusteredArchive : public testing::Test {
 protected:
  Result<ClusteredItems> load(const std::string& bytes, std::int64_t rows = 300,
                              std::int64_t width = 6) {
    files_.put("index", bytes);
    auto opened = ArchiveReader::open(files_, "index", "test");
    if (!opened.ok()) return opened.error();
    return ClusteredItems::load(**opened, rows, width);
  }
  MemoryFiles files_;
  const Planted p_ = planted_vectors(300, 10, 6, false, 10);
  const ClusteredItems index_ = build(p_.items);
  const std::string bytes_ = bytes_of(index_);
};

TEST_F(ClusteredArchive, IsTheSameAfterLoading) {
  auto loaded = load(bytes_);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(bytes_of(*loaded), bytes_);
  EXPECT_EQ(loaded->bytes(), index_.bytes());
  for (std::int64_t q = 0; q < 10; ++q) {
    EXPECT_EQ(search(*loaded, p_.items, p_.queries, q, {}, 7),
              search(index_, p_.items, p_.queries, q, {}, 7));
  }
}

TEST_F(ClusteredArchive, RefusesWhatDoesNotFitTheTable) {
  EXPECT_EQ(load(bytes_, 299).error().code, Code::kCorrupt);
  EXPECT_EQ(load(bytes_, 300, 7).error().code, Code::kCorrupt);
  EXPECT_EQ(load(bytes_, 300, 0).error().code, Code::kCorrupt);
  EXPECT_TRUE(load(bytes_, 301).ok());
}

// Writes the archive again with one element of one tensor changed, so that checksums are right.
template <class T>
std::string spoilt(MemoryFiles& files, const std::string& bytes, const std::string& name,
                   std::size_t at, T value, std::size_t cut) {
  files.put("good", bytes);
  auto opened = ArchiveReader::open(files, "good", "test");
  ArchiveReader& reader = **opened;
  ArchiveWriter writer(files, "bad", "test");
  for (const std::string& other : reader.names()) {
    const auto copy = [&](auto type) {
      using E = decltype(type);
      auto tensor = reader.tensor<E>(other);
      if (!tensor.ok()) return;
      std::vector<E> values(tensor->begin(), tensor->end());
      if constexpr (std::is_same_v<E, T>) {
        if (other == name) {
          values[at % values.size()] = value;
          values.resize(values.size() - std::min(cut, values.size()));
        }
      }
      writer.tensor(other, values);
    };
    copy(std::uint32_t{});
    copy(std::uint8_t{});
    copy(float{});
    copy(double{});
  }
  EXPECT_TRUE(writer.finish().ok());
  return contents(files, "bad");
}

TEST_F(ClusteredArchive, SpoiltOnesAreRefused) {
  const float nan = std::nanf(""), infinity = HUGE_VALF;
  const auto refused = [&](const std::string& name, std::size_t at, auto value, std::size_t cut) {
    const auto loaded = load(spoilt(files_, bytes_, name, at, value, cut));
    ASSERT_FALSE(loaded.ok()) << name << " " << at << " " << cut;
    EXPECT_EQ(loaded.error().code, Code::kCorrupt);
  };
  for (const std::uint32_t value : {0u, 5'000u, ~0u}) refused("clusters/offsets", 3, value, 0);
  for (const std::uint32_t value : {300u, ~0u}) refused("clusters/items", 3, value, 0);
  const auto twice = index_.list(0)[0];
  refused("clusters/items", 3, raw(twice), 0);
  for (const float value : {-1.0f, nan, infinity, 1e30f}) refused("clusters/scales", 3, value, 0);
  for (const double value : {-1.0, double{nan}, double{infinity}, 1e30})
    refused("clusters/bounds", 4, value, 0);
  for (const float value : {nan, infinity}) refused("clusters/means", 5, value, 0);
  for (const std::uint32_t value : {0u, 5'000u}) refused("clusters/probes", 2, value, 0);
  for (const double value : {-0.1, 1.1, double{nan}}) refused("clusters/recall", 2, value, 0);
  for (const std::size_t cut : {1u, 1'000'000u}) {
    refused("clusters/offsets", 0, 0u, cut);
    refused("clusters/items", 0, 0u, cut);
    refused("clusters/bytes", 0, std::uint8_t{0}, cut);
    refused("clusters/scales", 0, 0.0f, cut);
    refused("clusters/bounds", 0, 0.0, cut);
    refused("clusters/means", 0, 0.0f, cut);
    refused("clusters/probes", 0, 1u, cut);
    refused("clusters/recall", 0, 1.0, cut);
  }
}

// What cannot be told from a good one may only give other lists.
TEST_F(ClusteredArchive, WhatIsLoadedNeverCrashes) {
  EXPECT_TRUE(rc::check([&] {
    const auto at = *rc::gen::arbitrary<std::size_t>();
    const auto kind = *rc::gen::inRange(0, 4);
    const float value = *rc::gen::element(0.0f, 1e-38f, 1.0f, 7e12f, 1e30f);
    const std::string bytes =
        kind == 0
            ? spoilt(files_, bytes_, "clusters/bytes", at, *rc::gen::arbitrary<std::uint8_t>(), 0)
        : kind == 1 ? spoilt(files_, bytes_, "clusters/scales", at, value, 0)
        : kind == 2 ? spoilt(files_, bytes_, "clusters/means", at, value, 0)
                    : spoilt(files_, bytes_, "clusters/bounds", at, double{value}, 0);
    auto loaded = load(bytes);
    if (!loaded.ok()) return;
    Matrix items = planted_vectors(300, 1, 6, false, 10).items;
    items(static_cast<std::int64_t>(at % 300), 3) =
        *rc::gen::element(std::nanf(""), HUGE_VALF, 1.f);
    for (std::int64_t q = 0; q < 10; ++q) {
      for (const int n : {1, 10, 200}) search(*loaded, items, p_.queries, q, {}, n);
    }
  }));
}

}  // namespace
}  // namespace vitrine

#include "index/scan.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "index/bfloat16.h"
#include "index/testing.h"

namespace vitrine {
namespace {

using List = std::vector<Candidate>;

// The score of the contract, one item at a time, and a full sort.
List slow_scan(std::span<const float> query, MatrixView<const float> items, const ItemMask& mask,
               int n) {
  List all;
  for (std::int64_t i = 0; i < items.rows; ++i) {
    float score = 0;
    for (std::size_t k = 0; k < query.size(); ++k)
      score = std::fma(query[k], items.row(i)[k], score);
    all.push_back({ItemIndex{static_cast<std::uint32_t>(i)}, score});
  }
  return slow_top(std::move(all), mask, n);
}

// How the vectors of a sample look: each kind is a hard case of its own.
enum class Kind { kNormal, kTies, kSkewed, kNear, kWild, kTiny, kZero };

float draw(const Random& random, Kind kind, std::uint64_t row, std::uint64_t at) {
  const double x = random.normal(at);
  switch (kind) {
    case Kind::kNormal:
      return static_cast<float>(x);
    case Kind::kTies:
      return static_cast<float>(std::round(x));
    case Kind::kSkewed:
      return static_cast<float>(x / static_cast<double>(row + 1));
    case Kind::kNear:
      return static_cast<float>(1.0 + 1e-6 * x);  // all alike after rounding
    case Kind::kTiny:
      return static_cast<float>(x * 1e-22);
    case Kind::kZero:
      return 0.0f;
    case Kind::kWild:
      break;
  }
  const std::uint64_t pick = random.fork("wild").below(at, 300);
  if (pick == 0) return std::numeric_limits<float>::quiet_NaN();
  if (pick == 1) return std::numeric_limits<float>::infinity();
  if (pick < 20) return static_cast<float>(x * 1e30);
  return static_cast<float>(x);
}

Matrix sample(std::int64_t rows, std::int64_t width, Kind kind, std::uint64_t seed) {
  Matrix m(rows, width);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t k = 0; k < width; ++k) {
      m(i, k) = draw(Random(seed), kind, static_cast<std::uint64_t>(i),
                     static_cast<std::uint64_t>(i * width + k));
    }
  }
  return m;
}

Kind any_kind() {
  return *rc::gen::element(Kind::kNormal, Kind::kTies, Kind::kSkewed, Kind::kNear, Kind::kWild,
                           Kind::kTiny, Kind::kZero);
}

TEST(Scan, ListsEqualAFullSortOnEveryRowOfTheTable) {
  EXPECT_TRUE(rc::check([] {
    const std::int64_t count = *rc::gen::inRange(0, 300), width = *rc::gen::inRange(0, 70);
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const Matrix items = sample(count, width, any_kind(), seed);
    const Matrix queries = sample(*rc::gen::inRange(0, 45), width, any_kind(), seed + 1);
    const int n = *rc::gen::element(0, 1, 3, 20, 400);
    std::vector<OwnedMask> owned(
        *rc::gen::arbitrary<bool>() ? 1 : static_cast<std::size_t>(queries.rows()));
    std::vector<ItemMask> masks;
    for (OwnedMask& m : owned) m = any_mask(static_cast<std::size_t>(count));
    for (const OwnedMask& m : owned) masks.push_back(m.mask());
    for (const Kernels* row : all_kernels()) {
      CandidateBlock got;
      scan_top(queries.view(), PackedItems(items.view(), *row), masks, n, got);
      RC_ASSERT(got.queries() == static_cast<std::size_t>(queries.rows()));
      for (std::size_t q = 0; n > 0 && q < got.queries(); ++q) {
        const List list(got.row(q).begin(), got.row(q).end());
        const std::span<const float> query = queries.row(static_cast<std::int64_t>(q));
        RC_ASSERT(list == slow_scan(query, items.view(), mask_of(masks, q), n));
      }
    }
  }));
}

// One query at a time and a few together go other ways than a batch does.
TEST(Scan, FewQueriesUnderAnyMaskEqualAFullSort) {
  EXPECT_TRUE(rc::check([] {
    const std::int64_t count = *rc::gen::inRange(1, 3'000), width = *rc::gen::inRange(1, 200);
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const Matrix items = sample(count, width, any_kind(), seed);
    const Matrix queries = sample(*rc::gen::inRange(1, 12), width, any_kind(), seed + 1);
    const int n = *rc::gen::element(1, 7, 20, 150, 4'000);
    const Random random(seed);
    const auto one_in = *rc::gen::element<std::uint64_t>(1, 2, 5, 30, 300, 100'000);
    Bitmap allowed(static_cast<std::size_t>(count) + 70);
    for (std::size_t i = 0; i < allowed.size(); ++i) allowed.set(i, random.below(i, one_in) == 0);
    std::vector<ItemIndex> excluded;
    for (std::uint32_t i = 0; i < count; i += 3) excluded.push_back(ItemIndex{i});
    const ItemMask masks[] = {{}, {&allowed, {}}, {&allowed, excluded}};
    const Kernels& row = *all_kernels()[*rc::gen::inRange<std::size_t>(0, all_kernels().size())];
    const PackedItems packed(items.view(), row);
    for (const ItemMask& mask : masks) {
      CandidateBlock got;
      scan_top(queries.view(), packed, std::span(&mask, 1), n, got);
      for (std::size_t q = 0; q < got.queries(); ++q) {
        const List list(got.row(q).begin(), got.row(q).end());
        const std::span<const float> query = queries.row(static_cast<std::int64_t>(q));
        RC_ASSERT(list == slow_scan(query, items.view(), mask, n));
      }
    }
  }));
}

TEST(Scan, OneQueryAmongManyItemsOnEveryRow) {
  const Matrix items = sample(9'000, 40, Kind::kNear, 3);
  const Matrix queries = sample(3, 40, Kind::kNormal, 4);
  Bitmap few(9'000);
  for (std::size_t i = 5; i < 9'000; i += 900) few.set(i);
  const Bitmap nothing(9'000), one_word(64, true);
  const ItemMask masks[] = {{}, {&few, {}}, {&nothing, {}}, {&one_word, {}}};
  for (const Kernels* row : all_kernels()) {
    const PackedItems packed(items.view(), *row);
    EXPECT_TRUE(packed.has_bytes());
    for (const ItemMask& mask : masks) {
      CandidateBlock got;
      scan_top({queries.data(), 1, 40, queries.stride()}, packed, std::span(&mask, 1), 20, got);
      EXPECT_EQ(List(got.row(0).begin(), got.row(0).end()),
                slow_scan(queries.row(0), items.view(), mask, 20))
          << row->name;
    }
  }
}

TEST(Scan, ManyItemsAndGroupsOfQueries) {
  const Matrix items = sample(5'000, 48, Kind::kSkewed, 1);
  const Matrix queries = sample(1'000, 48, Kind::kNormal, 2);
  const ItemMask everything;
  for (const Kernels* row : all_kernels()) {
    CandidateBlock got;
    scan_top(queries.view(), PackedItems(items.view(), *row), std::span(&everything, 1), 10, got);
    for (std::int64_t q = 0; q < queries.rows(); q += 37) {
      const auto list = got.row(static_cast<std::size_t>(q));
      EXPECT_EQ(List(list.begin(), list.end()),
                slow_scan(queries.row(q), items.view(), everything, 10));
    }
  }
}

TEST(Scan, ItemsThatRoundAlikeAreToldApart) {
  const Matrix items = sample(3'000, 64, Kind::kNear, 3);
  const Matrix queries = sample(40, 64, Kind::kNear, 4);
  const ItemMask everything;
  CandidateBlock got;
  scan_top(queries.view(), PackedItems(items.view()), std::span(&everything, 1), 20, got);
  for (std::int64_t q = 0; q < queries.rows(); ++q) {
    const auto list = got.row(static_cast<std::size_t>(q));
    EXPECT_EQ(List(list.begin(), list.end()),
              slow_scan(queries.row(q), items.view(), everything, 20));
  }
}

TEST(Scan, NamedRowsAndScoresOfSomeItems) {
  const Matrix rows = sample(70, 11, Kind::kNormal, 5);
  const Matrix queries = sample(3, 11, Kind::kNormal, 6);
  Matrix all(150, 11);  // row r is item 2 r + 3
  std::vector<ItemIndex> names;
  for (std::uint32_t r = 0; r < 70; ++r) {
    names.push_back(ItemIndex{2 * r + 3});
    std::copy_n(rows.row(r).begin(), 11, all.row(2 * r + 3).begin());
  }
  const std::vector<ItemIndex> excluded{ItemIndex{5}, ItemIndex{9}};
  const ItemMask mask{nullptr, excluded};
  CandidateBlock got;
  scan_top(queries.view(), PackedItems(rows.view(), names), std::span(&mask, 1), 200, got);
  for (std::int64_t q = 0; q < 3; ++q) {
    const auto list = got.row(static_cast<std::size_t>(q));
    List expected = slow_scan(queries.row(q), all.view(), mask, 200);
    std::erase_if(expected, [](const Candidate& c) {
      return raw(c.item) < 3 || raw(c.item) % 2 == 0 || raw(c.item) > 141;
    });
    EXPECT_EQ(List(list.begin(), list.end()), expected);
    std::vector<ItemIndex> items;
    for (const Candidate& c : list) items.push_back(c.item);
    std::vector<float> scores(items.size());
    scan_scores(queries.row(q), all.view(), items, scores);
    for (std::size_t i = 0; i < items.size(); ++i) EXPECT_EQ(scores[i], list[i].score);
  }
}

TEST(Bytes, ScreenedScoresAreWithinTheirSlack) {
  EXPECT_TRUE(rc::check([] {
    const std::int64_t width = *rc::gen::inRange(1, 200);
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const Kind kind = *rc::gen::element(Kind::kNormal, Kind::kTies, Kind::kNear, Kind::kTiny);
    const Matrix items = sample(20, width, kind, seed), queries = sample(20, width, kind, seed + 1);
    for (std::int64_t i = 0; i < 20; ++i) {
      std::vector<std::uint8_t> bytes(static_cast<std::size_t>(byte_width(width)));
      float scale = 0;
      const ScreenBounds bounds = to_bytes(items.row(i), bytes.data(), scale);
      ByteQuery query;
      RC_ASSERT(query.set(queries.row(i)));
      std::int64_t sum = 0;
      double exact = 0;
      for (std::size_t k = 0; k < bytes.size(); ++k) sum += query.bytes[k] * (bytes[k] - 128);
      for (std::int64_t k = 0; k < width; ++k) exact += double{items(i, k)} * queries(i, k);
      const double screened = static_cast<double>(sum) * query.scale * scale;
      RC_ASSERT(std::abs(exact - screened) <= query.slack(bounds));
    }
  }));
}

TEST(Bytes, AQueryThatIsNotFiniteIsRefused) {
  ByteQuery query;
  EXPECT_FALSE(query.set(std::vector<float>{1, std::nanf("")}));
  EXPECT_FALSE(query.set(std::vector<float>{1, std::numeric_limits<float>::infinity()}));
  EXPECT_FALSE(query.set(std::vector<float>{1e30f}));
  EXPECT_TRUE(query.set(std::vector<float>{0, 0}));
}

TEST(Bfloat16, RoundsToTheNearestAndDropsWhatIsBelowNormal) {
  EXPECT_EQ(from_bfloat16(to_bfloat16(1.0f)), 1.0f);
  EXPECT_EQ(from_bfloat16(to_bfloat16(1.00390625f)), 1.0f);  // a tie goes to the even neighbour
  EXPECT_EQ(from_bfloat16(to_bfloat16(1.0078125f)), 1.0078125f);
  EXPECT_EQ(from_bfloat16(to_bfloat16(-3e-39f)), 0.0f);
  const Random random(5);
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    const auto v =
        static_cast<float>(random.normal(i) * std::pow(10.0, random.uniform(i) * 40 - 20));
    EXPECT_LE(std::abs(from_bfloat16(to_bfloat16(v)) - v), std::abs(v) * 0x1p-8);
  }
}

}  // namespace
}  // namespace vitrine

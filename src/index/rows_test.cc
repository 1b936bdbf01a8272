#include "index/rows.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "index/testing.h"

namespace vitrine {

namespace {

using List = std::vector<Candidate>;

List numbered(std::span<const float> scores) {
  List all;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    all.push_back({ItemIndex{static_cast<std::uint32_t>(i)}, scores[i]});
  }
  return all;
}

// Few different values, so that ties are common; NaN and the infinities now and then.
float any_score() {
  const int pick = *rc::gen::inRange(-6, 30);
  if (pick == 29) return std::numeric_limits<float>::quiet_NaN();
  if (pick == 28) return std::numeric_limits<float>::infinity();
  if (pick == 27) return -std::numeric_limits<float>::infinity();
  return static_cast<float>(pick) / 4;
}

int any_n() { return *rc::gen::element(-1, 0, 1, 2, 5, 20, 700); }

template <class Top>
List fetch(int n, Top top) {
  List out(static_cast<std::size_t>(std::max(n, 0)));
  out.resize(top(std::span<Candidate>(out)));
  return out;
}

SparseRows any_sparse(std::size_t rows, std::size_t items) {
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> columns;
  std::vector<float> weights;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < items; ++c) {
      if (*rc::gen::inRange(0, 3) != 0) continue;
      columns.push_back(static_cast<std::uint32_t>(c));
      weights.push_back(static_cast<float>(*rc::gen::inRange(-3, 4)) / 2);
    }
    offsets.push_back(columns.size());
  }
  return {std::move(offsets), std::move(columns), std::move(weights)};
}

std::vector<WeightedRow> any_rows(std::size_t rows) {
  const std::size_t count = *rc::gen::inRange<std::size_t>(0, 6);
  std::vector<WeightedRow> picked;
  for (std::size_t i = 0; i < count; ++i) {
    picked.push_back({*rc::gen::inRange<std::uint32_t>(0, static_cast<std::uint32_t>(rows + 2)),
                      static_cast<float>(*rc::gen::inRange(-2, 5)) / 2});
  }
  return picked;
}

TEST(Rows, TopOfScoresIsTheSortedPrefix) {
  EXPECT_TRUE(rc::check([] {
    const std::size_t items = *rc::gen::inRange<std::size_t>(0, 400);
    std::vector<float> scores(items);
    for (float& s : scores) s = any_score();
    const OwnedMask mask = any_mask(items);
    const int n = any_n();
    const List got = fetch(
        n, [&](std::span<Candidate> out) { return top_of_scores(scores, mask.mask(), n, out); });
    RC_ASSERT(got == slow_top(numbered(scores), mask.mask(), n));
  }));
}

TEST(Rows, ManyRisingScoresCutTheListOften) {
  std::vector<float> scores(50'000);
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = static_cast<float>(i / 3);
  const List got =
      fetch(20, [&](std::span<Candidate> out) { return top_of_scores(scores, {}, 20, out); });
  EXPECT_EQ(got, slow_top(numbered(scores), {}, 20));
}

TEST(Rows, SparseListsHoldWhatTheRowsTouch) {
  EXPECT_TRUE(rc::check([] {
    const std::size_t items = *rc::gen::inRange<std::size_t>(1, 60);
    const SparseRows matrix = any_sparse(*rc::gen::inRange<std::size_t>(0, 8), items);
    const std::vector<WeightedRow> rows = any_rows(matrix.rows());
    const OwnedMask mask = any_mask(items);
    const int n = any_n();
    // Some columns may lie beyond what the caller calls the items.
    const std::size_t known = *rc::gen::inRange<std::size_t>(0, items + 1);
    std::map<std::uint32_t, float> sums;  // exact: all values are small multiples of 1/4
    for (const WeightedRow& r : rows) {
      if (r.row >= matrix.rows()) continue;
      for (std::size_t i = 0; i < matrix.row(r.row).size(); ++i) {
        if (matrix.row(r.row)[i] >= known) continue;
        sums[matrix.row(r.row)[i]] += r.weight * matrix.row_weights(r.row)[i];
      }
    }
    List all;
    for (const auto& [item, sum] : sums) all.push_back({ItemIndex{item}, sum});
    const List got = fetch(n, [&](std::span<Candidate> out) {
      return top_of_sparse_rows(rows, matrix, known, mask.mask(), n, out);
    });
    RC_ASSERT(got == slow_top(all, mask.mask(), n));
    std::vector<ItemIndex> asked;
    for (const Candidate& c : got) asked.push_back(c.item);
    asked.push_back(ItemIndex{100'000});
    std::vector<float> scores(asked.size(), -1);
    score_sparse_rows(rows, matrix, asked, scores);
    for (std::size_t i = 0; i < got.size(); ++i) RC_ASSERT(scores[i] == got[i].score);
    RC_ASSERT(scores.back() == 0.0f);
  }));
}

TEST(Rows, DenseListsRankEveryItem) {
  EXPECT_TRUE(rc::check([] {
    const std::int64_t items = *rc::gen::inRange<std::int64_t>(1, 90);
    const std::int64_t count = *rc::gen::inRange<std::int64_t>(0, 7);
    Matrix matrix(count, items);
    for (std::int64_t r = 0; r < count; ++r) {
      for (float& v : matrix.row(r)) v = static_cast<float>(*rc::gen::inRange(-4, 5)) / 4;
    }
    const std::vector<WeightedRow> rows = any_rows(static_cast<std::size_t>(count));
    std::vector<float> sums(static_cast<std::size_t>(items), 0.0f);
    for (const WeightedRow& r : rows) {
      if (r.row >= count) continue;
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += r.weight * matrix.row(r.row)[i];
    }
    const OwnedMask mask = any_mask(sums.size());
    const int n = any_n();
    const List got = fetch(n, [&](std::span<Candidate> out) {
      return top_of_dense_rows(rows, matrix.view(), mask.mask(), n, out);
    });
    RC_ASSERT(got == slow_top(numbered(sums), mask.mask(), n));
    const std::vector<ItemIndex> asked{ItemIndex{0}, ItemIndex{100'000}};
    std::vector<float> scores(2, -1);
    score_dense_rows(rows, matrix.view(), asked, scores);
    RC_ASSERT(scores[0] == sums[0] && scores[1] == 0.0f);
  }));
}

TEST(Rows, ScoresEqualTheListsToTheLastBit) {
  Matrix matrix(40, 5'000);
  std::vector<WeightedRow> rows;
  for (std::uint32_t r = 0; r < 40; ++r) {
    for (std::size_t i = 0; i < 5'000; ++i) {
      matrix.row(r)[i] = std::sin(static_cast<float>(i * 7 + r * 13));
    }
    rows.push_back({r, 0.1f + 0.37f * static_cast<float>(r)});
  }
  const List got = fetch(50, [&](std::span<Candidate> out) {
    return top_of_dense_rows(rows, matrix.view(), {}, 50, out);
  });
  ASSERT_EQ(got.size(), 50u);
  for (const Candidate& c : got) {
    float score = 0;
    score_dense_rows(rows, matrix.view(), std::span(&c.item, 1), std::span(&score, 1));
    EXPECT_EQ(score, c.score);
  }
}

TEST(Rows, RankedListsAreFiltered) {
  EXPECT_TRUE(rc::check([] {
    const std::size_t items = *rc::gen::inRange<std::size_t>(0, 80);
    std::vector<float> scores(items);
    for (float& s : scores) s = static_cast<float>(*rc::gen::inRange(0, 5));
    const List ranked = slow_top(numbered(scores), {}, 1'000);
    const OwnedMask mask = any_mask(items);
    const int n = any_n();
    const List got = fetch(
        n, [&](std::span<Candidate> out) { return top_of_ranked(ranked, mask.mask(), n, out); });
    RC_ASSERT(got == slow_top(ranked, mask.mask(), n));
  }));
}

}  // namespace
}  // namespace vitrine

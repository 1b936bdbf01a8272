#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <map>

#include "data/histories_testing.h"

namespace vitrine {
namespace {

using Cells = std::map<std::pair<std::uint32_t, std::uint32_t>, double>;  // (row, item) -> weight

// The obvious version: a map, filled event by event.
Cells slow_cells(const Histories& histories, const InteractionOptions& options) {
  Cells cells;
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    for (const HistoryEvent& event : histories.row(r)) {
      double weight = event.weight;
      if (options.half_life_days > 0 && event.time != kNoTime) {
        const double days = static_cast<double>(histories.last_time() - event.time) / kDay;
        weight *= std::pow(0.5, days / options.half_life_days);
      }
      const std::pair key(static_cast<std::uint32_t>(r), raw(event.item));
      const auto [cell, fresh] = cells.try_emplace(key, weight);
      if (fresh) continue;
      if (options.merge == "sum")
        cell->second += weight;
      else if (options.merge == "max")
        cell->second = std::max(cell->second, weight);
      else
        cell->second = weight;
    }
  }
  if (options.binary) {
    for (auto& cell : cells) cell.second = 1;
  }
  return cells;
}

void expect_same(const SparseRows& rows, const Cells& cells, bool transpose) {
  std::size_t count = 0;
  for (std::uint32_t r = 0; r < rows.rows(); ++r) {
    const auto columns = rows.row(r);
    const auto weights = rows.row_weights(r);
    for (std::size_t c = 0; c < columns.size(); ++c, ++count) {
      if (c > 0) RC_ASSERT(columns[c - 1] < columns[c]);
      const auto found =
          cells.find(transpose ? std::pair(columns[c], r) : std::pair(r, columns[c]));
      RC_ASSERT(found != cells.end());
      RC_ASSERT(std::abs(weights[c] - found->second) <= 1e-5 * found->second);
    }
  }
  RC_ASSERT(count == cells.size());
}

TEST(Interactions, AgreeWithTheObviousVersion) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    InteractionOptions options;
    options.merge = *rc::gen::element<std::string>("sum", "max", "last");
    options.binary = *rc::gen::arbitrary<bool>();
    options.half_life_days = *rc::gen::element(0.0, 0.5, 30.0);
    const Interactions built = build_interactions(histories, options);
    const Cells cells = slow_cells(histories, options);
    RC_ASSERT(built.items == histories.items());
    RC_ASSERT(built.by_row.rows() == histories.rows());
    RC_ASSERT(built.by_item.rows() == histories.items());
    expect_same(built.by_row, cells, false);
    expect_same(built.by_item, cells, true);
  }));
}

HistoryEvent event(std::uint32_t item, Timestamp time, float weight = 1) {
  HistoryEvent e;
  e.item = ItemIndex{item};
  e.time = time;
  e.weight = weight;
  return e;
}

InteractionOptions options(double half_life_days) {
  InteractionOptions options;
  options.half_life_days = half_life_days;
  options.binary = false;
  return options;
}

TEST(Interactions, ATypeMayHaveAHalfLifeOfItsOwn) {
  HistoryEvent view = event(0, 0), bought = event(1, 0), liked = event(2, 0);
  bought.type = EventType::kPurchase;
  liked.type = EventType::kLike;
  const Histories histories =
      testing::make_histories({{view, bought, liked}, {event(3, 20 * kDay)}}, 2, 4);
  InteractionOptions own = options(10);
  own.half_lives = {"purchase=20", "like=0"};
  ASSERT_TRUE(own.resolve(EventTypes()).ok());
  const Interactions built = build_interactions(histories, own);
  const auto weights = built.by_row.row_weights(0);
  EXPECT_FLOAT_EQ(weights[0], 0.25f);
  EXPECT_FLOAT_EQ(weights[1], 0.5f);
  EXPECT_FLOAT_EQ(weights[2], 1);
  for (const char* wrong : {"view", "veiw=1", "view=-1", "view=x"}) {
    own.half_lives = {wrong};
    EXPECT_FALSE(own.resolve(EventTypes()).ok()) << wrong;
  }
}

TEST(Interactions, AnEventHalvesWithEachHalfLife) {
  const Histories histories = testing::make_histories(
      {{event(0, 0), event(1, 10 * kDay, 3), event(2, kNoTime, 5)}, {event(0, 20 * kDay)}}, 2, 4);
  const Interactions built = build_interactions(histories, options(10));
  const auto weights = built.by_row.row_weights(0);
  EXPECT_FLOAT_EQ(weights[0], 0.25f);
  EXPECT_FLOAT_EQ(weights[1], 1.5f);
  EXPECT_FLOAT_EQ(weights[2], 5);  // nothing is known of its age
  EXPECT_FLOAT_EQ(built.by_item.row_weights(0)[1], 1);
  EXPECT_TRUE(built.by_item.row(3).empty());
}

TEST(Interactions, AnOldEventNeverWeighsNothing) {
  const Histories histories =
      testing::make_histories({{event(0, 0), event(1, 100'000 * kDay)}}, 1, 2);
  const Interactions built = build_interactions(histories, options(0.5));
  EXPECT_GT(built.by_row.row_weights(0)[0], 0.f);
}

TEST(Interactions, NothingYieldsNothing) {
  const Interactions built = build_interactions(Histories(), {});
  EXPECT_EQ(built.by_row.rows(), 0u);
  EXPECT_EQ(built.by_item.rows(), 0u);
}

TEST(ItemCounts, CountsPersonsNotEvents) {
  const Histories histories = testing::make_histories(
      {{event(0, 1), event(0, 2), event(1, 3), event(0, 4)}, {}, {event(0, 1)}}, 2, 3);
  EXPECT_EQ(item_counts(histories), (std::vector<std::uint32_t>{2, 1, 0}));
}

}  // namespace
}  // namespace vitrine

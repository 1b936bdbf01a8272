// The path from a file to splits on the demo shop's real data. Every number was also computed by an
// independent program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/histories_testing.h"
#include "data/import.h"
#include "data/item.h"
#include "data/split.h"

namespace vitrine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::QuietRun;

// As examples/online-retail/vitrine.toml maps it.
SourceOptions source() {
  SourceOptions source;
  source.path = VITRINE_SOURCE_DIR "/examples/online-retail/data/events.csv.gz";
  source.user = "user_id";
  source.anonymous_by_order = true;
  source.item = "item_id";
  source.type = "event";
  source.quantity = "value";
  source.price = "unit_price";
  source.order = "invoice";
  source.time = "timestamp";
  source.context = {"country"};
  source.ignore_types = {"adjust"};
  return source;
}

class OnlineRetail : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    shop_ = new Shop;
    ImportSink sink;
    sink.events = [](std::span<const Event> batch) -> Status {
      for (const Event& event : batch) {
        shop_->table.add(event, shop_->table.size(), shop_->vocabulary);
      }
      return {};
    };
    shop_->report =
        import_source(shop_->run, real_files(), source(), shop_->types, true, sink).value();
    CleaningOptions options;
    options.non_product_ids = {"POST", "DOT",          "M",        "m", "D", "C2", "S", "B", "CRUK",
                               "PADS", "BANK CHARGES", "AMAZONFEE"};
    options.non_product_patterns = {"gift_*"};
    shop_->view =
        clean(shop_->run, shop_->table, shop_->vocabulary, Catalogue(), shop_->types, options)
            .value();
    shop_->histories =
        build_histories(shop_->run, shop_->table, shop_->view, shop_->vocabulary, shop_->types, {})
            .value();
  }
  static void TearDownTestSuite() { delete shop_; }

  struct Shop {
    QuietRun run;
    EventTypes types;
    ImportReport report;
    Vocabulary vocabulary;
    EventTable table;
    CleanView view;
    Histories histories;
  };
  static Shop* shop_;

  static std::size_t truth_size(const Split& split) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < split.cases(); ++i) size += split[i].truth.size();
    return size;
  }
};
OnlineRetail::Shop* OnlineRetail::shop_ = nullptr;

TEST_F(OnlineRetail, ImportLeavesStockCorrectionsOut) {
  EXPECT_EQ(shop_->report.rows, 541'909u);
  EXPECT_EQ(shop_->report.accepted, 540'573u);
  EXPECT_EQ(shop_->report.ignored, 1'336u);
  EXPECT_EQ(shop_->report.rejected, 0u);
}

TEST_F(OnlineRetail, CleaningCountsWhatItTakes) {
  const CleaningReport& report = shop_->view.report;
  EXPECT_EQ(report.rows_in, 540'573u);
  EXPECT_EQ(report.rows_kept, 520'922u);
  EXPECT_EQ(report.rows_without_time, 0u);
  std::vector<std::pair<std::string, std::uint64_t>> counts;
  for (const CleaningRule& rule : report.rules) counts.emplace_back(rule.name, rule.rows);
  EXPECT_THAT(counts,
              ElementsAre(std::pair("duplicates", 5'270u), std::pair("missing_ids", 0u),
                          std::pair("impossible_times", 0u), std::pair("impossible_prices", 2u),
                          std::pair("non_products", 2'942u), std::pair("bots", 0u),
                          std::pair("returns", 8'668u + 2'769u), std::pair("cart_removals", 0u)));
  EXPECT_EQ(report.returns_matched, 7'397u);
  EXPECT_EQ(report.returns_unmatched, 1'271u);
  EXPECT_EQ(report.pieces_unmatched, 21'056);
  EXPECT_EQ(report.purchases_undone, 2'769u);
  EXPECT_EQ(report.purchases_reduced, 4'562u);
}

TEST_F(OnlineRetail, ExamplesCanBeLookedUpByTheShop) {
  const std::vector<CleaningRule>& rules = shop_->view.report.rules;
  EXPECT_EQ(rules[0].examples[0],
            "user 17908, item 21866, 2010-12-01T11:45:00Z, purchase, quantity 1, price 1.25");
  EXPECT_EQ(rules[3].examples[0],
            "session A563186, item B, 2011-08-12T14:51:00Z, purchase, quantity 1, price -11062.1");
  EXPECT_EQ(rules[4].examples[1],
            "user 14527, item D, 2010-12-01T09:41:00Z, return, quantity -1, price 27.5");
  EXPECT_EQ(rules[6].examples[0],
            "user 15311, item 35004C, 2010-12-01T09:49:00Z, return, quantity -1, price 4.65");
}

TEST_F(OnlineRetail, HistoriesHoldWhatCustomersKept) {
  const Histories& histories = shop_->histories;
  EXPECT_EQ(histories.size(), 520'922u);
  EXPECT_EQ(histories.users(), 4'372u);
  std::size_t users = 0, sessions = 0;
  double quantity = 0;
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    (histories.user(r) ? users : sessions) += !histories.row(r).empty();
    for (const HistoryEvent& e : histories.row(r)) quantity += e.value;
  }
  EXPECT_EQ(users, 4'325u);
  EXPECT_EQ(sessions, 2'133u);
  EXPECT_EQ(quantity, 5'380'138);
  const Interactions interactions = build_interactions(histories, {});
  EXPECT_EQ(interactions.by_row.columns.size(), 396'812u);
  EXPECT_EQ(interactions.by_item.columns.size(), 396'812u);
  const auto counts = item_counts(histories);
  EXPECT_EQ(std::count_if(counts.begin(), counts.end(), [](auto count) { return count > 0; }),
            3'922);
}

TEST_F(OnlineRetail, TheLastThirtyDaysAreTheTest) {
  SplitOptions options;
  options.test_days = 30;
  const auto split = make_split(shop_->run, shop_->histories, options);
  ASSERT_TRUE(split.ok()) << split.error().message;
  EXPECT_EQ(format_time((*split)[0].now), "2011-11-09T12:50:00Z");
  EXPECT_EQ(shop_->histories.size() - split->train().size(), 86'862u);
  EXPECT_EQ(split->cases(), 1'376u);
  EXPECT_EQ(truth_size(*split), 45'794u);
  EXPECT_EQ(split->dropped_new_items(), 504u);
  EXPECT_THAT(split->description(),
              HasSubstr("86,862 events of 520,922 from 2011-11-09T12:50:00Z"));
  EXPECT_TRUE(validation_split(shop_->run, *split, options).ok());
}

TEST_F(OnlineRetail, TheLastInvoiceIsTheTest) {
  SplitOptions options;
  options.kind = "last_group";
  const auto split = make_split(shop_->run, shop_->histories, options);
  ASSERT_TRUE(split.ok()) << split.error().message;
  EXPECT_EQ(split->cases(), 2'822u);
  EXPECT_EQ(truth_size(*split), 57'175u);
  EXPECT_EQ(split->dropped_new_items(), 4u);
}

}  // namespace
}  // namespace vitrine

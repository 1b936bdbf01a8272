#include "model/validator.h"

#include <gtest/gtest.h>

#include "model/model_testing.h"

namespace vitrine {
namespace {

// Lists one item before all others.
class Fixed final : public Model {
 public:
  explicit Fixed(std::uint32_t first) : first_(first) {}
  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(n));
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const ItemIndex item{first_};
      if (n == 0 || !mask_of(masks, q).allows(item)) continue;
      out.room(q)[0] = {item, 1};
      out.set_count(q, 1);
    }
  }
  void score(const Query&, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    for (std::size_t i = 0; i < items.size(); ++i)
      scores[i] = raw(items[i]) == first_ ? 1.0f : 0.0f;
  }
  void save(ArchiveWriter&) const override {}

 private:
  std::uint32_t first_;
};

Split two_cases() {
  using testing::event_of;
  const std::vector<HistoryEvent> history{event_of(0)};
  Split split(testing::make_histories({history, history}, 2, 4), "two persons");
  const ItemIndex one{1}, two{2};
  split.add_case({.history = history, .truth = {&one, 1}, .user = UserIndex{0}});
  const std::vector<ItemIndex> both{one, two};
  split.add_case({.history = history, .truth = both, .user = UserIndex{1}});
  return split;
}

TEST(SplitValidator, KeepsTheBestAndLosesPatience) {
  const Split split = two_cases();
  const std::vector<std::uint32_t> counts{2, 0, 0, 0};
  SplitValidator::Options options;
  options.metric = "recall@2";
  options.patience = 2;
  auto validator = SplitValidator::create(split, counts, options);
  ASSERT_TRUE(validator.ok());
  const testing::QuietRun run;
  struct Step {
    std::uint32_t item;
    bool best, go_on;
  };
  for (const Step& step :
       {Step{2, true, true}, {1, true, true}, {2, false, true}, {1, false, false}}) {
    const auto answer = validator->measure(run, Fixed(step.item));
    ASSERT_TRUE(answer.ok());
    EXPECT_EQ(answer->best, step.best);
    EXPECT_EQ(answer->go_on, step.go_on);
  }
  EXPECT_DOUBLE_EQ(validator->best(), 0.75);
  EXPECT_EQ(validator->best_measurement(), 2);
}

TEST(SplitValidator, GoesOnFromItsState) {
  const Split split = two_cases();
  const std::vector<std::uint32_t> counts{2, 0, 0, 0};
  const SplitValidator::Options options{.metric = "recall@2", .patience = 2};
  auto whole = SplitValidator::create(split, counts, options);
  const testing::QuietRun run;
  for (const std::uint32_t item : {2u, 1u, 2u, 1u}) {
    auto resumed = SplitValidator::create(split, counts, options);
    ASSERT_TRUE(resumed->restore(whole->state()).ok());
    EXPECT_EQ(resumed->state(), whole->state());
    const auto expected = whole->measure(run, Fixed(item));
    const auto answer = resumed->measure(run, Fixed(item));
    EXPECT_EQ(answer->best, expected->best);
    EXPECT_EQ(answer->go_on, expected->go_on);
    EXPECT_EQ(resumed->best_measurement(), whole->best_measurement());
  }
  for (const Value& wrong : {Value(), Value(1), Value(Table{{"best", 0.5}}),
                             Value(Table{{"best", 0.5}, {"best_at", 2}, {"measured", 1}}),
                             Value(Table{{"best", "x"}, {"best_at", 1}, {"measured", 1}})}) {
    const Status restored = whole->restore(wrong);
    ASSERT_FALSE(restored.ok());
    EXPECT_EQ(restored.error().code, Code::kCorrupt);
  }
  const auto other = SplitValidator::create(split, counts, {.metric = "ndcg@2"});
  EXPECT_FALSE(other->state() == SplitValidator::create(split, counts, options)->state());
}

TEST(SplitValidator, AMetricIsAName) {
  const Split split = two_cases();
  SplitValidator::Options options;
  for (const char* metric : {"ndcg", "@20", "ndcg@"}) {
    options.metric = metric;
    EXPECT_FALSE(SplitValidator::create(split, {}, options).ok()) << metric;
  }
  options.metric = "nonsense@20";
  const std::vector<std::uint32_t> counts{2, 0, 0, 0};
  auto validator = SplitValidator::create(split, counts, options);
  ASSERT_TRUE(validator.ok());
  const testing::QuietRun run;
  EXPECT_EQ(validator->measure(run, Fixed(1)).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace vitrine

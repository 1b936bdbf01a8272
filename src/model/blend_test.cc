#include "model/blend.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "model/blend_members.h"
#include "model/ease.h"
#include "model/item_knn.h"
#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::QuietRun;

std::unique_ptr<const Model> fit(const Table& options, const Histories& histories) {
  return testing::fit_on(fit_blend, options, histories);
}

std::string error_of(const Table& options) {
  const auto completed = complete_blend(options);
  return completed.ok() ? "" : completed.error().message;
}

std::vector<Candidate> sorted(std::vector<Candidate> list) {
  std::sort(list.begin(), list.end(), better);
  return list;
}

// The slow, obvious blend: every item's score from every member, then a full sort.
std::vector<Candidate> oracle(const std::vector<const Model*>& members,
                              const std::vector<float>& weights, bool ranks, int depth,
                              const Query& query, std::uint32_t items) {
  std::vector<float> sums(items);
  std::vector<bool> listed(items);
  for (std::size_t m = 0; m < members.size(); ++m) {
    const auto best = testing::list_of(*members[m], query, depth);
    for (const Candidate& c : testing::list_of(*members[m], query, static_cast<int>(items))) {
      listed[raw(c.item)] = !ranks || listed[raw(c.item)];
    }
    const std::vector<float> scores = testing::scores_of(*members[m], query, items);
    double mean = 0, variance = 0, largest = 0;
    for (const Candidate& c : best) {
      mean += c.score / static_cast<double>(best.size());
      largest = std::max<double>(largest, std::abs(c.score));
    }
    for (const Candidate& c : best) {
      variance += (c.score - mean) * (c.score - mean) / static_cast<double>(best.size());
    }
    double deviation = std::sqrt(variance);
    if (deviation <= 1e-4 * largest) deviation = largest;
    for (std::uint32_t i = 0; !ranks && i < items; ++i) {
      if (deviation > 0) sums[i] += static_cast<float>(weights[m] * scores[i] / deviation);
    }
    for (std::size_t p = 0; ranks && p < best.size(); ++p) {
      sums[raw(best[p].item)] += weights[m] / (61 + static_cast<float>(p));
      listed[raw(best[p].item)] = true;
    }
  }
  std::vector<Candidate> all;
  for (std::uint32_t i = 0; i < items; ++i) {
    if (listed[i]) all.push_back({ItemIndex{i}, sums[i]});
  }
  return sorted(std::move(all));
}

// Lists that agree up to rounding: the same scores place by place.
bool agree(const std::vector<Candidate>& a, const std::vector<Candidate>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!testing::near(a[i].score, b[i].score, 1e-4)) return false;
  }
  return true;
}

TEST(Blend, IsTheWeightedSumOfItsMembers) {
  const auto property = [](bool ranks) {
    const Histories histories = testing::arbitrary_histories();
    const auto query_items =
        *rc::gen::container<std::vector<std::uint32_t>>(3, rc::gen::inRange<std::uint32_t>(0, 10));
    std::vector<HistoryEvent> history;
    for (const std::uint32_t i : query_items) history.push_back(event_of(i));
    Query query;
    query.history = history;
    const auto blend = fit({{"weights", List{"item_knn=2", "ease=0.5"}},
                            {"normalize", ranks ? "rank" : "score"},
                            {"depth", 10}},
                           histories);
    const auto knn = testing::fit_on(fit_item_knn, ItemKnnOptions{}, histories);
    const auto ease = testing::fit_on(fit_ease, EaseOptions{}, histories);
    const auto expected = oracle({knn.get(), ease.get()}, {2, 0.5f}, ranks, 10, query, 8);
    const auto found = testing::list_of(*blend, query, 20);
    RC_ASSERT(agree(found, expected));
  };
  EXPECT_TRUE(rc::check("scores", [&] { property(false); }));
  EXPECT_TRUE(rc::check("ranks", [&] { property(true); }));
}

// 60 persons, 400 items, histories that overlap.
Histories wide_histories() {
  const Random random(5);
  std::vector<std::vector<HistoryEvent>> rows(60);
  std::uint64_t draw = 0;
  for (auto& row : rows) {
    for (int e = 0; e < 30; ++e) {
      const double u = random.uniform(draw++);
      row.push_back(event_of(static_cast<std::uint32_t>(u * u * 400)));
    }
  }
  return testing::make_histories(rows, 60, 400);
}

// Lists that are read in part are the beginning of the whole, whatever the mask hides.
TEST(Blend, ReadsAsFarAsTheMaskNeeds) {
  const Histories histories = wide_histories();
  const auto blend = fit({{"members", List{"item_knn", "ease", "popularity"}},
                          {"weights", List{"item_knn=1", "ease=1", "popularity=0.3"}},
                          {"depth", 10}},
                         histories);
  const Random random(6);
  for (std::size_t r = 0; r < 20; ++r) {
    Query query;
    query.history = histories.row(r);
    const auto all = testing::list_of(*blend, query, 1000);
    EXPECT_GT(all.size(), 300u);
    for (const std::uint64_t share : {1u, 2u, 20u, 100u}) {
      Bitmap allowed(400);
      for (std::uint32_t i = 0; i < 400; ++i) allowed.set(i, random.below(400 * r + i, share) == 0);
      ItemMask mask;
      mask.allowed = &allowed;
      std::vector<Candidate> expected;
      for (const Candidate& c : all) {
        if (mask.allows(c.item) && expected.size() < 5) expected.push_back(c);
      }
      EXPECT_EQ(testing::list_of(*blend, query, 5, mask), expected);
    }
  }
}

TEST(Blend, LearnsWhichMemberIsRight) {
  // Pairs of items follow each other; popularity knows nothing of it.
  std::vector<std::vector<HistoryEvent>> rows;
  for (std::uint32_t p = 0; p < 200; ++p) {
    const std::uint32_t a = 2 * (p % 20), b = 2 * (p * 7 % 20);
    rows.push_back({event_of(b), event_of(b + 1), event_of(a), event_of(a + 1)});
  }
  const Histories histories = testing::make_histories(rows, 200, 40);
  const QuietRun run;
  const Interactions interactions = build_interactions(histories, {});
  const Catalogue catalogue;
  auto setup = read_blend({{"members", List{"popularity", "item_knn"}}});
  ASSERT_TRUE(setup.ok());
  const auto weights = learn_weights(run, setup->options, setup->members,
                                     TrainingSet{histories, interactions, catalogue});
  ASSERT_TRUE(weights.ok()) << weights.error().message;
  EXPECT_GT((*weights)[1], 2 * (*weights)[0]);
  EXPECT_EQ(setup->members[0].model, nullptr);
}

// Sessions that come back to their first item: the questions, and with them the weights, are others
// where items of the history may be the answer.
TEST(Blend, LearnsFromPrefixesWithAndWithoutRepeats) {
  std::vector<std::vector<HistoryEvent>> rows;
  for (std::uint32_t p = 0; p < 200; ++p) {
    const std::uint32_t own = p * 7 % 20, pair = 20 + 2 * (p % 10);
    rows.push_back({event_of(own), event_of(pair), event_of(pair + 1), event_of(own)});
    for (std::uint32_t e = 0; e < 4; ++e) rows.back()[e].group = e;
  }
  const Histories histories = testing::make_histories(rows, 0, 40);
  const QuietRun run;
  const Interactions interactions = build_interactions(histories, {});
  const Catalogue catalogue;
  const auto learned = [&](const char* repeat) {
    auto setup = read_blend(
        {{"members", List{"basket", "item_knn"}}, {"validation", "prefixes"}, {"repeat", repeat}});
    VT_CHECK(setup.ok());
    const auto weights = learn_weights(run, setup->options, setup->members,
                                       TrainingSet{histories, interactions, catalogue});
    VT_CHECK(weights.ok());
    return (*weights)[0] / (*weights)[1];
  };
  EXPECT_NE(learned("always"), learned("never"));
}

// The members that are asked are fitted on what the final ones are: of old events, which mislead
// here, little is left.
TEST(Blend, LearnsOnInteractionsMergedAsTheFinalOnes) {
  std::vector<std::vector<HistoryEvent>> rows;
  for (std::uint32_t p = 0; p < 200; ++p) {
    const std::uint32_t a = 2 * (p % 20), b = 2 * (p * 7 % 20);
    rows.push_back({event_of(a), event_of((a + 3) % 40), event_of(b), event_of((b + 7) % 40),
                    event_of(b), event_of(b + 1), event_of(a), event_of(a + 1)});
    for (std::size_t e = 0; e < 8; ++e) {
      rows.back()[e].time = static_cast<Timestamp>(e < 4 ? e : 100 + e) * kDay;
    }
  }
  const Histories histories = testing::make_histories(rows, 200, 40);
  const QuietRun run;
  const Catalogue catalogue;
  const auto learned = [&](const InteractionOptions& merge) {
    const Interactions interactions = build_interactions(histories, merge);
    auto setup = read_blend({{"members", List{"popularity", "ease"}}});
    VT_CHECK(setup.ok());
    const auto weights =
        learn_weights(run, setup->options, setup->members,
                      TrainingSet{histories, interactions, catalogue, nullptr, nullptr, merge});
    VT_CHECK(weights.ok());
    return (*weights)[1] / (*weights)[0];
  };
  InteractionOptions fading;
  fading.binary = false;
  InteractionOptions lasting = fading;
  fading.half_life_days = 5;
  EXPECT_NE(learned(fading), learned(lasting));
}

TEST(Blend, HoldsFewerListsWhereTheyAreLong) {
  EXPECT_EQ(queries_at_once(10), 256u);
  EXPECT_EQ(queries_at_once(500), 256u);
  EXPECT_EQ(queries_at_once(100'000), 2u);
}

TEST(Blend, WeighsAllTheSameWhereNothingCanBeHeldOut) {
  const Histories histories = testing::make_histories({{event_of(0), event_of(1)}}, 1, 2);
  const auto learned = fit({}, histories);
  const auto equal = fit({{"weights", List{"item_knn=1", "ease=1"}}}, histories);
  const HistoryEvent seen = event_of(0);
  EXPECT_EQ(testing::scores_of(*learned, {&seen, 1}, 2), testing::scores_of(*equal, {&seen, 1}, 2));
}

TEST(Blend, MembersHaveSettingsOfTheirOwn) {
  const auto completed =
      complete_blend({{"members", Table{{"ease", Table{{"lambda", 7.0}}},
                                        {"near", Table{{"kind", "item_knn"}}}}}});
  ASSERT_TRUE(completed.ok()) << completed.error().message;
  const Table& members = *completed->find("members")->as_table();
  EXPECT_EQ(*members.find("ease")->as_table()->find("lambda"), Value(7.0));
  EXPECT_EQ(*members.find("near")->as_table()->find("kind"), Value("item_knn"));
  EXPECT_NE(members.find("near")->as_table()->find("neighbours"), nullptr);
  EXPECT_EQ(*complete_blend(*completed), *completed);
}

TEST(Blend, SaysWhatIsWrong) {
  const auto expect = [](const Table& options, std::string_view part) {
    const std::string message = error_of(options);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect({{"members", List{"item_knn", "eese"}}}, "did you mean \"ease\"");
  expect({{"members", List{"ease", "ease"}}}, "twice");
  expect({{"members", List{}}}, "1 to 32");
  expect({{"members", 3}}, "list of strings");
  expect({{"members", Table{{"ease", Table{{"lamda", 1.0}}}}}}, "did you mean 'lambda'");
  expect({{"members", Table{{"ease", 3}}}}, "table of settings");
  expect({{"members", Table{{"a/b", Table{{"kind", "ease"}}}}}}, "letters");
  expect({{"weights", List{"ease=1"}}}, "'item_knn' has none");
  expect({{"weights", List{"ease=1", "item_kn=1"}}}, "did you mean 'item_knn'");
  expect({{"weights", List{"ease=x", "item_knn=1"}}}, "name=number");
  expect({{"weights", List{"ease=0", "item_knn=0"}}}, "above 0");
  expect({{"weights", List{"ease=1e-50", "item_knn=1e-50"}}}, "above 0");
  expect({{"normalise", "rank"}}, "did you mean 'normalize'");
}

TEST(Blend, ErrorsOfMembersPassThrough) {
  std::vector<std::vector<HistoryEvent>> rows(1);
  for (std::uint32_t i = 0; i < 700; ++i) rows[0].push_back(event_of(i));
  const Histories histories = testing::make_histories(rows, 1, 700);
  const QuietRun run;
  const Interactions interactions = build_interactions(histories, {});
  const Catalogue catalogue;
  const auto blend = fit_blend(
      run,
      {{"members", Table{{"ease", Table{{"memory_limit_mb", 1}}}}}, {"weights", List{"ease=1"}}},
      TrainingSet{histories, interactions, catalogue});
  ASSERT_FALSE(blend.ok());
  EXPECT_EQ(blend.error().code, Code::kExhausted);
  EXPECT_NE(blend.error().message.find("blend member 'ease'"), std::string::npos);
}

}  // namespace
}  // namespace vitrine

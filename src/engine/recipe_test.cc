#include "engine/recipe.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/toml.h"
#include "data/histories_testing.h"
#include "engine/recipe_run.h"
#include "tests/memory_files.h"

namespace vitrine {
namespace {

using ::testing::HasSubstr;
using testing::QuietRun;

constexpr const char* kHead =
    "name = 'a recipe'\nmetrics = ['ndcg@10']\nmodel = 'item_knn'\n"
    "[train]\npath = 'train.csv'\nuser = 'user'\nitem = 'item'\ndefault_type = 'view'\n";

std::string message(const std::string& text) {
  const auto table = parse_toml(text, "r.toml");
  if (!table.ok()) return table.error().message;
  const auto recipe = recipe_from_table(*table, "r.toml");
  return recipe.ok() ? "no error" : recipe.error().message;
}

TEST(Recipe, MistakesNameFileSectionAndKey) {
  EXPECT_EQ(message(kHead), "no error");
  EXPECT_THAT(message(""), HasSubstr("r.toml: "));
  EXPECT_THAT(message("name = 'x'\n"), HasSubstr("metrics must be a list of names"));
  EXPECT_THAT(message("name = 'x'\nmetrics = ['ndcg@10']\n"), HasSubstr("[train] is missing"));
  EXPECT_THAT(message(std::string("seed = 3\n") + kHead), HasSubstr("did you mean 'seeds'?"));
  EXPECT_THAT(message(std::string("compare_to = 'bset'\n") + kHead),
              HasSubstr("compare_to: no row is named \"bset\"; there are best"));
  EXPECT_THAT(message(std::string("seeds = 0\n") + kHead), HasSubstr("seeds must be from 1"));
  EXPECT_THAT(message(std::string(kHead) + "[split]\nkindd = 'time'\n"),
              HasSubstr("r.toml: [split] unknown key 'kindd', did you mean 'kind'?"));
  EXPECT_THAT(message(std::string(kHead) + "[test]\nuser = 'user'\n"),
              HasSubstr("[test] has no path"));
  EXPECT_THAT(message(std::string(kHead) + "[options]\nneighbors = 3\n"),
              HasSubstr("options of item_knn"));
  EXPECT_THAT(message(std::string(kHead) + "[tune]\nneighbours = 3\n"),
              HasSubstr("[tune] neighbours must list its values"));
  EXPECT_THAT(message(std::string(kHead) + "[folds]\ncount = 1\n"),
              HasSubstr("count must be at least 2"));
  EXPECT_THAT(message(std::string(kHead) + "[folds]\ncount = 3\nfiles = ['a']\n"),
              HasSubstr("exclude one another"));
  EXPECT_THAT(message(std::string(kHead) + "[negatives]\npath = 'n.csv'\n"),
              HasSubstr("[negatives] context must name the one column"));
  EXPECT_THAT(message(std::string(kHead) + "[[models]]\nname = 'item_knn'\n"),
              HasSubstr("two models are named \"item_knn\""));
  EXPECT_THAT(message(std::string(kHead) + "[[models]]\nname = 'b'\nkindd = 'ease'\n"),
              HasSubstr("[[models]] 1: row unknown key 'kindd', did you mean 'kind'?"));
  EXPECT_THAT(message(std::string(kHead) + "[[models]]\nname = 'eese'\n"),
              HasSubstr("unknown model \"eese\""));
  EXPECT_THAT(message(std::string(kHead) + "[[published]]\nname = 'x'\n"),
              HasSubstr("[[published]] 1: 'source' is missing"));
}

TEST(Recipe, APublishedRowMayLackAMetric) {
  const auto table = parse_toml(
      std::string(kHead) + "[[published]]\nname = 'x'\nsource = 'y'\n'recall@5' = 0.5\n", "");
  const auto recipe = recipe_from_table(*table, "r.toml");
  ASSERT_TRUE(recipe.ok()) << recipe.error().message;
  EXPECT_EQ(recipe->published[0].values, std::vector<std::optional<double>>{std::nullopt});
  EXPECT_EQ(recipe->choose_by, "ndcg@10");
}

TEST(Recipe, AllOfOursCanBeRead) {
  const std::string folder = VITRINE_SOURCE_DIR "/bench/accuracy";
  const auto names = real_files().list(folder);
  ASSERT_TRUE(names.ok()) << names.error().message;
  EXPECT_GT(names->size(), 4u);
  for (const std::string& name : *names) {
    const auto recipe = read_recipe(real_files(), folder + "/" + name);
    EXPECT_TRUE(recipe.ok()) << recipe.error().message;
  }
}

// Twenty persons who take the items of one of two halves of the catalogue, one after the other.
std::string events(int first, int last, bool test) {
  std::string text = "user,item,time,rating\n";
  for (int u = 0; u < 20; ++u) {
    for (int i = first; i < last; ++i) {
      const int item = (u % 2) * 10 + (u / 2 + i * (test ? 1 : 1)) % 10;
      text += fmt::format("u{},i{},{},{}\n", u, item, 1'600'000'000 + i * 86'400, 1 + item % 5);
    }
  }
  return text;
}

class RecipeRun : public ::testing::Test {
 protected:
  RecipeRun() {
    files_.put("data/train.csv", events(0, 6, false));
    files_.put("data/test.csv", events(6, 8, true));
    files_.put("data/validation.csv", events(5, 6, true));
    std::string negatives = "user,item,negatives\n";
    for (int u = 0; u < 20; ++u)
      negatives += fmt::format("u{},i0,i{} i{}\n", u, u % 2 ? 1 : 11, 25);
    files_.put("data/negatives.csv", negatives);
  }
  Recipe recipe(const std::string& more, const std::string& top = "") {
    const auto table =
        parse_toml(top + kHead + "time = 'time'\nvalue = 'rating'\n" + more, "r.toml");
    EXPECT_TRUE(table.ok()) << table.error().message;
    auto parsed = recipe_from_table(*table, "r.toml");
    EXPECT_TRUE(parsed.ok()) << parsed.error().message;
    return std::move(parsed).value();
  }
  static std::string source(const std::string& section, const std::string& file) {
    return "[" + section + "]\npath = '" + file +
           "'\nuser = 'user'\nitem = 'item'\ntime = 'time'\nvalue = 'rating'\n"
           "default_type = 'view'\n";
  }
  MemoryFiles files_;
  QuietRun run_;
};

TEST_F(RecipeRun, GivenFilesAskTheTestPart) {
  const Recipe given = recipe(source("test", "test.csv"));
  const auto table = run_recipe(run_, files_, given, "data");
  ASSERT_TRUE(table.ok()) << table.error().message;
  ASSERT_EQ(table->rows.size(), 1u);
  EXPECT_EQ(table->rows[0].cases, 20u);
  EXPECT_EQ(table->train_events, 120u);
  EXPECT_GT(table->rows[0].find("ndcg@10")->mean, 0.5);
  EXPECT_TRUE(table->compared_to.empty());
  const auto again = run_recipe(run_, files_, given, "data");
  EXPECT_EQ(again->rows[0].find("ndcg@10")->mean, table->rows[0].find("ndcg@10")->mean);
  const auto absent = run_recipe(run_, files_, given, "elsewhere");
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code, Code::kNotFound);
  EXPECT_THAT(absent.error().message, HasSubstr("r.toml: train.csv is not in elsewhere"));
  EXPECT_THAT(absent.error().message, HasSubstr("VITRINE_DATA"));
}

TEST_F(RecipeRun, AValidationFileIsAskedWhenTuningAndFittedForTheTest) {
  const Recipe three = recipe(source("validation_source", "validation.csv") +
                              source("test", "test.csv") + "[tune]\nneighbours = [1, 5]\n");
  const auto table = run_recipe(run_, files_, three, "data");
  ASSERT_TRUE(table.ok()) << table.error().message;
  EXPECT_EQ(table->train_events, 140u);
  const auto inner = recipe_splits(run_, files_, three, "data", RecipePart::kValidation);
  ASSERT_TRUE(inner.ok()) << inner.error().message;
  EXPECT_EQ(inner->splits[0].train().size(), 120u);
  EXPECT_EQ(inner->splits[0].cases(), 20u);
  Recipe untested = three;  // tuning does not open the test file
  untested.test->path = "absent.csv";
  untested.evaluate.repeat = "always";
  const auto search = tune_recipe(run_, files_, untested, "data");
  ASSERT_TRUE(search.ok()) << search.error().message;
  EXPECT_GE(search->front().fits, 3);
}

TEST_F(RecipeRun, AValidationFileIsAskedAsTheTestFileIs) {
  files_.put("data/validation.csv", events(3, 6, true));
  const std::string files = source("validation_source", "validation.csv") +
                            source("test", "test.csv") + "[tune]\nneighbours = [1, 5]\n";
  const Recipe whole = recipe(files), prefixes = recipe(files + "[split]\nkind = 'prefixes'\n");
  const auto cases = [&](const Recipe& of) {
    const auto splits = recipe_splits(run_, files_, of, "data", RecipePart::kValidation);
    EXPECT_TRUE(splits.ok()) << splits.error().message;
    return splits->splits[0].cases();
  };
  EXPECT_EQ(cases(whole), 20u);
  EXPECT_EQ(cases(prefixes), 40u);  // after the first and after the second event of three
}

TEST_F(RecipeRun, TimeSplitsHaveTheListsForEverybodyInFront) {
  const Recipe timed =
      recipe("[split]\nkind = 'time'\ntest_share = 0.3\n", "compare_to = 'best'\n");
  const auto table = run_recipe(run_, files_, timed, "data");
  ASSERT_TRUE(table.ok()) << table.error().message;
  ASSERT_EQ(table->rows.size(), 3u);
  EXPECT_EQ(table->rows[0].name, "popularity");
  EXPECT_EQ(table->rows[1].name, "popularity_7d");
  EXPECT_EQ(table->compared_to, "item_knn");
  ASSERT_TRUE(table->rows[0].comparison.has_value());
  EXPECT_LT(table->rows[0].comparison->difference, 0);
  EXPECT_FALSE(table->rows[2].comparison.has_value());
}

TEST_F(RecipeRun, SeedsAndFoldsAreAveraged) {
  const Recipe folds = recipe("[folds]\ncount = 3\n[evaluate]\nratings = true\n", "seeds = 2\n");
  const auto table = run_recipe(run_, files_, folds, "data");
  ASSERT_TRUE(table.ok()) << table.error().message;
  EXPECT_EQ(table->folds, 3u);
  const RecipeValue& ndcg = *table->rows[0].find("ndcg@10");
  ASSERT_EQ(ndcg.by_run.size(), 6u);
  double sum = 0;
  for (const double value : ndcg.by_run) sum += value;
  EXPECT_NEAR(ndcg.mean, sum / 6, 1e-12);
  EXPECT_EQ(ndcg.spread, 0);  // item_knn draws nothing
  EXPECT_NE(table->rows[0].find("rmse"), nullptr);
}

TEST_F(RecipeRun, GivenFoldsLeaveTheirPairsOut) {
  const Recipe folds = recipe("[folds]\nfiles = ['validation.csv']\n");
  const auto table = run_recipe(run_, files_, folds, "data");
  ASSERT_TRUE(table.ok()) << table.error().message;
  EXPECT_EQ(table->train_events, 100u);
  EXPECT_EQ(table->rows[0].cases, 20u);
}

TEST_F(RecipeRun, ListedNegativesAreSampledMetrics) {
  Recipe sampled = recipe(source("test", "test.csv") +
                          "[negatives]\npath = 'negatives.csv'\nuser = 'user'\nitem = 'item'\n"
                          "default_type = 'view'\ncontext = ['negatives']\n");
  EXPECT_THAT(run_recipe(run_, files_, sampled, "data").error().message,
              HasSubstr("\"ndcg@10\" is not measured"));
  sampled.metrics = {"sampled_ndcg@10"};
  const auto table = run_recipe(run_, files_, sampled, "data");
  ASSERT_TRUE(table.ok()) << table.error().message;
  EXPECT_GT(table->rows[0].find("sampled_ndcg@10")->mean, 0.8);
}

TEST_F(RecipeRun, WeightsOfARowChangeWhatItSeesAndNotWhomItIsAsked) {
  const Recipe weighted = recipe(source("test", "test.csv") +
                                 "[[models]]\nname = 'blind'\nkind = 'item_knn'\n"
                                 "weights = ['view=0']\n");
  const auto table = run_recipe(run_, files_, weighted, "data");
  ASSERT_TRUE(table.ok()) << table.error().message;
  ASSERT_EQ(table->rows.size(), 2u);
  EXPECT_EQ(table->rows[1].cases, table->rows[0].cases);
  EXPECT_EQ(table->rows[1].find("ndcg@10")->mean, 0);
  EXPECT_LT(table->rows[1].comparison->high, 0);
}

}  // namespace
}  // namespace vitrine

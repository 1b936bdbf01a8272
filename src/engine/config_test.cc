#include "engine/config.h"

#include <gtest/gtest.h>

#include "base/toml.h"

namespace vitrine {
namespace {

Result<Config> parse(std::string_view text) {
  VT_TRY(const Table table, parse_toml(text, "vitrine.toml"));
  return config_from_table(table, "shops/vitrine.toml");
}

std::string message(std::string_view text) {
  auto config = parse(text);
  return config.ok() ? "no error" : config.error().message;
}

TEST(Config, NothingConfiguredIsSomethingSensible) {
  auto config = parse("");
  ASSERT_TRUE(config.ok()) << config.error().message;
  std::vector<std::string> names;
  for (const ModelConfig& model : config->models) names.push_back(model.name);
  EXPECT_EQ(names, (std::vector<std::string>{"popularity", "item_knn", "ease", "together"}));
  ASSERT_EQ(config->placements.size(), 1u);
  EXPECT_EQ(config->placements[0].name, "home");
}

TEST(Config, WrongNamesNameTheNearest) {
  EXPECT_EQ(message("[trian]\n"),
            "shops/vitrine.toml: [trian] is no section; did you mean [train]?");
  EXPECT_NE(message("[train]\nmodells = []\n").find("models"), std::string::npos);
  EXPECT_NE(message("[models.eas]\n").find("ease"), std::string::npos);
  EXPECT_NE(message("[models.ease]\nregularisation_x = 1\n").find("models.ease"),
            std::string::npos);
  EXPECT_EQ(message("[models.ease]\n[placements.home]\nmodels = ['eese']\n"),
            "shops/vitrine.toml: [placements.home] models: there is no model 'eese'; did you mean "
            "'ease'?");
  EXPECT_NE(message("[train]\nmetric = 'ndcg'\n").find("ndcg@20"), std::string::npos);
  EXPECT_NE(message("[histories]\nweights = ['purchase:2']\n").find("type=weight"),
            std::string::npos);
  EXPECT_NE(message("[histories]\nweights = ['purchse=2']\n").find("purchase"), std::string::npos);
  EXPECT_NE(message("sources = 3\n").find("[[sources]]"), std::string::npos);
  EXPECT_NE(message("[[sources]]\nkind = 'items'\n").find("has no path"), std::string::npos);
  EXPECT_NE(message("shop = 3\n").find("expected a section"), std::string::npos);
  EXPECT_NE(message("[models.'../x']\nkind = 'ease'\n").find("letters"), std::string::npos);
}

TEST(Config, TheWholeTableReadsBackAsItself) {
  auto config = parse(
      "[shop]\nseed = 7\nevent_types = ['wish']\n[histories]\nweights = ['wish=0.5']\n"
      "[models.fast]\nkind = 'item_knn'\n[models.popularity]\n"
      "[placements.cart]\nmodels = ['fast']\nweights = ['fast=2']\n"
      "[[sources]]\npath = 'events.csv'\n");
  ASSERT_TRUE(config.ok()) << config.error().message;
  const Table table = config_to_table(*config);
  auto again = config_from_table(table, "");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(config_to_table(*again), table);
  auto parsed = parse_toml(to_toml(table), "written");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  auto third = config_from_table(*parsed, "");
  ASSERT_TRUE(third.ok()) << third.error().message;
  EXPECT_EQ(config_to_table(*third), table);
}

TEST(Config, OverridesAreLaidOverTheFile) {
  auto config = read_config(real_files(), "", {"train.metric=recall@10", "shop.seed=5"});
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->train.metric, "recall@10");
  EXPECT_EQ(config->shop.seed, 5);
  auto wrong = read_config(real_files(), "", {"train.metric"});
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.error().message.find("section.key=value"), std::string::npos);
  auto missing = read_config(real_files(), "no/such.toml", {});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, Code::kNotFound);
}

TEST(Config, PathsAreRelativeToTheFile) {
  auto config = parse("");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->resolve("data/x.csv"), "shops/data/x.csv");
  EXPECT_EQ(config->resolve("/data/x.csv"), "/data/x.csv");
  config->path = "vitrine.toml";
  EXPECT_EQ(config->resolve("data/x.csv"), "data/x.csv");
  config->path = "/vitrine.toml";
  EXPECT_EQ(config->resolve("x.csv"), "/x.csv");
}

TEST(Config, EverySectionIsDescribed) {
  const std::string text = configuration_markdown();
  for (const auto& [name, fields] : describe_config()) {
    EXPECT_FALSE(fields.empty()) << name;
    for (const FieldDoc& field : fields)
      EXPECT_FALSE(field.help.empty()) << name << "." << field.name;
    if (name != "sources") {
      EXPECT_NE(text.find("## [" + name + "]"), std::string::npos) << name;
    }
  }
}

}  // namespace
}  // namespace vitrine

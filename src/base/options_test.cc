#include "base/options.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/toml.h"

namespace vitrine {
namespace {

struct Options {
  int k = 100;
  std::int64_t seed = 1;
  float shrinkage = 0.003F;
  double alpha = 1;
  bool fast = false;
  std::string solver = "cg";
  std::string folder = "shop";
  std::vector<std::string> models;
  int free = 0;
  bool operator==(const Options&) const = default;
  static constexpr auto fields() {
    using O = Options;
    return std::tuple{
        Field{"k", &O::k, 1, 10000, "neighbours"},
        Field{"seed", &O::seed, std::int64_t{0}, std::int64_t{1} << 62, "one seed, same bytes"},
        Field{"shrinkage", &O::shrinkage, 0.001F, 0.1F, "pulls rare pairs down"},
        Field{"alpha", &O::alpha, 0.0, 1e3, "weight"},
        Field{"fast", &O::fast, "skip the checks"},
        Field{"solver", &O::solver, "cg|exact", "how a row is solved"},
        Field{"folder", &O::folder, "where"},
        Field{"models", &O::models, "which"},
        Field{"free", &O::free, "any whole number"}};
  }
};

Result<Options> read(std::string_view toml) {
  VT_TRY(const Table table, parse_toml(toml, "test"));
  return read_options<Options>(table, "[models.item_knn]");
}

std::string message(std::string_view toml) {
  const auto options = read(toml);
  return options.ok() ? "accepted" : options.error().message;
}

TEST(Options, OverwriteDefaults) {
  EXPECT_EQ(read("").value(), Options());
  const Options options = read(R"(k = 7
seed = 4611686018427387904
shrinkage = 0.1
alpha = 3
fast = true
solver = "exact"
folder = ""
models = ["ease", "als"]
free = -2147483648)")
                              .value();
  EXPECT_EQ(options.k, 7);
  EXPECT_EQ(options.seed, std::int64_t{1} << 62);
  EXPECT_EQ(options.shrinkage, 0.1F);
  EXPECT_EQ(options.alpha, 3.0);
  EXPECT_TRUE(options.fast);
  EXPECT_EQ(options.solver, "exact");
  EXPECT_EQ(options.folder, "");
  EXPECT_EQ(options.models, (std::vector<std::string>{"ease", "als"}));
  EXPECT_EQ(options.free, std::numeric_limits<int>::min());
}

TEST(Options, ErrorsNameThePlaceAndTheRemedy) {
  const std::string at = "[models.item_knn] ";
  EXPECT_EQ(message("k = 0"), at + "k: 0 is out of range, expected 1 to 10000");
  EXPECT_EQ(message("k = 1.0"), at + "k: 1 has the wrong type, expected a whole number");
  EXPECT_EQ(message("k = \"many\""), at + "k: 'many' has the wrong type, expected a whole number");
  EXPECT_EQ(message("kk = 1"),
            at + "unknown key 'kk', expected one of k, seed, shrinkage, alpha, fast, solver, "
                 "folder, models, free");
  EXPECT_EQ(message("shrinkge = 1"), at + "unknown key 'shrinkge', did you mean 'shrinkage'?");
  EXPECT_EQ(message("seed = 4611686018427387905"),
            at + "seed: 4611686018427387905 is out of range, expected 0 to 4611686018427387904");
  EXPECT_EQ(message("shrinkage = 0.2"),
            at + "shrinkage: 0.2 is out of range, expected 0.001 to 0.1");
  EXPECT_EQ(message("alpha = nan"), at + "alpha: nan is out of range, expected 0 to 1000");
  EXPECT_EQ(message("fast = 1"), at + "fast: 1 has the wrong type, expected true or false");
  EXPECT_EQ(
      message("solver = \"exat\""),
      at + "solver: 'exat' is not a choice, expected one of cg, exact (did you mean 'exact'?)");
  EXPECT_EQ(message("models = \"ease\""),
            at + "models: 'ease' has the wrong type, expected a list of strings");
  EXPECT_EQ(message("models = [1]"),
            at + "models: a list has the wrong type, expected a list of strings");
  EXPECT_EQ(message("free = 2147483648"),
            at + "free: 2147483648 is out of range, expected -2147483648 to 2147483647");
  EXPECT_EQ(message("\"a\\u001B[2J\" = 1").find('\x1B'), std::string::npos);
}

TEST(Options, WrittenAndReadBackAreTheSame) {
  EXPECT_TRUE(rc::check([] {
    Options options;
    options.k = *rc::gen::inRange(1, 10001);
    options.seed = *rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 62);
    options.shrinkage = 0.001F + 0.0001F * static_cast<float>(*rc::gen::inRange(0, 900));
    options.alpha = *rc::gen::inRange(0, 1000000) / 1001.0;
    options.fast = *rc::gen::arbitrary<bool>();
    options.models = *rc::gen::container<std::vector<std::string>>(
        rc::gen::container<std::string>(rc::gen::inRange(' ', '~')));
    options.free = *rc::gen::arbitrary<int>();
    const Table table = write_options(options);
    RC_ASSERT(read_options<Options>(table, "x").value() == options);
    RC_ASSERT(read(to_toml(table)).value() == options);
  }));
  EXPECT_EQ(*write_options(Options()).find("shrinkage"), Value(0.003));  // not 0.00300000002
}

TEST(Options, DescribeThemselves) {
  const auto docs = describe_options<Options>();
  ASSERT_EQ(docs.size(), 9U);
  const auto check = [&](std::size_t i, std::string_view type, std::string_view default_value,
                         std::string_view range) {
    EXPECT_EQ(docs[i].type, type);
    EXPECT_EQ(docs[i].default_value, default_value);
    EXPECT_EQ(docs[i].range, range);
  };
  check(0, "integer", "100", "1 to 10000");
  check(1, "integer", "1", "0 to 4611686018427387904");
  check(2, "number", "0.003", "0.001 to 0.1");
  check(3, "number", "1.0", "0 to 1000");
  check(4, "boolean", "false", "");
  check(5, "string", "\"cg\"", "cg, exact");
  check(6, "string", "\"shop\"", "");
  check(7, "list of strings", "[]", "");
  check(8, "integer", "0", "");
  EXPECT_EQ(docs[0].name, "k");
  EXPECT_EQ(docs[0].help, "neighbours");
}

TEST(Nearest, ForgivesAThirdOfTheWord) {
  const std::vector<std::string_view> known = {"test_days", "validation_days", "kind", "k"};
  EXPECT_EQ(nearest("test_day", known), "test_days");
  EXPECT_EQ(nearest("tset_days", known), "test_days");  // one transposition, not two edits
  EXPECT_EQ(nearest("knid", known), "kind");
  EXPECT_EQ(nearest("n", known), "");
  EXPECT_EQ(nearest("train_dogs", known), "");
  EXPECT_EQ(nearest("", known), "");
  EXPECT_EQ(nearest("x", {}), "");
  EXPECT_EQ(nearest(std::string(1000000, 'x'), known), "");
  EXPECT_EQ(options_detail::unknown_key("test_day", known, "[split]").message,
            "[split] unknown key 'test_day', did you mean 'test_days'?");
}

TEST(SetPath, GuessesTheTypeAsTomlWould) {
  Table table;
  const auto set = [&](std::string_view path, std::string_view text) {
    const Status done = set_path(table, path, text);
    EXPECT_TRUE(done.ok()) << done.error().message;
  };
  set("models.item_knn.k", "100");
  set("models.item_knn.alpha", "0.5");
  set("models.ease.fast", "true");
  set("train.models", "[\"ease\", \"als\"]");
  set("name", "ndcg@20");
  set("quoted", "\"7\"");
  set("empty", "");
  set("lines", "1\nx = 2");
  set("name", "recall@20");
  EXPECT_EQ(table, (Table{{"models", Table{{"item_knn", Table{{"k", 100}, {"alpha", 0.5}}},
                                           {"ease", Table{{"fast", true}}}}},
                          {"train", Table{{"models", List{"ease", "als"}}}},
                          {"name", "recall@20"},
                          {"quoted", "7"},
                          {"empty", ""},
                          {"lines", "1\nx = 2"}}));
  EXPECT_EQ(set_path(table, "name.x", "1").error().message,
            "'name.x' cannot be set: 'name' is a string, not a table");
  for (const char* bad : {"", ".", "a.", ".a", "a..b"}) {
    EXPECT_FALSE(set_path(table, bad, "1").ok()) << bad;
  }
}

}  // namespace
}  // namespace vitrine

#include "model/proposals.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace vitrine {
namespace {

SearchSpace planted_space() {
  const ModelKind* kind = *find_model("item_knn");
  SearchSpace space;
  for (const char* range :
       {"shrinkage=0.01..100:log", "distance_decay=0..1", "person_exponent=0..1", "backward=0..1",
        "similarity=cosine|bm25|jaccard|cooccurrence"}) {
    EXPECT_TRUE(add_range(space, *kind, range).ok()) << range;
  }
  return space;
}

// A smooth hill over that space.
double planted(const Table& settings) {
  const auto number = [&](const char* key) { return settings.find(key)->number(); };
  const auto off = [](double distance) { return distance * distance; };
  return -off(std::log10(number("shrinkage")) - 1) - 4 * off(number("distance_decay") - 0.8) -
         4 * off(number("person_exponent") - 0.3) - off(number("backward") - 0.5) -
         (*settings.find("similarity") == Value("bm25") ? 0 : 0.5);
}

std::vector<Tried> search(Proposal how, std::uint64_t seed, std::size_t trials) {
  const SearchSpace space = planted_space();
  std::vector<Tried> tried;
  for (std::size_t t = 0; t < trials; ++t) {
    auto settings = propose(how, space, Random(seed), t, tried);
    EXPECT_TRUE(settings.has_value());
    const double value = planted(*settings);
    tried.push_back({std::move(*settings), value});
  }
  return tried;
}

double best_of(const std::vector<Tried>& tried) {
  double best = -std::numeric_limits<double>::infinity();
  for (const Tried& t : tried) best = std::max(best, t.value);
  return best;
}

TEST(Proposals, TpeBeatsRandomOnASmoothHill) {
  constexpr std::uint64_t kSeeds = 40;
  std::uint64_t wins = 0;
  double tpe_sum = 0, random_sum = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const double tpe = best_of(search(Proposal::kTpe, seed, 50));
    const double random = best_of(search(Proposal::kRandom, seed, 50));
    wins += tpe > random ? 1 : 0;
    tpe_sum += tpe;
    random_sum += random;
  }
  EXPECT_GT(wins, kSeeds * 3 / 4);
  EXPECT_GT(tpe_sum, random_sum / 2);  // both negative: half as far from the top
}

TEST(Proposals, DependOnSeedAndTrialAlone) {
  const auto once = search(Proposal::kTpe, 3, 20), again = search(Proposal::kTpe, 3, 20),
             other = search(Proposal::kTpe, 4, 20);
  for (std::size_t t = 0; t < once.size(); ++t) {
    EXPECT_EQ(once[t].settings, again[t].settings);
    EXPECT_NE(once[t].settings, other[t].settings);
  }
}

TEST(Proposals, NothingIsTriedTwice) {
  const ModelKind* kind = *find_model("popularity");
  SearchSpace space;
  ASSERT_TRUE(add_range(space, *kind, "window_days=0|7|14").ok());
  std::vector<Tried> tried;
  for (std::size_t t = 0; t < 3; ++t) {
    auto settings = propose(Proposal::kTpe, space, Random(1), t, tried);
    ASSERT_TRUE(settings.has_value());
    for (const Tried& before : tried) EXPECT_NE(before.settings, *settings);
    tried.push_back({std::move(*settings), 0});
  }
  EXPECT_FALSE(propose(Proposal::kTpe, space, Random(1), 3, tried).has_value());
}

TEST(Proposals, LiveWithTrialsThatCouldNotBeFitted) {
  const SearchSpace space = planted_space();
  std::vector<Tried> tried;
  for (std::size_t t = 0; t < 30; ++t) {
    auto settings = propose(Proposal::kTpe, space, Random(2), t, tried);
    ASSERT_TRUE(settings.has_value());
    tried.push_back({std::move(*settings), -std::numeric_limits<double>::infinity()});
  }
}

TEST(SearchSpace, EveryDeclaredRangeIsOneOfItsKind) {
  std::size_t dimensions = 0;
  for (const ModelKind& kind : all_models()) {
    const SearchSpace space = declared_space(kind);
    dimensions += space.dimensions.size();
    const Table defaults = *kind.complete({});
    for (const Dimension& dimension : space.dimensions) {
      EXPECT_NE(defaults.find(dimension.key), nullptr) << kind.name << " " << dimension.key;
    }
  }
  EXPECT_GT(dimensions, 20u);
}

TEST(SearchSpace, PointsAndSettingsAreTheSame) {
  const SearchSpace space = planted_space();
  for (std::uint64_t t = 0; t < 100; ++t) {
    const Table settings = *propose(Proposal::kRandom, space, Random(9), t, {});
    EXPECT_EQ(space.settings_at(space.point_of(settings)), settings);
  }
}

TEST(SearchSpace, WholeNumbersStayWhole) {
  SearchSpace space;
  ASSERT_TRUE(add_range(space, **find_model("item_knn"), "neighbours=50..2000:log").ok());
  const Dimension& neighbours = space.dimensions[0];
  EXPECT_EQ(neighbours.value_at(0), Value(50));
  EXPECT_EQ(neighbours.value_at(1), Value(2000));
  EXPECT_EQ(neighbours.value_at(0.5), Value(316));
}

TEST(SearchSpace, SaysWhatIsWrong) {
  const auto expect = [](std::string_view range, std::string_view part) {
    SearchSpace space;
    const Status status = add_range(space, **find_model("item_knn"), range);
    ASSERT_FALSE(status.ok()) << range;
    EXPECT_EQ(status.error().code, Code::kInvalid);
    EXPECT_NE(status.error().message.find(part), std::string::npos) << status.error().message;
  };
  expect("neighbours", "key=low..high");
  expect("=1..2", "key=low..high");
  expect("neighbours=", "key=low..high");
  expect("neighbours=20..10", "below");
  expect("neighbours=a..b", "numbers");
  expect("neighbours=0..10", "out of range");
  expect("neighbours=1.5..10", "whole number");
  expect("shrinkage=0..10:log", "above 0");
  expect("similarity=1..2", "string");
  expect("similarity=cosine|cosinus", "did you mean 'cosine'");
  expect("neighbour=1..2", "did you mean 'neighbours'");
}

}  // namespace
}  // namespace vitrine

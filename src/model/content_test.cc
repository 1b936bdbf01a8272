#include "model/content.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <map>

#include "data/words.h"
#include "model/model_testing.h"

namespace vitrine {
namespace {

using testing::event_of;

Histories no_events(std::uint32_t items) { return testing::make_histories({}, 0, items); }

std::unique_ptr<const Model> fit(const Catalogue& catalogue, std::uint32_t items,
                                 const ContentOptions& options = {}) {
  return testing::fit_on(fit_content, options, no_events(items), {}, catalogue);
}

// The slow, obvious one over titles: dense vectors over all words, cosine of every pair.
std::vector<std::vector<double>> cosines(const std::vector<std::string>& titles) {
  std::map<std::string, double> frequency;
  std::vector<std::map<std::string, double>> counts(titles.size());
  double described = 0;
  for (std::size_t i = 0; i < titles.size(); ++i) {
    for (const std::string& word : words_of(titles[i])) counts[i][word] += 1;
    for (const auto& [word, count] : counts[i]) frequency[word] += 1;
    described += counts[i].empty() ? 0 : 1;
  }
  std::vector<std::vector<double>> vectors;
  for (const auto& row : counts) {
    std::vector<double> vector;
    double squares = 0;
    for (const auto& [word, n] : frequency) {
      const auto at = row.find(word);
      const double tf = at == row.end() ? 0 : 1 + std::log(at->second);
      vector.push_back(tf * std::log(described / n));
      squares += vector.back() * vector.back();
    }
    for (double& x : vector) x = squares > 0 ? x / std::sqrt(squares) : 0;
    vectors.push_back(vector);
  }
  std::vector<std::vector<double>> similar(titles.size(), std::vector<double>(titles.size()));
  for (std::size_t i = 0; i < titles.size(); ++i) {
    for (std::size_t j = 0; j < titles.size(); ++j) {
      for (std::size_t t = 0; i != j && t < vectors[i].size(); ++t) {
        similar[i][j] += vectors[i][t] * vectors[j][t];
      }
    }
  }
  return similar;
}

TEST(Content, IsTheCosineOfTermVectors) {
  EXPECT_TRUE(rc::check("cosine", [] {
    const auto words = rc::gen::element<std::string>("red", "blue", "mug", "cup", "heart", "set");
    const auto titles = *rc::gen::container<std::vector<std::string>>(
        6, rc::gen::map(rc::gen::container<std::vector<std::string>>(words),
                        [](const std::vector<std::string>& some) {
                          std::string title;
                          for (std::size_t w = 0; w < std::min<std::size_t>(some.size(), 5); ++w) {
                            title += some[w] + " ";
                          }
                          return title;
                        }));
    Catalogue catalogue;
    for (std::uint32_t i = 0; i < 6; ++i) {
      Item item;
      item.title = titles[i];
      catalogue.put(ItemIndex{i}, item);
    }
    const auto model = fit(catalogue, 6);
    const auto expected = cosines(titles);
    for (std::uint32_t i = 0; i < 6; ++i) {
      const HistoryEvent seen = event_of(i);
      const auto scores = testing::scores_of(*model, {&seen, 1}, 6);
      for (std::uint32_t j = 0; j < 6; ++j) {
        RC_ASSERT(std::abs(scores[j] - expected[i][j]) < 1e-5);
      }
    }
  }));
}

TEST(Content, ReachesItemsThatNobodyTook) {
  Catalogue catalogue;
  const std::vector<std::string> titles{"red mug", "blue mug", "garden chair", "red garden bench"};
  for (std::uint32_t i = 0; i < titles.size(); ++i) {
    Item item;
    item.title = titles[i];
    catalogue.put(ItemIndex{i}, item);
  }
  const Histories histories = testing::make_histories({{event_of(0)}}, 1, 4);
  const auto model = testing::fit_on(fit_content, ContentOptions{}, histories, {}, catalogue);
  const HistoryEvent seen = event_of(0);
  Query query;
  query.history = {&seen, 1};
  const auto list = testing::list_of(*model, query, 10);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].item, ItemIndex{1});
  EXPECT_EQ(list[1].item, ItemIndex{3});
}

TEST(Content, LabelsCountAsAWhole) {
  Catalogue catalogue;
  const auto put = [&](std::uint32_t i, const std::string& brand, const std::string& colour,
                       std::vector<std::string> category) {
    Item item;
    item.brand = brand;
    item.attributes.set("colour", colour);
    item.category = std::move(category);
    catalogue.put(ItemIndex{i}, item);
  };
  put(0, "Red Rose", "blue", {"Home", "Kitchen"});
  put(1, "RED ROSE", "green", {"Office"});
  put(2, "Rose", "red", {"Home", "Garden"});
  put(3, "Blue", "white", {"Sport"});
  const auto model = fit(catalogue, 4);
  const HistoryEvent seen = event_of(0);
  const auto scores = testing::scores_of(*model, {&seen, 1}, 4);
  EXPECT_GT(scores[1], 0);  // the brand, in any case
  EXPECT_GT(scores[2], 0);  // the upper category
  EXPECT_EQ(scores[3], 0);  // the colour of one is no brand of another
}

TEST(Content, CommonTermsAreLeftOut) {
  Catalogue catalogue;
  for (std::uint32_t i = 0; i < 200; ++i) {
    Item item;
    item.title = i < 120 ? "common" : "rare" + std::to_string(i / 2);
    catalogue.put(ItemIndex{i}, item);
  }
  const auto model = fit(catalogue, 200);
  const HistoryEvent common = event_of(0), rare = event_of(150);
  EXPECT_EQ(testing::scores_of(*model, {&common, 1}, 200)[1], 0);
  EXPECT_GT(testing::scores_of(*model, {&rare, 1}, 200)[151], 0.99f);
}

}  // namespace
}  // namespace vitrine

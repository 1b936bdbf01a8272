#include "model/item_attributes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "model/ease.h"
#include "model/model_testing.h"
#include "tests/memory_files.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::fit_on;
using testing::near;
using testing::scores_of;
using Square = std::vector<std::vector<double>>;

TEST(ItemAttributes, AreWhatAtLeastTwoItemsShare) {
  Catalogue catalogue;
  Item item;
  item.category = {"toys", "bears"};
  item.brand = "Acme";
  item.title = "Big RED bear";
  item.attributes.set("year", 1995);
  catalogue.put(ItemIndex{0}, item);
  item.category = {"toys", "cars"};
  item.title = "red car, big";
  item.attributes.set("year", List{1995, 1996});
  catalogue.put(ItemIndex{1}, item);
  item = Item();
  item.category = {"toys"};
  item.attributes.set("price", 1.5);
  catalogue.put(ItemIndex{2}, item);
  const auto shared = [&](const std::vector<std::string>& names) {
    std::vector<std::vector<std::uint32_t>> rows;
    const Interactions cells = attribute_cells(catalogue, 4, names);
    EXPECT_EQ(cells.by_item.rows(), 4u);
    for (std::size_t r = 0; r < cells.by_row.rows(); ++r) {
      rows.emplace_back(cells.by_row.row(r).begin(), cells.by_row.row(r).end());
    }
    return rows;
  };
  using Rows = std::vector<std::vector<std::uint32_t>>;
  EXPECT_EQ(shared({"category"}), (Rows{{0, 1, 2}}));
  EXPECT_EQ(shared({"brand", "tags"}), (Rows{{0, 1}}));
  EXPECT_EQ(shared({"title"}), (Rows{{0, 1}, {0, 1}}));  // big, red
  EXPECT_EQ(shared({"year", "price", "colour"}), (Rows{{0, 1}}));
  EXPECT_TRUE(shared({}).empty());
}

TEST(ItemAttributes, WhatTooManyItemsShareIsNone) {
  Catalogue catalogue;
  Item item;
  item.tags = {"a"};
  for (std::uint32_t i = 0; i < kAttributeItemsMax; ++i) catalogue.put(ItemIndex{i}, item);
  const std::vector<std::string> names{"tags"};
  EXPECT_EQ(attribute_cells(catalogue, kAttributeItemsMax, names).by_row.rows(), 1u);
  catalogue.put(ItemIndex{kAttributeItemsMax}, item);
  EXPECT_EQ(attribute_cells(catalogue, kAttributeItemsMax + 1, names).by_row.rows(), 0u);
}

// 2,000 new items, each with 90 candidates, want more than the matrix over what was taken.
TEST(ItemAttributes, WhatDoesNotFitIsSaidFirst) {
  std::vector<HistoryEvent> row;
  for (std::uint32_t i = 0; i < 100; ++i) row.push_back(event_of(i));
  const Histories histories = testing::make_histories({row}, 1, 2100);
  const Interactions interactions = build_interactions(histories, {});
  Catalogue catalogue;
  Item item;
  item.tags = {"a"};
  for (std::uint32_t i = 0; i < 2100; ++i) catalogue.put(ItemIndex{i}, item);
  EaseOptions options;
  options.attributes = {"tags"};
  options.memory_limit_mb = 1;
  const testing::QuietRun run;
  const auto model = fit_ease(run, options, TrainingSet{histories, interactions, catalogue});
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, Code::kExhausted);
  EXPECT_THAT(model.error().message, ::testing::HasSubstr("ease: attributes"));
}

// Items 0 to 7 with random attributes; all share one, so that all are candidates.
Catalogue arbitrary_catalogue() {
  Catalogue catalogue;
  for (std::uint32_t i = 0; i < 8; ++i) {
    Item item;
    item.tags = {"all"};
    for (const char* tag : {"a", "b", "c", "d"}) {
      if (*rc::gen::arbitrary<bool>()) item.tags.push_back(tag);
    }
    catalogue.put(ItemIndex{i}, item);
  }
  return catalogue;
}

// The x of a x = b for a positive definite a.
std::vector<double> solve(Square a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = k + 1; i < n; ++i) {
      const double factor = a[i][k] / a[k][k];
      for (std::size_t j = k; j < n; ++j) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  }
  for (std::size_t k = n; k-- > 0;) {
    for (std::size_t j = k + 1; j < n; ++j) b[k] -= a[k][j] * b[j];
    b[k] /= a[k][k];
  }
  return b;
}

// A by the words of the header: column j of a new item, 0 elsewhere.
Square mixes(const Interactions& taken, const Interactions& attributes, double lambda) {
  const std::size_t items = taken.items;
  Square gram(items, std::vector<double>(items)), result = gram;
  for (std::size_t r = 0; r < attributes.by_row.rows(); ++r) {
    for (const std::uint32_t a : attributes.by_row.row(r)) {
      for (const std::uint32_t b : attributes.by_row.row(r)) gram[a][b] += 1;
    }
  }
  double trace = 0;
  for (std::size_t i = 0; i < items; ++i) trace += gram[i][i];
  std::vector<std::size_t> old;
  for (std::size_t i = 0; i < items; ++i) {
    if (!taken.by_item.row(i).empty()) old.push_back(i);
  }
  for (std::size_t j = 0; j < items; ++j) {
    if (!taken.by_item.row(j).empty()) continue;
    Square a;
    std::vector<double> b;
    for (const std::size_t i : old) {
      std::vector<double> row;
      for (const std::size_t k : old) {
        row.push_back(gram[i][k] + (i == k ? lambda * trace / static_cast<double>(items) : 0));
      }
      a.push_back(row);
      b.push_back(gram[i][j]);
    }
    const std::vector<double> solution = solve(a, b);
    for (std::size_t p = 0; p < old.size(); ++p) result[old[p]][j] = solution[p];
  }
  return result;
}

// What a model says to somebody who has item i alone.
Square weights_of(const Model& model, std::uint32_t items) {
  Square weights;
  for (std::uint32_t i = 0; i < items; ++i) {
    const HistoryEvent event = event_of(i);
    const auto scores = scores_of(model, std::span(&event, 1), items);
    weights.emplace_back(scores.begin(), scores.end());
  }
  return weights;
}

// B' = M^T (B + I) M without its diagonal.
Square grown(const Square& b, const Square& a, const Interactions& taken) {
  const std::size_t items = b.size();
  Square m = a, result(items, std::vector<double>(items));
  for (std::size_t i = 0; i < items; ++i) m[i][i] = taken.by_item.row(i).empty() ? 0 : 1;
  for (std::size_t i = 0; i < items; ++i) {
    for (std::size_t j = 0; j < items; ++j) {
      for (std::size_t k = 0; k < items && i != j; ++k) {
        for (std::size_t l = 0; l < items; ++l) {
          result[i][j] += m[k][i] * (b[k][l] + (k == l ? 1 : 0)) * m[l][j];
        }
      }
    }
  }
  return result;
}

TEST(ItemAttributes, NewItemsAreMixes) {
  EXPECT_TRUE(rc::check([] {
    const Histories histories = testing::arbitrary_histories();
    const Catalogue catalogue = arbitrary_catalogue();
    const Interactions taken = build_interactions(histories, {});
    EaseOptions options;
    options.lambda = 3;
    options.solver = *rc::gen::element<std::string>("dense", "sparse");
    const Square b = weights_of(*fit_on(fit_ease, options, histories), 8);
    options.attributes = {"tags"};
    options.attribute_lambda = *rc::gen::element(0.3, 2.0);
    const auto model = fit_on(fit_ease, options, histories, {}, catalogue);
    const Square weights = weights_of(*model, 8);
    const Interactions attributes = attribute_cells(catalogue, 8, options.attributes);
    const Square expected = grown(b, mixes(taken, attributes, options.attribute_lambda), taken);
    for (std::size_t i = 0; i < 8; ++i) {
      for (std::size_t j = 0; j < 8; ++j) {
        const bool new_i = taken.by_item.row(i).empty(), new_j = taken.by_item.row(j).empty();
        const bool sparse = options.solver == "sparse";
        if (sparse && new_i && new_j) continue;  // through what was kept alone
        const bool kept = !sparse || (!new_i && !new_j) || expected[i][j] > 1e-4;
        RC_ASSERT(near(weights[i][j], kept ? expected[i][j] : 0, 1e-3));
      }
    }
  }));
}

struct Shop {
  Histories histories;
  Catalogue catalogue;
};

// Six tastes of ten items each; the last two of each taste are new, and one of those not available.
Shop shop_with_new_items() {
  const Random random(4);
  std::vector<std::vector<HistoryEvent>> rows(200);
  for (std::uint64_t d = 0; d < 1600; ++d) {
    const auto taste = static_cast<std::uint32_t>(d % 200 % 6);
    rows[d % 200].push_back(event_of(static_cast<std::uint32_t>(random.below(d, 8)) * 6 + taste));
  }
  Catalogue catalogue;
  for (std::uint32_t i = 0; i < 60; ++i) {
    Item item;
    item.category = {"all", "taste " + std::to_string(i % 6)};
    item.available = i < 54;
    catalogue.put(ItemIndex{i}, item);
  }
  return {testing::make_histories(rows, 200, 60), std::move(catalogue)};
}

EaseOptions options_for(const std::string& solver) {
  EaseOptions options;
  options.lambda = 20;
  options.solver = solver;
  options.attributes = {"category"};
  options.attribute_lambda = 1;
  return options;
}

TEST(ItemAttributes, ListNewItemsToThoseOfTheirTaste) {
  const auto [histories, catalogue] = shop_with_new_items();
  for (const std::string solver : {"dense", "sparse"}) {
    const EaseOptions options = options_for(solver);
    const auto model = fit_on(fit_ease, options, histories, {}, catalogue);
    for (std::uint32_t taste = 0; taste < 6; ++taste) {
      const std::vector<HistoryEvent> history{event_of(taste), event_of(6 + taste)};
      const auto scores = scores_of(*model, history, 60);
      for (std::uint32_t other = 48; other < 54; ++other) {
        if (other == 48 + taste) continue;
        EXPECT_LT(scores[other], scores[48 + taste] / 2) << solver;
      }
      for (std::uint32_t gone = 54; gone < 60; ++gone) EXPECT_EQ(scores[gone], 0);
      // And who looks at the new item is shown its taste.
      const HistoryEvent fresh = event_of(48 + taste);
      Query query;
      query.history = std::span(&fresh, 1);
      for (const Candidate& c : testing::list_of(*model, query, 5)) {
        EXPECT_EQ(raw(c.item) % 6, taste) << solver;
      }
    }
  }
}

// Says cancel at the given call.
class CancelAt final : public Monitor {
 public:
  explicit CancelAt(int call) : left_(call) {}
  void begin(std::string_view, std::uint64_t, std::string_view) override {}
  Verdict advance(std::uint64_t) override {
    return --left_ == 0 ? Verdict::kCancel : Verdict::kContinue;
  }
  void end() override {}
  void note(std::string_view) override {}
  Usage usage() override { return {}; }

 private:
  int left_;
};

TEST(ItemAttributes, CancellingAtAnyCallLeavesNothing) {
  const auto [histories, catalogue] = shop_with_new_items();
  const Interactions interactions = build_interactions(histories, {});
  for (const std::string solver : {"dense", "sparse"}) {
    bool finished = false;
    for (int call = 1; !finished && call < 1000; ++call) {
      ThreadPool pool(1);
      CancelAt monitor(call);
      const auto model = fit_ease(vitrine::Run{Random(1), pool, monitor}, options_for(solver),
                                  TrainingSet{histories, interactions, catalogue});
      finished = model.ok();
      if (!finished) {
        EXPECT_EQ(model.error().code, Code::kCancelled);
      }
    }
    EXPECT_TRUE(finished);
  }
}

TEST(ItemAttributes, SameBytesForAnyNumberOfThreadsAndAfterLoading) {
  const auto [histories, catalogue] = shop_with_new_items();
  const Interactions interactions = build_interactions(histories, {});
  for (const std::string solver : {"dense", "sparse"}) {
    MemoryFiles files;
    const auto bytes = [&](const Model& model) {
      ArchiveWriter writer(files, "model", "model");
      model.save(writer);
      EXPECT_TRUE(writer.finish().ok());
      return *read_file(files, "model");
    };
    std::vector<std::string> saved;
    for (const int threads : {1, 2, 5}) {
      const testing::QuietRun run(threads);
      const auto model =
          fit_ease(run, options_for(solver), TrainingSet{histories, interactions, catalogue});
      ASSERT_TRUE(model.ok());
      saved.push_back(bytes(**model));
    }
    EXPECT_EQ(saved[0], saved[1]);
    EXPECT_EQ(saved[0], saved[2]);
    auto reader = ArchiveReader::open(files, "model", "model");
    ASSERT_TRUE(reader.ok());
    const auto loaded = load_ease(**reader, catalogue);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(bytes(**loaded), saved[0]);
  }
}

}  // namespace
}  // namespace vitrine

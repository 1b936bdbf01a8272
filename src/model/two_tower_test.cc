#include "model/two_tower.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "model/model_testing.h"
#include "model/two_tower_network.h"
#include "tests/memory_files.h"
#include "tests/model_worlds.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::near;
using testing::scores_of;
using Vector = std::vector<double>;

// A model's archive, as plain numbers.
struct Saved {
  explicit Saved(const Model& model) {
    MemoryFiles files;
    ArchiveWriter writer(files, "model", "model");
    model.save(writer);
    VT_CHECK(writer.finish().ok());
    const auto reader = *ArchiveReader::open(files, "model", "model");
    for (const std::string& name : reader->names()) {
      auto values = reader->tensor<float>(name);
      if (!values.ok()) continue;
      cols[name] = (*reader->shape(name))[1];
      tensors[name].assign(values->begin(), values->end());
    }
    const auto items = *reader->tensor<std::uint32_t>("listed");
    listed.assign(items.begin(), items.end());
  }
  double at(const std::string& name, std::size_t row, std::size_t col) const {
    return double{tensors.at(name)[row * static_cast<std::size_t>(cols.at(name)) + col]};
  }
  std::map<std::string, std::int64_t> cols;
  std::map<std::string, std::vector<float>> tensors;
  std::vector<std::uint32_t> listed;
};

Vector unit(Vector x) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  for (double& v : x) v /= std::sqrt(squares);
  return x;
}

// x + U_2 relu(U_1 in + b) + b', of length 1.
Vector climbed(const Vector& x, const Vector& in, std::size_t hidden,
               const std::function<double(const char*, std::size_t, std::size_t)>& at) {
  Vector y = x;
  for (std::size_t k = 0; k < y.size(); ++k) y[k] += at("out_bias", 0, k);
  for (std::size_t h = 0; h < hidden; ++h) {
    double sum = at("in_bias", 0, h);
    for (std::size_t i = 0; i < in.size(); ++i) sum += in[i] * at("in", i, h);
    for (std::size_t k = 0; k < y.size(); ++k) y[k] += std::max(sum, 0.0) * at("out", h, k);
  }
  return unit(y);
}

// Of the events that are looked at, from the equations of two_tower.h.
Vector user_vector(const Saved& saved, const TwoTowerOptions& options,
                   const std::vector<std::uint32_t>& items) {
  const auto factors = static_cast<std::size_t>(options.factors);
  Vector mean(factors);
  double squares = 0;
  for (std::size_t t = 0; t < items.size(); ++t) {
    const double w = std::pow(options.history_decay, static_cast<double>(items.size() - 1 - t));
    squares += w * w;
    for (std::size_t k = 0; k < factors; ++k) mean[k] += w * saved.at("user/history", items[t], k);
  }
  for (double& v : mean) v /= std::sqrt(squares);
  Vector in = mean;
  for (std::size_t k = 0; k < factors && options.latest; ++k)
    in.push_back(saved.at("user/history", items.back(), k));
  return climbed(mean, in, static_cast<std::size_t>(options.hidden),
                 [&](const char* name, std::size_t r, std::size_t c) {
                   return saved.at("user/user_" + std::string(name), r, c);
                 });
}

TwoTowerOptions small() {
  TwoTowerOptions options;
  options.factors = 6;
  options.hidden = 5;
  options.history_max = 4;
  options.epochs = 2;
  options.learning_rate = 0.01;
  return options;
}

TEST(TwoTower, ScoresAreProductsOfTheTowers) {
  const auto world = testing::planted_world(3);
  for (const bool latest : {false, true}) {
    TwoTowerOptions options = small();
    options.latest = latest;
    options.attributes = {"category"};
    const testing::QuietRun run;
    const auto model = fit_two_tower(run, options, world.set());
    ASSERT_TRUE(model.ok());
    const Saved saved(**model);
    for (std::size_t v = 0; v < 10; ++v) {
      const auto history = std::span(world.visitors[v].history);
      std::vector<std::uint32_t> items;
      for (const HistoryEvent& e : history) {
        if (!world.interactions.by_item.row(raw(e.item)).empty()) items.push_back(raw(e.item));
      }
      if (items.empty()) continue;
      if (items.size() > 4) items.erase(items.begin(), items.end() - 4);
      const Vector u = user_vector(saved, options, items);
      const auto scores = scores_of(**model, history, world.histories.items());
      for (std::size_t place = 0; place < saved.listed.size(); ++place) {
        double product = 0;
        for (std::size_t k = 0; k < u.size(); ++k) product += u[k] * saved.at("vectors", place, k);
        EXPECT_TRUE(near(double{scores[saved.listed[place]]}, product, 1e-4));
      }
    }
  }
}

struct Towers {
  nn::Parameters parameters;
  TwoTowerNetwork network;
  Towers() : network({9, 4, 5, 7, true, 1, 0}, TwoTowerNetwork::Towers::kBoth, parameters) {
    for (std::size_t p = 0; p < parameters.size(); ++p)
      parameters.fill_normal({static_cast<std::int32_t>(p)}, Random(2), 0.5);
  }
  const Matrix& named(const std::string& name) const {
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      const nn::ParameterId id{static_cast<std::int32_t>(p)};
      if (parameters.name(id) == name) return parameters[id];
    }
    VT_CHECK(false);
  }
};

TEST(TwoTower, TheItemTowerIsItsEquation) {
  const Towers towers;
  const std::vector<std::vector<std::uint32_t>> attributes{{0, 2}, {}, {3}};
  ItemBags bags;
  for (std::uint32_t i = 0; i < 3; ++i) bags.add(i + 4, i != 2, attributes[i]);
  nn::Tape tape(towers.parameters);
  tape.begin(nn::Tape::Mode::kServing);
  const nn::Var v = towers.network.items(tape, bags);
  for (std::uint32_t i = 0; i < 3; ++i) {
    Vector q(5);
    for (std::size_t k = 0; k < q.size(); ++k) {
      const auto col = static_cast<std::int64_t>(k);
      if (i != 2) q[k] += double{towers.named("ids")(i + 4, col)};
      for (const std::uint32_t a : attributes[i])
        q[k] += double{towers.named("attributes")(a, col)} /
                std::sqrt(static_cast<double>(attributes[i].size()));
    }
    const Vector right = climbed(q, q, 7, [&](const char* name, std::size_t r, std::size_t c) {
      return double{towers.named("item_" + std::string(name))(static_cast<std::int64_t>(r),
                                                              static_cast<std::int64_t>(c))};
    });
    for (std::size_t k = 0; k < right.size(); ++k)
      EXPECT_NEAR(double{tape.view(v).row(i)[k]}, right[k], 1e-5);
  }
}

// Two tastes, told by a category; the last item of each is new.
struct Shop {
  testing::World world;
  static constexpr std::uint32_t kItems = 12;
  Shop() {
    std::vector<std::vector<HistoryEvent>> rows;
    for (std::uint32_t p = 0; p < 80; ++p) {
      rows.emplace_back();
      for (std::uint32_t e = 0; e < 4; ++e)
        rows.back().push_back(event_of(p % 2 * 6 + (p / 2 + e * (1 + p / 20)) % 5));
    }
    world = testing::world_of(rows, kItems);
    for (std::uint32_t i = 0; i < kItems; ++i) {
      Item item;
      item.category = {i < 6 ? "tea" : "bolts"};
      world.catalogue.put(ItemIndex{i}, item);
    }
  }
};

TEST(TwoTower, NewItemsAreListedByTheirAttributes) {
  const Shop shop;
  TwoTowerOptions options = small();
  options.attributes = {"category"};
  options.id_dropout = 0.3;
  options.epochs = 30;
  options.context = "all";
  const testing::QuietRun run;
  for (const bool listed : {true, false}) {
    options.new_items = listed;
    const auto model = fit_two_tower(run, options, shop.world.set());
    ASSERT_TRUE(model.ok());
    const std::vector<HistoryEvent> tea{event_of(0), event_of(3)};
    const auto scores = scores_of(**model, tea, Shop::kItems);
    EXPECT_EQ(scores[5] != 0, listed);
    EXPECT_EQ(scores[11] != 0, listed);
    EXPECT_TRUE(!listed || scores[5] > scores[11]);
    EXPECT_GT(scores[1], scores[7]);
  }
  options.attributes.clear();
  options.new_items = true;
  const auto model = fit_two_tower(run, options, shop.world.set());
  const std::vector<HistoryEvent> tea{event_of(0)};
  EXPECT_EQ(scores_of(**model, tea, Shop::kItems)[5], 0);
}

TEST(TwoTower, EvenDrawsLearnTheSameTastes) {
  const Shop shop;
  TwoTowerOptions options = small();
  options.candidates = "uniform";
  options.negatives = 8;
  options.epochs = 30;
  const testing::QuietRun run;
  const auto model = fit_two_tower(run, options, shop.world.set());
  ASSERT_TRUE(model.ok());
  const std::vector<HistoryEvent> tea{event_of(0), event_of(3)};
  const auto scores = scores_of(**model, tea, Shop::kItems);
  for (const std::uint32_t i : {1u, 2u, 4u}) EXPECT_GT(scores[i], scores[i + 6]);
}

TEST(TwoTower, SaysWhatWouldFit) {
  TwoTowerOptions options;
  options.factors = 1024;
  options.memory_limit_mb = 1;
  const Error error = testing::error_of(fit_two_tower, options, testing::full_histories(300, 300));
  EXPECT_EQ(error.code, Code::kExhausted);
  EXPECT_NE(error.message.find("factors"), std::string::npos);
}

}  // namespace
}  // namespace vitrine

#include "model/neumf.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "model/model_testing.h"
#include "model/neumf_network.h"
#include "tests/memory_files.h"
#include "tests/model_worlds.h"

namespace vitrine {
namespace {

using testing::event_of;
using testing::near;
using testing::scores_of;

// A model's archive, as plain numbers.
struct Saved {
  explicit Saved(const Model& model) {
    MemoryFiles files;
    ArchiveWriter writer(files, "model", "model");
    model.save(writer);
    VT_CHECK(writer.finish().ok());
    reader = *ArchiveReader::open(files, "model", "model");
    for (const std::string& name : reader->names()) {
      auto values = reader->tensor<float>(name);
      if (!values.ok()) continue;
      shapes[name] = *reader->shape(name);
      tensors[name].assign(values->begin(), values->end());
    }
  }
  double at(const std::string& name, std::int64_t row, std::int64_t col) const {
    const std::string full = "parameters/" + name;
    return double{tensors.at(full)[static_cast<std::size_t>(row * shapes.at(full)[1] + col)]};
  }
  std::shared_ptr<ArchiveReader> reader;
  std::map<std::string, std::vector<std::int64_t>> shapes;
  std::map<std::string, std::vector<float>> tensors;
};

std::vector<double> person_of(const Saved& saved, const std::string& half, int factors,
                              const std::set<std::uint32_t>& history, int row) {
  std::vector<double> p(static_cast<std::size_t>(factors));
  for (int k = 0; k < factors; ++k) {
    double& sum = p[static_cast<std::size_t>(k)];
    for (const std::uint32_t j : history)
      sum += saved.at(half + "_history", j, k) / std::sqrt(static_cast<double>(history.size()));
    if (row >= 0) sum += saved.at(half + "_persons", row, k);
  }
  return p;
}

// The score of an item, from the equations of neumf.h.
double expected(const Saved& saved, const NeumfOptions& options,
                const std::set<std::uint32_t>& history, int row, std::uint32_t item) {
  double logit = saved.at("bias", 0, 0);
  if (options.network != "mlp") {
    const auto p = person_of(saved, "gmf", options.factors, history, row);
    for (int k = 0; k < options.factors; ++k)
      logit += saved.at("gmf_out", k, 0) * p[static_cast<std::size_t>(k)] *
               saved.at("gmf_items", item, k);
  }
  if (options.network != "gmf") {
    std::vector<double> x = person_of(saved, "mlp", options.factors, history, row);
    for (int k = 0; k < options.factors; ++k) x.push_back(saved.at("mlp_items", item, k));
    for (int l = 0; l < options.layers; ++l) {
      const std::string name = "layer" + std::to_string(l);
      std::vector<double> next;
      for (std::int64_t o = 0; o < NeumfNetwork::width(options.factors, l); ++o) {
        double sum = saved.at(name + "_bias", 0, o);
        for (std::int64_t i = 0; i < std::ssize(x); ++i) {
          const bool person = l == 0 && i < options.factors;
          const std::int64_t at = l == 0 && !person ? i - options.factors : i;
          sum += x[static_cast<std::size_t>(i)] *
                 saved.at(name + (person ? "_person" : "_weight"), at, o);
        }
        next.push_back(std::max(sum, 0.0));
      }
      x = next;
    }
    for (std::size_t k = 0; k < x.size(); ++k)
      logit += x[k] * saved.at("mlp_out", static_cast<std::int64_t>(k), 0);
  }
  return std::log1p(std::exp(logit));
}

NeumfOptions small(const std::string& network) {
  NeumfOptions options;
  options.network = network;
  options.factors = 5;
  options.layers = 2;
  options.epochs = 4;
  options.learning_rate = 0.02;
  return options;
}

TEST(Neumf, ScoresAreThoseOfTheEquations) {
  testing::WorldShape shape;
  shape.persons = 40;
  shape.items_per_taste = 40;  // two blocks
  const auto world = testing::planted_world(3, shape);
  for (const char* network : {"neumf", "gmf", "mlp"}) {
    SCOPED_TRACE(network);
    const NeumfOptions options = small(network);
    const testing::QuietRun run;
    const auto model = fit_neumf(run, options, world.set());
    ASSERT_TRUE(model.ok());
    const Saved saved(**model);
    for (std::uint32_t user = 0; user < 10; ++user) {
      Query query;
      query.history = world.histories.row(user);
      std::set<std::uint32_t> history;
      for (const HistoryEvent& e : query.history) history.insert(raw(e.item));
      const auto compare = [&](int row) {
        const auto scores = scores_of(**model, query, world.histories.items());
        for (std::uint32_t i = 0; i < scores.size(); ++i) {
          const bool seen = !world.interactions.by_item.row(i).empty();
          const double right = seen ? expected(saved, options, history, row, i) : 0;
          EXPECT_TRUE(near(double{scores[i]}, right, 1e-4)) << i << " " << scores[i];
        }
      };
      compare(-1);
      query.user = UserIndex{user};
      compare(static_cast<int>(user));  // known, and unchanged
      query.history = query.history.first(query.history.size() - 1);
      history.clear();
      for (const HistoryEvent& e : query.history) history.insert(raw(e.item));
      if (history.size() == world.interactions.by_row.row(user).size()) continue;
      compare(-1);
    }
  }
}

// What training computes, dropout aside, where nothing is left out of the history.
TEST(Neumf, ServingIsTheTrainingNetwork) {
  const auto world = testing::planted_world(4);
  NeumfOptions options = small("neumf");
  options.own_row = 0;
  options.dropout = 0.3;
  options.epochs = 2;
  const testing::QuietRun run;
  const auto model = fit_neumf(run, options, world.set());
  ASSERT_TRUE(model.ok());
  const Saved saved(**model);
  nn::Parameters parameters;
  const NeumfNetwork network(
      {true, true, world.histories.items(), 0, options.factors, options.layers, 0.3f}, parameters);
  ASSERT_TRUE(parameters.load(*saved.reader, "parameters").ok());
  NeumfPairs pairs;
  const auto own = world.interactions.by_row.row(0);
  pairs.add_person(own, nullptr);
  pairs.add_question(nullptr);
  for (std::uint32_t i = 0; i < world.histories.items(); ++i) pairs.add_pair(i);
  nn::Tape tape(parameters);
  tape.begin(nn::Tape::Mode::kServing);
  const nn::Var logits = network.logits(tape, pairs);
  Query query;
  query.history = world.histories.row(0);
  const auto scores = scores_of(**model, query, world.histories.items());
  for (std::uint32_t i = 0; i < scores.size(); ++i) {
    if (world.interactions.by_item.row(i).empty()) continue;
    EXPECT_TRUE(near(double{scores[i]}, std::log1p(std::exp(double{tape.value(logits)[i]}))));
  }
}

// In training, the item that is asked for is no part of the person's history.
TEST(Neumf, AnItemDoesNotExplainItself) {
  nn::Parameters parameters;
  const NeumfNetwork network({true, true, 6, 0, 4, 2, 0}, parameters);
  network.initialize(parameters, Random(1));
  const std::vector<std::uint32_t> history{1, 3, 4};
  const auto logit = [&] {
    NeumfPairs pairs;
    pairs.add_person(history, nullptr);
    pairs.add_question(&history[1]);
    pairs.add_pair(5);
    nn::Tape tape(parameters);
    tape.begin(nn::Tape::Mode::kServing);
    return tape.value(network.logits(tape, pairs))[0];
  };
  const float before = logit();
  for (const auto* half : {&network.gmf(), &network.mlp()}) {
    for (float& v : parameters[half->history].row(3)) v += 1;
  }
  EXPECT_NEAR(logit(), before, 1e-5);
  for (float& v : parameters[network.gmf().history].row(4)) v += 1;
  EXPECT_GT(std::abs(logit() - before), 1e-3);
}

TEST(Neumf, SaysWhatWouldFit) {
  NeumfOptions options;
  options.factors = 1024;
  options.memory_limit_mb = 1;
  const Error error = testing::error_of(fit_neumf, options, testing::full_histories(300, 300));
  EXPECT_EQ(error.code, Code::kExhausted);
  EXPECT_NE(error.message.find("factors"), std::string::npos);
}

}  // namespace
}  // namespace vitrine

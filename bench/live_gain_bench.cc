// What live histories are worth: one fit on what lies before a cut in time; then each later event
// of a person is asked for twice, with the history as it was at the cut and as it is up to that
// event; who had none at the cut is shown what was popular then. ndcg@20 of the next item that the
// person does not have yet, mean of persons, with intervals over them. Models and data are those of
// a recipe with [split] kind = "time".
//   VITRINE_DATA=... live_gain_bench RECIPE [MODEL...]      default: all models of the recipe
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/datasets.h"
#include "engine/fitting.h"
#include "engine/recipe_splits.h"
#include "engine/usage.h"

namespace vitrine {
namespace {

constexpr int kList = 20, kResamples = 10'000;
constexpr double kNearlyNothing = 0.0001;  // held out of what counts as the whole

struct Models {
  const Model& personal;
  const Model& popular;  // for those without history
};

struct Gain {
  double frozen = 0, live = 0;
};

bool holds(std::span<const HistoryEvent> events, ItemIndex item) {
  return std::any_of(events.begin(), events.end(),
                     [&](const HistoryEvent& e) { return e.item == item; });
}

double gain_of(const Models& models, std::span<const HistoryEvent> history,
               std::optional<UserIndex> user, Timestamp now, ItemIndex wanted) {
  std::vector<ItemIndex> had;
  for (const HistoryEvent& event : history) had.push_back(event.item);
  std::sort(had.begin(), had.end());
  had.erase(std::unique(had.begin(), had.end()), had.end());
  Query query;
  query.history = history;
  query.user = user;
  query.now = now;
  const ItemMask mask{nullptr, had};
  CandidateBlock block;
  const Model& model = history.empty() ? models.popular : models.personal;
  model.retrieve({&query, 1}, {&mask, 1}, kList, block);
  const auto list = block.row(0);
  for (std::size_t i = 0; i < list.size(); ++i)
    if (list[i].item == wanted) return 1 / std::log2(static_cast<double>(i) + 2);
  return 0;
}

// The mean over a row's questions; nothing when it has none.
std::optional<Gain> ask(const Models& models, std::span<const HistoryEvent> row,
                        std::optional<UserIndex> user, std::size_t known,
                        const std::vector<bool>& trained) {
  Gain sum;
  int asked = 0;
  for (std::size_t i = std::max<std::size_t>(known, 1); i < row.size(); ++i) {
    const HistoryEvent& next = row[i];
    if (!(next.weight > 0) || !trained[raw(next.item)] || holds(row.first(i), next.item)) continue;
    sum.frozen +=
        gain_of(models, row.first(known), known > 0 ? user : std::nullopt, next.time, next.item);
    sum.live +=
        gain_of(models, row.first(i), known > 0 ? user : std::nullopt, next.time, next.item);
    ++asked;
  }
  if (asked == 0) return std::nullopt;
  return Gain{sum.frozen / asked, sum.live / asked};
}

void print(std::string_view model, std::string_view who, const std::vector<Gain>& gains) {
  if (gains.empty()) return;
  const auto mean = [&](auto value) {
    double sum = 0;
    for (const Gain& gain : gains) sum += value(gain);
    return sum / static_cast<double>(gains.size());
  };
  const auto difference = [](const Gain& gain) { return gain.live - gain.frozen; };
  std::vector<double> means;
  const Random random = Random(1).fork("live_gain");
  for (std::uint64_t b = 0; b < kResamples; ++b) {
    double sum = 0;
    for (std::uint64_t i = 0; i < gains.size(); ++i)
      sum += difference(gains[random.below(b * gains.size() + i, gains.size())]);
    means.push_back(sum / static_cast<double>(gains.size()));
  }
  std::sort(means.begin(), means.end());
  fmt::print("{:<14} {:<10} {:>8} {:>8.4f} {:>8.4f} {:>+8.4f} [{:+.4f} {:+.4f}]\n", model, who,
             gains.size(), mean([](const Gain& g) { return g.frozen; }),
             mean([](const Gain& g) { return g.live; }), mean(difference), means[kResamples / 40],
             means[kResamples - 1 - kResamples / 40]);
}

void measure_model(const Models& models, const std::string& name, const Histories& all,
                   const Histories& train, Timestamp cut) {
  std::vector<bool> trained(all.items());
  for (std::size_t r = 0; r < train.rows(); ++r)
    for (const HistoryEvent& event : train.row(r)) trained[raw(event.item)] = true;
  std::vector<Gain> known, fresh;
  for (std::size_t r = 0; r < all.rows(); ++r) {
    const auto row = all.row(r);
    const auto before = static_cast<std::size_t>(
        std::count_if(row.begin(), row.end(), [&](const HistoryEvent& e) { return e.time < cut; }));
    if (const auto gain = ask(models, row, all.user(r), before, trained))
      (before > 0 ? known : fresh).push_back(*gain);
  }
  print(name, "known", known);
  print(name, "new", fresh);
}

Status measure(const std::string& path, const std::vector<std::string>& wanted) {
  ThreadPool pool(1);
  UsageMonitor monitor;
  const Run run{Random(1), pool, monitor};
  VT_TRY(const Recipe recipe, read_recipe(real_files(), path));
  Recipe whole = recipe;
  whole.split.test_days = 0;
  whole.split.test_share = kNearlyNothing;
  VT_TRY(const RecipeSplits data,
         recipe_splits(run, real_files(), whole, data_folder(), RecipePart::kTest));
  const Histories& all = data.splits.front().train();
  VT_TRY(const Split split, make_split(run, all, recipe.split));
  const Timestamp cut = split.cases() > 0 ? split[0].now : kNoTime;
  fmt::print("{}: {}\n", recipe.name, split.description());
  fmt::print("{:<14} {:<10} {:>8} {:>8} {:>8} {:>8} [95 %]\n", "model", "persons", "number",
             "frozen", "live", "gain");
  const InteractionOptions merge;
  VT_TRY(const FittedModel popular, fit_model(run, {"popularity", "popularity", {}},
                                              FitInput(split.train(), data.catalogue, merge)));
  for (const RecipeModel& model : recipe.models) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), model.name) == wanted.end())
      continue;
    const FitInput input(split.train(), data.catalogue, model.interactions);
    VT_TRY(const FittedModel fitted,
           fit_model(run, {model.name, model.kind, model.options}, input));
    measure_model({*fitted.named.model, *popular.named.model}, model.name, all, split.train(), cut);
    std::fflush(stdout);
  }
  return {};
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: live_gain_bench RECIPE [MODEL...]\n");
    return 2;
  }
  const auto done = vitrine::measure(argv[1], {argv + 2, argv + argc});
  if (!done.ok()) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return done.ok() ? 0 : 1;
}

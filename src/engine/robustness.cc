#include "engine/robustness.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>

#include "engine/fitting.h"
#include "eval/corrections.h"
#include "model/recommender.h"

namespace vitrine {
namespace {

constexpr double kShareMax = 1;
constexpr double kPopularShare = 0.2;  // of a bandwagon profile

Result<std::vector<double>> shares_of(const std::vector<std::string>& texts,
                                      std::string_view option) {
  std::vector<double> shares;
  for (const std::string& text : texts) {
    double share = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, share);
    if (parsed.ec != std::errc() || parsed.ptr != end || !(share > 0 && share <= kShareMax)) {
      return Error{Code::kInvalid, fmt::format("[robustness] {}: \"{}\" is no share above 0 and up "
                                               "to 1, as in \"0.05\"",
                                               option, text)};
    }
    shares.push_back(share);
  }
  return shares;
}

std::size_t median_history(const Histories& train) {
  std::vector<std::size_t> lengths;
  for (std::size_t r = 0; r < train.rows(); ++r) {
    if (!train.row(r).empty()) lengths.push_back(train.row(r).size());
  }
  if (lengths.empty()) return 1;
  const auto middle = lengths.begin() + static_cast<std::ptrdiff_t>(lengths.size() / 2);
  std::nth_element(lengths.begin(), middle, lengths.end());
  return *middle;
}

// Of the given items, the mean of their values and of all.
struct Values {
  std::vector<float> of_item;
  float mean = 1, most = 1;
};

Values values_of(const Histories& train) {
  std::vector<double> sums(train.items()), counts(train.items());
  double sum = 0;
  Values values;
  values.most = train.size() == 0 ? 1 : train.events()[0].value;
  for (const HistoryEvent& event : train.events()) {
    sums[raw(event.item)] += static_cast<double>(event.value);
    ++counts[raw(event.item)];
    sum += static_cast<double>(event.value);
    values.most = std::max(values.most, event.value);
  }
  if (train.size() > 0) values.mean = static_cast<float>(sum / static_cast<double>(train.size()));
  for (std::size_t i = 0; i < sums.size(); ++i)
    values.of_item.push_back(counts[i] > 0 ? static_cast<float>(sums[i] / counts[i]) : values.mean);
  return values;
}

std::vector<ItemIndex> most_taken(const Histories& train, std::size_t count) {
  const std::vector<std::uint32_t> counts = item_counts(train);
  std::vector<ItemIndex> items;
  for (std::uint32_t i = 0; i < counts.size(); ++i) items.push_back(ItemIndex{i});
  std::stable_sort(items.begin(), items.end(),
                   [&](ItemIndex a, ItemIndex b) { return counts[raw(a)] > counts[raw(b)]; });
  items.resize(std::min(items.size(), count));
  return items;
}

double share_of_lists(const EvaluatedLists& lists, const Split& split, ItemIndex target) {
  double asked = 0, listed = 0;
  for (std::size_t at = 0; at < lists.cases.size(); ++at) {
    const auto history = split[lists.cases[at]].history;
    if (std::any_of(history.begin(), history.end(),
                    [&](const HistoryEvent& e) { return e.item == target; }))
      continue;
    ++asked;
    const auto row = lists.lists.row(at);
    listed +=
        std::any_of(row.begin(), row.end(), [&](const Candidate& c) { return c.item == target; })
            ? 1
            : 0;
  }
  return asked > 0 ? listed / asked : 0;
}

struct Measured {
  Evaluation evaluation;
  EvaluatedLists lists;
};

class Tester {
 public:
  // `split`: of the row that is tested.
  Tester(const Run& run, const Recipe& recipe, const RecipeSplits& data, const Split& split,
         RobustnessTable& table)
      : run_(run),
        recipe_(recipe),
        data_(data),
        split_(split),
        counts_(item_counts(split_.train())),
        table_(table),
        how_(recipe.evaluate) {
    how_.cutoffs = {std::to_string(metric_cutoff(recipe.choose_by))};
    how_.ratings = false;
    table_.metric = recipe.choose_by;
    table_.list_length = static_cast<std::size_t>(metric_cutoff(recipe.choose_by));
  }

  Status test(const RecipeModel& model) {
    VT_TRY(const Measured clean, measure(model, split_.train()));
    const MetricValue* value = clean.evaluation.find(recipe_.choose_by);
    if (value == nullptr)
      return Error{Code::kInvalid, "[robustness] needs a choose_by of lists, as ndcg@20"};
    table_.rows.push_back(
        {.model = model.name, .treatment = "clean", .value = value->mean, .lost = {}});
    VT_TRY(const std::vector<double> noises, shares_of(recipe_.robustness.noise, "noise"));
    for (const double share : noises) {
      VT_TRY(const Measured spoilt,
             measure(model, with_noise(split_.train(), share, run_.random.fork("noise"))));
      VT_TRY(add(model, fmt::format("noise {:g} %", 100 * share), spoilt.evaluation, clean, {}));
    }
    VT_TRY(const std::vector<double> sizes,
           shares_of(recipe_.robustness.attack_sizes, "attack_sizes"));
    for (const std::string& attack : recipe_.robustness.attacks) {
      if (attack != "random" && attack != "average" && attack != "bandwagon")
        return Error{Code::kInvalid, fmt::format("[robustness] attacks: \"{}\" is none of random, "
                                                 "average and bandwagon",
                                                 attack)};
      for (const double size : sizes) {
        VT_TRY(test_attack(model, attack, size, clean));
      }
    }
    return {};
  }

 private:
  struct Listed {
    double before = 0, after = 0;
  };

  Result<Measured> measure(const RecipeModel& model, const Histories& train) {
    const FitInput input(train, data_.catalogue, model.interactions);
    VT_TRY(const FittedModel fitted,
           fit_model(run_, {model.name, model.kind, model.options}, input));
    Measured measured;
    VT_TRY(measured.evaluation, evaluate(run_, recommender_of(model.name, *fitted.named.model),
                                         split_, counts_, how_, &measured.lists));
    return measured;
  }

  Status test_attack(const RecipeModel& model, const std::string& attack, double size,
                     const Measured& clean) {
    const Histories& train = split_.train();
    std::size_t persons = 0;
    for (std::size_t r = 0; r < train.rows(); ++r) persons += train.row(r).empty() ? 0 : 1;
    const auto profiles =
        std::max<std::size_t>(1, static_cast<std::size_t>(size * static_cast<double>(persons)));
    const int wanted = recipe_.robustness.profile_items;
    const std::size_t items = wanted > 0 ? static_cast<std::size_t>(wanted) : median_history(train);
    const auto targets = attack_targets(train, static_cast<std::size_t>(recipe_.robustness.targets),
                                        run_.random.fork("targets"));
    Listed listed;
    Evaluation mean;
    for (const ItemIndex target : targets) {
      const Random random = run_.random.fork("attack/" + attack).fork(raw(target));
      VT_TRY(Measured spoilt,
             measure(model, with_attack(train, attack, target, profiles, items, random)));
      const double share = 1.0 / static_cast<double>(targets.size());
      listed.before += share * share_of_lists(clean.lists, split_, target);
      listed.after += share * share_of_lists(spoilt.lists, split_, target);
      add_share(mean, spoilt.evaluation, share);
    }
    if (targets.empty()) return {};
    return add(model, fmt::format("{} attack {:g} %", attack, 100 * size), mean, clean, listed);
  }

  // Adds a share of one evaluation to the mean of several over the same cases.
  static void add_share(Evaluation& mean, const Evaluation& one, double share) {
    if (mean.metrics.empty()) {
      mean = one;
      for (MetricValue& metric : mean.metrics) {
        metric.mean = 0;
        std::fill(metric.per_case.begin(), metric.per_case.end(), 0.0f);
      }
    }
    for (std::size_t m = 0; m < one.metrics.size(); ++m) {
      mean.metrics[m].mean += share * one.metrics[m].mean;
      for (std::size_t i = 0; i < one.metrics[m].per_case.size(); ++i)
        mean.metrics[m].per_case[i] += static_cast<float>(share) * one.metrics[m].per_case[i];
    }
  }

  Status add(const RecipeModel& model, std::string treatment, const Evaluation& spoilt,
             const Measured& clean, std::optional<Listed> listed) {
    RobustnessRow row{.model = model.name, .treatment = std::move(treatment), .lost = {}};
    row.value = spoilt.find(recipe_.choose_by)->mean;
    VT_TRY(row.lost, compare(run_, spoilt, clean.evaluation, recipe_.choose_by, how_));
    row.attack = listed.has_value();
    if (listed) row.listed_before = listed->before, row.listed_after = listed->after;
    table_.rows.push_back(std::move(row));
    return {};
  }

  const Run& run_;
  const Recipe& recipe_;
  const RecipeSplits& data_;
  const Split& split_;
  const std::vector<std::uint32_t> counts_;
  RobustnessTable& table_;
  EvaluateOptions how_;
};

}  // namespace

Histories with_noise(const Histories& train, double share, const Random& random) {
  const auto extra = static_cast<std::uint64_t>(share * static_cast<double>(train.size()));
  std::map<std::uint64_t, std::vector<HistoryEvent>> after;  // event -> the noise that follows it
  for (std::uint64_t n = 0; n < extra; ++n) {
    const std::uint64_t at = random.below(2 * n, train.size());
    HistoryEvent event = train.events()[at];
    event.item = ItemIndex{static_cast<std::uint32_t>(random.below(2 * n + 1, train.items()))};
    after[at].push_back(event);
  }
  std::vector<std::uint64_t> offsets{0};
  std::vector<HistoryEvent> events;
  events.reserve(train.size() + extra);
  for (std::size_t r = 0; r < train.rows(); ++r) {
    for (std::uint64_t i = train.offsets()[r]; i < train.offsets()[r + 1]; ++i) {
      events.push_back(train.events()[i]);
      const auto found = after.find(i);
      if (found != after.end())
        events.insert(events.end(), found->second.begin(), found->second.end());
    }
    offsets.push_back(events.size());
  }
  return {std::move(offsets), std::move(events), train.users(), train.items()};
}

Histories with_attack(const Histories& train, std::string_view attack, ItemIndex target,
                      std::size_t profiles, std::size_t profile_items, const Random& random) {
  const Values values = values_of(train);
  std::vector<std::uint64_t> offsets(train.offsets().begin(), train.offsets().end());
  std::vector<HistoryEvent> events(train.events().begin(), train.events().end());
  if (events.empty()) return train;
  const auto popular = most_taken(
      train, attack == "bandwagon"
                 ? std::max<std::size_t>(1, static_cast<std::size_t>(
                                                kPopularShare * static_cast<double>(profile_items)))
                 : 0);
  const HistoryEvent like = train.events()[0];
  const auto take = [&](ItemIndex item, float value, std::uint32_t group) {
    HistoryEvent event = like;
    event.item = item;
    event.value = value;
    event.time = train.last_time();
    event.group = group;
    events.push_back(event);
  };
  for (std::size_t p = 0; p < profiles; ++p) {
    const Random own = random.fork(p);
    std::vector<ItemIndex> filler(popular.begin(), popular.end());
    for (std::uint64_t draw = 0; filler.size() < profile_items && draw < 20 * profile_items;
         ++draw) {
      const ItemIndex item =
          attack == "average"
              ? train.events()[own.below(draw, train.size())].item
              : ItemIndex{static_cast<std::uint32_t>(own.below(draw, train.items()))};
      if (item != target && std::find(filler.begin(), filler.end(), item) == filler.end())
        filler.push_back(item);
    }
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < filler.size(); ++i) {
      const float value = i < popular.size()    ? values.most
                          : attack == "average" ? values.of_item[raw(filler[i])]
                                                : values.mean;
      take(filler[i], value, group++);
    }
    take(target, values.most, group);
    offsets.push_back(events.size());
  }
  return {std::move(offsets), std::move(events), train.users(), train.items()};
}

std::vector<ItemIndex> attack_targets(const Histories& train, std::size_t count,
                                      const Random& random) {
  const std::vector<std::uint32_t> counts = item_counts(train);
  std::vector<std::uint32_t> known;
  for (std::uint32_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) known.push_back(i);
  }
  std::stable_sort(known.begin(), known.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return counts[a] < counts[b]; });
  known.resize((known.size() + 1) / 2);
  std::vector<ItemIndex> targets;
  for (std::size_t i = 0; i < std::min(count, known.size()); ++i) {
    std::swap(known[i], known[i + random.below(i, known.size() - i)]);
    targets.push_back(ItemIndex{known[i]});
  }
  return targets;
}

Result<RobustnessTable> run_robustness(const Run& run, const Recipe& recipe,
                                       const RecipeSplits& data) {
  RobustnessTable table;
  const Run own{Random(kFirstSeed), run.pool, run.monitor};
  for (const RecipeModel& model : recipe.models) {
    VT_TRY(const Split split, split_of_row(recipe, model, data.splits.front()));
    auto tested = Tester(own, recipe, data, split, table).test(model);
    if (!tested.ok()) return tested.error().prefixed(recipe.path);
  }
  std::vector<Comparison*> compared;
  for (RobustnessRow& row : table.rows) {
    if (row.treatment != "clean") compared.push_back(&row.lost);
  }
  VT_TRY(adjust(compared, recipe.evaluate.correction));
  return table;
}

Value RobustnessTable::to_json() const {
  List out;
  for (const RobustnessRow& row : rows) {
    Table entry{{"model", row.model}, {"treatment", row.treatment}, {"value", row.value}};
    if (row.treatment != "clean") {
      entry.set("lost", Table{{"difference", row.lost.difference},
                              {"low", row.lost.low},
                              {"high", row.lost.high},
                              {"p", row.lost.p},
                              {"p_adjusted", row.lost.p_adjusted}});
    }
    if (row.attack) {
      entry.set("target_listed_before", row.listed_before);
      entry.set("target_listed_after", row.listed_after);
    }
    out.push_back(std::move(entry));
  }
  return Table{{"metric", metric}, {"list_length", list_length}, {"rows", std::move(out)}};
}

}  // namespace vitrine

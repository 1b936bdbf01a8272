#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "data/split.h"
#include "model/blend_members.h"

namespace vitrine {
namespace {

constexpr std::size_t kCasesMax = 5'000;  // persons that are asked, spread evenly over all
constexpr std::size_t kCasesMin = 20;     // fewer teach nothing
constexpr int kCandidates = 100;          // of each member and case
constexpr std::size_t kCutoff = 20;       // of the ndcg
constexpr std::int64_t kGrain = 256;      // cases

// The items that could be listed for one case, and what each member says of them.
struct Question {
  std::vector<float> values;   // item by item, one of each member
  std::vector<bool> relevant;  // by item
  double ideal = 0;            // DCG of the best list
};

double gain(std::size_t place) { return 1 / std::log2(static_cast<double>(place) + 2); }

std::vector<ItemIndex> distinct_items(std::span<const HistoryEvent> history) {
  std::vector<ItemIndex> items;
  for (const HistoryEvent& event : history) items.push_back(event.item);
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  return items;
}

class WeightSearch {
 public:
  WeightSearch(const Run& run, const BlendOptions& options, std::span<const BlendMember> members)
      : run_(run), options_(options), members_(members) {}

  Status ask(const Split& split) {
    const std::size_t cases = std::min(split.cases(), kCasesMax);
    questions_.resize(cases);
    Stage stage(run_.monitor, "blend: ask the members", cases, "cases");
    VT_TRY(stage.proceed(0));
    const auto grain = static_cast<std::size_t>(kGrain);
    const std::size_t round = grain * 16;
    for (std::size_t begin = 0; begin < cases; begin += round) {
      const std::size_t end = std::min(begin + round, cases);
      parallel_for(run_.pool, static_cast<std::int64_t>(end - begin), kGrain,
                   [&](std::int64_t from, std::int64_t to) {
                     const std::size_t most = queries_at_once(options_.depth);
                     const std::size_t last = begin + static_cast<std::size_t>(to);
                     for (auto first = begin + static_cast<std::size_t>(from); first < last;
                          first += most) {
                       ask_some(split, first, std::min(first + most, last));
                     }
                   });
      VT_TRY(stage.proceed(end));
    }
    std::erase_if(questions_, [](const Question& q) { return q.ideal == 0; });
    return {};
  }
  std::size_t questions() const { return questions_.size(); }

  // One weight in turn is multiplied, divided or set to 0, by smaller and smaller steps.
  Result<std::vector<float>> search() {
    std::vector<float> best(members_.size(), 1.0f);
    double best_metric = metric(best);
    const auto attempt = [&](std::size_t m, float weight) {
      std::vector<float> changed = best;
      changed[m] = weight;
      if (std::all_of(changed.begin(), changed.end(), [](float w) { return w == 0; })) return false;
      const double value = metric(changed);
      if (!(value > best_metric)) return false;
      best_metric = value;
      best = std::move(changed);
      return true;
    };
    constexpr float kSteps[] = {4, 2, 1.4f, 1.2f, 1.1f};
    constexpr int kRounds = 8;  // of one step, at most
    Stage stage(run_.monitor, "blend: search weights", std::size(kSteps), "steps");
    for (std::size_t s = 0; s < std::size(kSteps); ++s) {
      VT_TRY(stage.proceed(s));
      bool better = true;
      for (int round = 0; better && round < kRounds; ++round) {
        better = false;
        for (std::size_t m = 0; m < best.size(); ++m) {
          const float weight = best[m] == 0 ? 0.25f : best[m];
          for (const float tried : {weight * kSteps[s], weight / kSteps[s], 0.0f}) {
            better = attempt(m, tried) || better;
          }
        }
      }
    }
    note(best, best_metric);
    return best;
  }

 private:
  void ask_some(const Split& split, std::size_t begin, std::size_t end) {
    std::vector<std::vector<ItemIndex>> owned, truth;
    std::vector<Query> queries;
    std::vector<ItemMask> masks(end - begin);
    for (std::size_t i = begin; i < end; ++i) {
      const EvaluationCase c = split[i * split.cases() / questions_.size()];
      owned.emplace_back();
      if (options_.repeat == "never") owned.back() = distinct_items(c.history);
      truth.emplace_back();
      std::set_difference(c.truth.begin(), c.truth.end(), owned.back().begin(), owned.back().end(),
                          std::back_inserter(truth.back()));
      queries.push_back({.history = c.history, .user = c.user, .now = c.now});
    }
    for (std::size_t q = 0; q < masks.size(); ++q) masks[q].excluded = owned[q];
    const MemberLists lists(members_, queries, options_.depth);
    std::vector<CandidateBlock> best(members_.size());
    for (std::size_t m = 0; m < members_.size(); ++m) {
      members_[m].model->retrieve(queries, masks, kCandidates, best[m]);
    }
    for (std::size_t q = 0; q < queries.size(); ++q) {
      std::vector<ItemIndex> items;
      for (const CandidateBlock& block : best) {
        for (const Candidate& c : block.row(q)) items.push_back(c.item);
      }
      std::sort(items.begin(), items.end());
      items.erase(std::unique(items.begin(), items.end()), items.end());
      questions_[begin + q] = question(lists, queries[q], q, items, truth[q]);
    }
  }

  Question question(const MemberLists& lists, const Query& query, std::size_t q,
                    std::span<const ItemIndex> items, std::span<const ItemIndex> truth) const {
    Question question;
    const std::size_t members = members_.size();
    question.values.resize(items.size() * members);
    const std::vector<float> scales = lists.scales(q);
    std::vector<float> scores(items.size());
    for (std::size_t m = 0; m < members; ++m) {
      if (options_.normalize == "rank") {
        std::fill(scores.begin(), scores.end(), 0.0f);
        const auto list = lists.list(m, q);
        for (std::size_t p = 0; p < list.size(); ++p) {
          const auto at = std::lower_bound(items.begin(), items.end(), list[p].item);
          if (at == items.end() || *at != list[p].item) continue;
          scores[static_cast<std::size_t>(at - items.begin())] = reciprocal_rank(p);
        }
      } else {
        members_[m].model->score(query, items, scores);
        for (float& score : scores) score *= scales[m];
      }
      for (std::size_t i = 0; i < items.size(); ++i) {
        question.values[i * members + m] = scores[i];
      }
    }
    question.relevant.resize(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      question.relevant[i] = std::binary_search(truth.begin(), truth.end(), items[i]);
    }
    for (std::size_t p = 0; p < std::min(truth.size(), kCutoff); ++p) question.ideal += gain(p);
    return question;
  }

  // Mean ndcg@20. Only the places of the relevant items matter.
  double metric(std::span<const float> weights) const {
    const auto count = static_cast<std::int64_t>(questions_.size());
    std::vector<double> blocks(static_cast<std::size_t>((count + kGrain - 1) / kGrain));
    parallel_for(run_.pool, count, kGrain, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> sums;
      double sum = 0;
      for (auto q = begin; q < end; ++q) {
        sum += ndcg(questions_[static_cast<std::size_t>(q)], weights, sums);
      }
      blocks[static_cast<std::size_t>(begin / kGrain)] = sum;
    });
    double sum = 0;
    for (const double block : blocks) sum += block;
    return sum / static_cast<double>(count);
  }

  static double ndcg(const Question& question, std::span<const float> weights,
                     std::vector<float>& sums) {
    const std::size_t items = question.relevant.size();
    sums.assign(items, 0);
    const float* value = question.values.data();
    for (std::size_t i = 0; i < items; ++i) {
      for (const float weight : weights) sums[i] += weight * *value++;
    }
    double dcg = 0;
    for (std::size_t i = 0; i < items; ++i) {
      if (!question.relevant[i]) continue;
      std::size_t place = 0;
      for (std::size_t j = 0; j < items; ++j) {
        place += static_cast<std::size_t>(sums[j] > sums[i] || (sums[j] == sums[i] && j < i));
      }
      if (place < kCutoff) dcg += gain(place);
    }
    return dcg / question.ideal;
  }

  void note(std::span<const float> weights, double value) const {
    std::string text;
    for (std::size_t m = 0; m < weights.size(); ++m) {
      text += fmt::format(" {}={:.3g}", members_[m].name, weights[m]);
    }
    run_.monitor.note(
        fmt::format("blend:{}: ndcg@20 {:.4f} on {} cases", text, value, questions_.size()));
  }

  const Run& run_;
  const BlendOptions& options_;
  std::span<const BlendMember> members_;
  std::vector<Question> questions_;
};

Result<std::optional<Split>> hold_out(const Run& run, const BlendOptions& options,
                                      const Histories& histories) {
  SplitOptions how;
  how.kind = options.validation;
  how.test_share = options.validation_share;
  const Run own{run.random.fork("blend"), run.pool, run.monitor};
  auto split = make_split(own, histories, how);
  if (split.ok()) return std::optional(std::move(split).value());
  if (split.error().code == Code::kInvalid) return std::optional<Split>();
  return split.error();
}

}  // namespace

Result<std::vector<float>> learn_weights(const Run& run, const BlendOptions& options,
                                         std::vector<BlendMember>& members,
                                         const TrainingSet& set) {
  std::vector<float> equal(members.size(), 1.0f);
  VT_TRY(const std::optional<Split> split, hold_out(run, options, set.histories));
  if (!split || split->cases() < kCasesMin) {
    run.monitor.note("blend: too little can be held out to learn weights: all weigh the same");
    return equal;
  }
  const Interactions interactions = build_interactions(split->train(), set.merge);
  VT_TRY(fit_members(
      run, {split->train(), interactions, set.catalogue, set.profiles, nullptr, set.merge},
      members));
  WeightSearch search(run, options, members);
  VT_TRY(search.ask(*split));
  std::vector<float> weights = equal;
  if (search.questions() >= kCasesMin) {
    VT_TRY(weights, search.search());
  }
  for (BlendMember& member : members) member.model.reset();
  return weights;
}

}  // namespace vitrine

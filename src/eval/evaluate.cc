#include "eval/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "eval/bootstrap.h"
#include "eval/metrics.h"
#include "eval/ratings.h"

namespace vitrine {
namespace {

constexpr std::int64_t kBatch = 256;  // cases that are asked together
constexpr std::string_view kSampled = "sampled_";

// What is measured of each case: one column per metric and cutoff.
struct Column {
  const Metric* metric;
  std::size_t cutoff;
  std::string name;
};

struct Plan {
  std::vector<std::size_t> cutoffs;
  std::size_t longest = 0;
  std::vector<Column> columns;
  std::size_t negatives = 0;  // > 0: sampled ranking among so many random items
  bool given = false;         // sampled ranking among the items that each case names
  bool auc = false;
  bool never_repeat = true;
  std::array<bool, 256> seen{};  // by event type: it makes an item one that a person has

  bool sampled() const { return negatives > 0 || given; }
};

Status read_seen(const std::vector<std::string>& names, std::array<bool, 256>& seen) {
  seen.fill(names.empty());
  const EventTypes types;
  for (const std::string& name : names) {
    auto type = types.find(name);
    if (!type.ok()) return type.error().prefixed("seen");
    seen[static_cast<std::size_t>(*type)] = true;
  }
  return {};
}

Result<std::vector<std::size_t>> parse_cutoffs(const std::vector<std::string>& texts) {
  std::vector<std::size_t> cutoffs;
  for (const std::string& text : texts) {
    int k = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), k);
    if (error != std::errc{} || end != text.data() + text.size() || k < 1 || k > kCutoffMax) {
      return Error{Code::kInvalid, fmt::format("cutoffs: \"{}\" is not a whole number from 1 to {}",
                                               text, kCutoffMax)};
    }
    const auto cutoff = static_cast<std::size_t>(k);
    if (std::find(cutoffs.begin(), cutoffs.end(), cutoff) == cutoffs.end()) {
      cutoffs.push_back(cutoff);
    }
  }
  if (cutoffs.empty()) return Error{Code::kInvalid, "cutoffs: give at least one list length"};
  return cutoffs;
}

Result<Plan> make_plan(const Recommender& recommender, const Split& split,
                       const EvaluateOptions& options) {
  Plan plan;
  VT_TRY(read_seen(options.seen, plan.seen));
  plan.given = split.has_given_items();
  VT_TRY(plan.cutoffs, parse_cutoffs(options.cutoffs));
  plan.longest = *std::max_element(plan.cutoffs.begin(), plan.cutoffs.end());
  plan.negatives = static_cast<std::size_t>(std::max(0, options.sampled_negatives));
  plan.never_repeat = options.repeat != "always";
  if (options.repeat != "always" && options.repeat != "never") {
    return Error{Code::kInvalid,
                 fmt::format("repeat: \"{}\" is neither never nor always", options.repeat)};
  }
  if ((plan.sampled() || options.ratings) && !recommender.score_all) {
    return Error{Code::kUnsupported,
                 fmt::format("{}: sampled metrics and ratings need the scores of all items, "
                             "which it cannot give; set sampled_negatives = 0 and ratings = false",
                             recommender.name)};
  }
  plan.auc = options.auc && recommender.score_all != nullptr;
  const std::string prefix(plan.sampled() ? kSampled : "");
  for (const Metric& metric : all_metrics()) {
    if (metric.of_list != nullptr) {
      for (const std::size_t k : plan.cutoffs) {
        plan.columns.push_back({&metric, k, prefix + metric_name(metric, k)});
      }
    } else if (metric.of_scores != nullptr && plan.auc) {
      plan.columns.push_back({&metric, 0, metric_name(metric, 0)});
    }
  }
  return plan;
}

// A case as it is asked: what its person has, and what counts as truth.
struct Question {
  std::vector<ItemIndex> owned, truth;  // ascending

  Question(const EvaluationCase& c, const Plan& plan) {
    for (const HistoryEvent& event : c.history) {
      if (plan.seen[static_cast<std::size_t>(event.type)]) owned.push_back(event.item);
    }
    std::sort(owned.begin(), owned.end());
    owned.erase(std::unique(owned.begin(), owned.end()), owned.end());
    if (plan.never_repeat) {
      std::set_difference(c.truth.begin(), c.truth.end(), owned.begin(), owned.end(),
                          std::back_inserter(truth));
    } else {
      truth.assign(c.truth.begin(), c.truth.end());
    }
  }
};

// The cases whose truth is not empty, ascending.
std::vector<std::size_t> askable(const Run& run, const Split& split, const Plan& plan) {
  std::vector<std::uint8_t> keep(split.cases());
  parallel_for(run.pool, static_cast<std::int64_t>(split.cases()), kBatch,
               [&](std::int64_t begin, std::int64_t end) {
                 for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end);
                      ++i) {
                   keep[i] = Question(split[i], plan).truth.empty() ? 0 : 1;
                 }
               });
  std::vector<std::size_t> cases;
  for (std::size_t i = 0; i < keep.size(); ++i) {
    if (keep[i] != 0) cases.push_back(i);
  }
  return cases;
}

// One recommender over all cases. Everything that threads share is either theirs by case or a
// count.
class Pass {
 public:
  Pass(const Run& run, const Recommender& recommender, const Split& split,
       std::span<const std::uint32_t> item_counts, const Plan& plan, EvaluatedLists* lists)
      : run_(run),
        recommender_(recommender),
        split_(split),
        counts_(item_counts),
        plan_(plan),
        lists_(lists),
        random_(run.random.fork("eval/negatives")),
        cases_(askable(run, split, plan)),
        values_(cases_.size() * plan.columns.size()),
        exposure_(plan.cutoffs.size(), std::vector<std::uint32_t>(item_counts.size())),
        list_popularity_(cases_.size() * plan.cutoffs.size()),
        history_popularity_(cases_.size()) {
    if (lists_ == nullptr) return;
    lists_->cases = cases_;
    lists_->lists.reset(cases_.size(), plan.longest);
    lists_->truth.assign(cases_.size(), {});
  }

  Status ask_all() {
    Stage stage(run_.monitor, "evaluate " + recommender_.name, cases_.size(), "cases");
    std::atomic<std::uint64_t> done = 0;
    std::atomic<bool> cancelled = false;
    parallel_for(run_.pool, static_cast<std::int64_t>(cases_.size()), kBatch,
                 [&](std::int64_t begin, std::int64_t end) {
                   if (cancelled) return;
                   ask(static_cast<std::size_t>(begin), static_cast<std::size_t>(end));
                   const auto step = static_cast<std::uint64_t>(end - begin);
                   if (stage.advance(done += step) == Verdict::kCancel) cancelled = true;
                 });
    if (cancelled) return Error{Code::kCancelled, "cancelled"};
    return {};
  }

  std::size_t cases() const { return cases_.size(); }
  std::span<const float> values() const { return values_; }  // cases x columns
  Exposure exposure(std::size_t cutoff, std::uint64_t training_persons) const;

 private:
  void ask(std::size_t begin, std::size_t end);
  void measure(std::size_t at, const Question& question, const Query& query,
               std::span<const Candidate> ranked, std::vector<float>& scores);
  void expose(std::size_t at, std::span<const ItemIndex> list, std::span<const ItemIndex> owned);
  std::vector<ItemIndex> sampled_list(std::size_t at, const Question& question,
                                      std::span<const float> scores) const;
  float mean_popularity(std::span<const ItemIndex> items) const;

  const Run& run_;
  const Recommender& recommender_;
  const Split& split_;
  std::span<const std::uint32_t> counts_;
  const Plan& plan_;
  EvaluatedLists* lists_;
  Random random_;
  std::vector<std::size_t> cases_;
  std::vector<float> values_;
  std::vector<std::vector<std::uint32_t>> exposure_;  // by cutoff, by item
  std::vector<float> list_popularity_;                // cases x cutoffs; NaN: nothing listed
  std::vector<float> history_popularity_;             // by case; NaN: nothing known
};

void Pass::ask(std::size_t begin, std::size_t end) {
  std::vector<Question> questions;
  std::vector<Query> queries;
  questions.reserve(end - begin);
  for (std::size_t at = begin; at < end; ++at) {
    const EvaluationCase c = split_[cases_[at]];
    questions.emplace_back(c, plan_);
    queries.push_back({.history = c.history, .user = c.user, .now = c.now});
  }
  std::vector<std::span<const ItemIndex>> excluded(questions.size());
  for (std::size_t q = 0; plan_.never_repeat && q < questions.size(); ++q) {
    excluded[q] = questions[q].owned;
  }
  CandidateBlock block;
  if (!plan_.sampled() || lists_ != nullptr) {
    recommender_.recommend(queries, excluded, static_cast<int>(plan_.longest), block);
  } else {
    block.reset(queries.size(), plan_.longest);
  }
  std::vector<float> scores;
  for (std::size_t q = 0; q < questions.size(); ++q) {
    measure(begin + q, questions[q], queries[q], block.row(q), scores);
    if (lists_ == nullptr) continue;
    const std::span<const Candidate> row = block.row(q);
    std::copy(row.begin(), row.end(), lists_->lists.room(begin + q).begin());
    lists_->lists.set_count(begin + q, row.size());
    lists_->truth[begin + q] = std::move(questions[q].truth);
  }
}

void Pass::measure(std::size_t at, const Question& question, const Query& query,
                   std::span<const Candidate> ranked, std::vector<float>& scores) {
  if (plan_.sampled() || plan_.auc) {
    scores.assign(counts_.size(), 0.0f);
    recommender_.score_all(query, scores);
  }
  std::vector<ItemIndex> list;
  if (plan_.sampled()) {
    list = sampled_list(at, question, scores);
  } else {
    for (const Candidate& c : ranked.first(std::min(ranked.size(), plan_.longest))) {
      list.push_back(c.item);
    }
    expose(at, list, question.owned);
  }
  std::vector<std::uint32_t> ranks;
  find_hits(list, question.truth, ranks);
  const Hits hits{ranks, question.truth.size()};
  float* row = values_.data() + at * plan_.columns.size();
  const std::span<const ItemIndex> excluded = plan_.never_repeat
                                                  ? std::span<const ItemIndex>(question.owned)
                                                  : std::span<const ItemIndex>();
  for (const Column& column : plan_.columns) {
    const Metric& metric = *column.metric;
    *row++ = static_cast<float>(metric.of_list != nullptr
                                    ? metric.of_list(hits, column.cutoff)
                                    : metric.of_scores(scores, question.truth, excluded));
  }
}

// The truth and the items that it is ranked among, by score: those that the case names, or random
// ones that are neither truth nor excluded (fewer where the catalogue has fewer).
std::vector<ItemIndex> Pass::sampled_list(std::size_t at, const Question& question,
                                          std::span<const float> scores) const {
  const Random random = random_.fork(cases_[at]);
  const auto contains = [](const std::vector<ItemIndex>& sorted, ItemIndex i) {
    return std::binary_search(sorted.begin(), sorted.end(), i);
  };
  std::set<ItemIndex> drawn;
  const EvaluationCase asked = split_[cases_[at]];
  for (const ItemIndex i : asked.against) {
    const bool left = plan_.never_repeat && contains(question.owned, i) &&
                      std::binary_search(asked.truth.begin(), asked.truth.end(), i);
    if (!left) drawn.insert(i);  // truth that left the question is no rival either
  }
  const std::uint64_t tries =
      scores.empty() || plan_.given ? 0 : 20 * std::uint64_t{plan_.negatives};
  for (std::uint64_t t = 0; t < tries && drawn.size() < plan_.negatives; ++t) {
    const ItemIndex i{static_cast<std::uint32_t>(random.below(t, scores.size()))};
    const bool out =
        contains(question.truth, i) || (plan_.never_repeat && contains(question.owned, i));
    if (!out) drawn.insert(i);
  }
  drawn.insert(question.truth.begin(), question.truth.end());
  std::vector<Candidate> ranked;
  for (const ItemIndex i : drawn) {
    const float score = raw(i) < scores.size() ? scores[raw(i)] : std::nanf("");
    ranked.push_back({i, std::isnan(score) ? -std::numeric_limits<float>::infinity() : score});
  }
  std::sort(ranked.begin(), ranked.end(), better);
  std::vector<ItemIndex> list;
  for (const Candidate& c : ranked) list.push_back(c.item);
  list.resize(std::min(list.size(), plan_.longest));
  return list;
}

void Pass::expose(std::size_t at, std::span<const ItemIndex> list,
                  std::span<const ItemIndex> owned) {
  history_popularity_[at] = mean_popularity(owned);
  for (std::size_t c = 0; c < plan_.cutoffs.size(); ++c) {
    const auto top = list.first(std::min(list.size(), plan_.cutoffs[c]));
    list_popularity_[at * plan_.cutoffs.size() + c] = mean_popularity(top);
    for (const ItemIndex i : top) {
      if (raw(i) >= counts_.size()) continue;
      std::atomic_ref(exposure_[c][raw(i)]).fetch_add(1, std::memory_order_relaxed);
    }
  }
}

float Pass::mean_popularity(std::span<const ItemIndex> items) const {
  double sum = 0, known = 0;
  for (const ItemIndex i : items) {
    if (raw(i) >= counts_.size()) continue;
    sum += counts_[raw(i)];
    ++known;
  }
  return known > 0 ? static_cast<float>(sum / known) : std::nanf("");
}

Exposure Pass::exposure(std::size_t cutoff, std::uint64_t training_persons) const {
  double listed = 0, owned = 0;
  for (std::size_t at = 0; at < cases_.size(); ++at) {
    const float list = list_popularity_[at * plan_.cutoffs.size() + cutoff];
    const float history = history_popularity_[at];
    if (std::isnan(list) || std::isnan(history)) continue;
    listed += static_cast<double>(list);
    owned += static_cast<double>(history);
  }
  // Both are sums over the same cases: their ratio is that of the means.
  return {exposure_[cutoff], counts_, training_persons, listed, owned};
}

std::uint64_t persons_with_history(const Histories& histories) {
  std::uint64_t persons = 0;
  for (std::size_t r = 0; r < histories.rows(); ++r) persons += histories.row(r).empty() ? 0 : 1;
  return persons;
}

std::vector<MetricValue> case_metrics(const Run& run, const Pass& pass, const Plan& plan,
                                      const EvaluateOptions& options) {
  const std::size_t width = plan.columns.size();
  const std::vector<double> means = resample_means(run, pass.values(), width, options.bootstrap);
  const std::size_t resamples = width == 0 ? 0 : means.size() / width;
  std::vector<MetricValue> metrics;
  for (std::size_t c = 0; c < width; ++c) {
    MetricValue value;
    value.name = plan.columns[c].name;
    value.per_case.resize(pass.cases());
    double sum = 0;
    for (std::size_t i = 0; i < pass.cases(); ++i) {
      value.per_case[i] = pass.values()[i * width + c];
      sum += static_cast<double>(value.per_case[i]);
    }
    value.mean = pass.cases() == 0 ? 0 : sum / static_cast<double>(pass.cases());
    value.low = value.high = value.mean;
    if (resamples > 0) {
      std::vector<double> column(resamples);
      for (std::size_t r = 0; r < resamples; ++r) column[r] = means[r * width + c];
      const Interval interval = percentile_interval(column, options.confidence);
      value.low = interval.low, value.high = interval.high;
    }
    metrics.push_back(std::move(value));
  }
  return metrics;
}

std::vector<MetricValue> whole_metrics(const Pass& pass, const Plan& plan,
                                       std::uint64_t training_persons) {
  std::vector<MetricValue> metrics;
  for (const Metric& metric : all_metrics()) {
    if (metric.of_whole == nullptr) continue;
    for (std::size_t c = 0; c < plan.cutoffs.size(); ++c) {
      const double value = metric.of_whole(pass.exposure(c, training_persons));
      metrics.push_back({metric_name(metric, plan.cutoffs[c]), value, value, value, {}});
    }
  }
  return metrics;
}

void note_peculiarities(const Run& run, const std::string& name, const Plan& plan,
                        const Evaluation& evaluation) {
  if (plan.sampled()) {
    run.monitor.note(fmt::format(
        "{}: sampled metrics rank the truth among {} items; they are not comparable with full "
        "ranking, nor models by them with each other",
        name, plan.given ? "listed" : fmt::format("{} random", plan.negatives)));
  }
  if (evaluation.cases == 0) {
    run.monitor.note(fmt::format("{}: none of the {} persons has anything left to find", name,
                                 evaluation.skipped));
  }
}

Result<const MetricValue*> metric_of(const Evaluation& evaluation, std::string_view metric) {
  const MetricValue* value = evaluation.find(metric);
  if (value == nullptr) {
    std::vector<std::string_view> known;
    for (const MetricValue& m : evaluation.metrics) known.push_back(m.name);
    return Error{Code::kInvalid,
                 fmt::format("{} has no metric \"{}\"; it has {}", evaluation.recommender, metric,
                             fmt::join(known, ", "))};
  }
  if (value->per_case.size() != evaluation.cases) {
    return Error{Code::kInvalid,
                 fmt::format("{} is a metric of all lists together and cannot be paired", metric)};
  }
  return value;
}

}  // namespace

const MetricValue* Evaluation::find(std::string_view metric) const {
  const auto found = std::find_if(metrics.begin(), metrics.end(),
                                  [&](const MetricValue& m) { return m.name == metric; });
  return found == metrics.end() ? nullptr : &*found;
}

Result<Evaluation> evaluate(const Run& run, const Recommender& recommender, const Split& split,
                            std::span<const std::uint32_t> item_counts,
                            const EvaluateOptions& options, EvaluatedLists* lists) {
  VT_TRY(const Plan plan, make_plan(recommender, split, options));
  Pass pass(run, recommender, split, item_counts, plan, lists);
  const Usage before = run.monitor.usage();
  VT_TRY(pass.ask_all());
  Evaluation evaluation;
  evaluation.usage = run.monitor.usage();
  evaluation.usage.elapsed_s -= before.elapsed_s;
  evaluation.usage.cpu_s -= before.cpu_s;
  evaluation.recommender = recommender.name;
  evaluation.cases = pass.cases();
  evaluation.skipped = split.cases() - pass.cases();
  evaluation.metrics = case_metrics(run, pass, plan, options);
  if (options.ratings) {
    VT_TRY(auto errors, rating_errors(run, recommender, split, item_counts.size(), options));
    std::move(errors.begin(), errors.end(), std::back_inserter(evaluation.metrics));
  }
  if (!plan.sampled()) {
    auto whole = whole_metrics(pass, plan, persons_with_history(split.train()));
    std::move(whole.begin(), whole.end(), std::back_inserter(evaluation.metrics));
  }
  note_peculiarities(run, recommender.name, plan, evaluation);
  return evaluation;
}

Result<Comparison> compare(const Run& run, const Evaluation& evaluation, const Evaluation& baseline,
                           std::string_view metric, const EvaluateOptions& options) {
  VT_TRY(const MetricValue* ours, metric_of(evaluation, metric));
  VT_TRY(const MetricValue* theirs, metric_of(baseline, metric));
  if (evaluation.cases != baseline.cases) {
    return Error{Code::kInvalid, fmt::format("{} was measured on {} persons and {} on {}: they "
                                             "cannot be paired",
                                             evaluation.recommender, evaluation.cases,
                                             baseline.recommender, baseline.cases)};
  }
  std::vector<float> differences(ours->per_case.size());
  for (std::size_t i = 0; i < differences.size(); ++i) {
    differences[i] = ours->per_case[i] - theirs->per_case[i];
  }
  Comparison comparison{.metric = std::string(metric),
                        .recommender = evaluation.recommender,
                        .baseline = baseline.recommender,
                        .difference = ours->mean - theirs->mean};
  comparison.low = comparison.high = comparison.difference;
  std::vector<double> means = resample_means(run, differences, 1, options.bootstrap);
  if (means.empty()) return comparison;
  comparison.p = comparison.p_adjusted = two_sided_p(means);
  const Interval interval = percentile_interval(means, options.confidence);
  comparison.low = interval.low, comparison.high = interval.high;
  return comparison;
}

}  // namespace vitrine

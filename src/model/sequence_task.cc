#include "model/sequence_task.h"

#include <algorithm>
#include <cmath>

#include "nn/dense.h"

namespace vitrine {

SequenceTask::SequenceTask(const SequenceOptions& options, const TrainingSet& set,
                           const KnownItems& known, const SequenceNetwork& network,
                           Prediction prediction, double hidden_share)
    : options_(options),
      known_(known),
      network_(network),
      prediction_(prediction),
      hidden_share_(hidden_share) {
  cut_windows(set);
  prepare_draws(set);
  if (prediction == Prediction::kHidden) hidden_.resize(events_.size());
}

void SequenceTask::cut_windows(const TrainingSet& set) {
  const auto most =
      static_cast<std::uint32_t>(options_.length) + (prediction_ == Prediction::kNext ? 1 : 0);
  for (std::size_t r = 0; r < set.histories.rows(); ++r) {
    const auto first = static_cast<std::uint32_t>(events_.size());
    for (const HistoryEvent& event : set.histories.row(r)) {
      if (known_.has(event.item) && event.weight > 0) events_.push_back(event);
    }
    // The first event of a window is the last of the one before, where it has to be predicted.
    const std::uint32_t shared = prediction_ == Prediction::kNext ? 1 : 0;
    auto end = static_cast<std::uint32_t>(events_.size());
    while (end > first) {
      const std::uint32_t begin = end - first > most ? end - most : first;
      if (end - begin >= 2) windows_.push_back({begin, end});
      end = begin == first ? first : begin + shared;
    }
  }
}

void SequenceTask::prepare_draws(const TrainingSet& set) {
  if (static_cast<std::size_t>(options_.negatives) >= known_.seen().size()) {
    negatives_.assign(known_.seen().begin(), known_.seen().end());
    return;
  }
  double sum = 0;
  for (const std::uint32_t item : known_.seen()) {
    const auto persons = static_cast<double>(set.interactions.by_item.row(item).size());
    cumulative_.push_back(sum += std::pow(persons, options_.negative_exponent));
  }
  if (!options_.log_q) return;
  log_q_of_.assign(known_.items(), 0);
  for (std::size_t s = 0; s < cumulative_.size(); ++s) {
    const double mass = cumulative_[s] - (s == 0 ? 0 : cumulative_[s - 1]);
    log_q_of_[known_.seen()[s]] = static_cast<float>(std::log(options_.negatives * mass / sum));
  }
}

void SequenceTask::draw_negatives(const Random& random) {
  if (cumulative_.empty()) return;  // all are there
  negatives_.clear();
  negative_log_q_.clear();
  for (int n = 0; n < options_.negatives; ++n) {
    const double u = random.uniform(static_cast<std::uint64_t>(n)) * cumulative_.back();
    const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), u);
    const auto place = std::min<std::ptrdiff_t>(
        at - cumulative_.begin(), static_cast<std::ptrdiff_t>(cumulative_.size()) - 1);
    negatives_.push_back(known_.seen()[static_cast<std::size_t>(place)]);
    if (!log_q_of_.empty()) negative_log_q_.push_back(log_q_of_[negatives_.back()]);
  }
}

// Of a window without any hidden event the last is hidden: what serving asks.
void SequenceTask::hide(const Window& window, const Random& random) {
  bool any = false;
  for (std::uint32_t e = window.begin; e < window.end; ++e) {
    hidden_[e] = random.uniform(e - window.begin) < hidden_share_;
    any = any || hidden_[e] != 0;
  }
  if (!any) hidden_[window.end - 1] = 1;
}

void SequenceTask::begin_batch(std::span<const std::uint32_t> examples, const Random& random) {
  draw_negatives(random.fork("negatives"));
  double sum = 0;
  for (const std::uint32_t example : examples) {
    const Window& w = windows_[example];
    if (prediction_ == Prediction::kHidden) hide(w, random.fork("hidden").fork(example));
    for (std::uint32_t e = w.begin; e < w.end; ++e) {
      if (predicted(e, w)) sum += double{events_[e].weight};
    }
  }
  batch_weight_ = sum;
}

void SequenceTask::add_next(Shard& shard, const Window& window) const {
  for (std::uint32_t e = window.begin; e + 1 < window.end; ++e) {
    shard.rows.push_back(static_cast<std::uint32_t>(shard.tokens.items.size()));
    shard.tokens.add(events_[e], raw(events_[e].item));
    shard.targets.push_back(raw(events_[e + 1].item));
    shard.weights.push_back(static_cast<float>(double{events_[e + 1].weight} / batch_weight_));
  }
  shard.tokens.end();
}

void SequenceTask::add_hidden(Shard& shard, const Window& window) const {
  for (std::uint32_t e = window.begin; e < window.end; ++e) {
    const bool hidden = predicted(e, window);
    if (hidden) {
      shard.rows.push_back(static_cast<std::uint32_t>(shard.tokens.items.size()));
      shard.targets.push_back(raw(events_[e].item));
      shard.weights.push_back(static_cast<float>(double{events_[e].weight} / batch_weight_));
    }
    shard.tokens.add(events_[e], hidden ? known_.items() : raw(events_[e].item));
  }
  shard.tokens.end();
}

void SequenceTask::build(nn::Tape& tape, int shard_number,
                         std::span<const std::uint32_t> examples) {
  Shard& shard = shards_[static_cast<std::size_t>(shard_number)];
  shard.tokens.clear();
  shard.targets.clear();
  shard.rows.clear();
  shard.weights.clear();
  for (const std::uint32_t example : examples) {
    if (prediction_ == Prediction::kNext)
      add_next(shard, windows_[example]);
    else
      add_hidden(shard, windows_[example]);
  }
  if (shard.targets.empty()) return;
  nn::Var states = network_.encode(tape, shard.tokens, States::kAll);
  if (prediction_ == Prediction::kHidden) states = select(tape, states, shard.rows);
  add_loss(tape, states, shard);
}

void SequenceTask::add_loss(nn::Tape& tape, nn::Var states, Shard& shard) const {
  nn::Var right = gather(tape, network_.items(), shard.targets);
  nn::Var wrong = gather(tape, network_.items(), negatives_);
  if (options_.cosine) {
    states = normalize(tape, states);
    right = normalize(tape, right);
    wrong = normalize(tape, wrong);
  }
  nn::Candidates c;
  if (options_.loss == "gbce") c.loss = nn::CandidateLoss::kGbce;
  if (options_.loss == "bpr_max") c.loss = nn::CandidateLoss::kBprMax;
  c.beta = static_cast<float>(options_.loss_beta);
  c.temperature = static_cast<float>(options_.temperature);
  c.weights = shard.weights;
  c.right_ids = shard.targets;
  c.wrong_ids = negatives_;
  if (!negative_log_q_.empty()) {
    shard.log_q.clear();
    for (const std::uint32_t item : shard.targets) shard.log_q.push_back(log_q_of_[item]);
    c.right_log_q = shard.log_q;
    c.wrong_log_q = negative_log_q_;
  }
  candidate_loss(tape, states, right, wrong, c);
}

}  // namespace vitrine

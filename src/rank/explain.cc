#include "rank/explain.h"

#include <algorithm>
#include <cmath>

namespace vitrine {
namespace {

constexpr double kSumTolerance = 1e-4;  // relative to what the parts add up to

// Distinct items of a history, the latest first, each with its latest event.
std::vector<HistoryEvent> latest_by_item(std::span<const HistoryEvent> history) {
  std::vector<std::uint32_t> order(history.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return history[a].item != history[b].item ? history[a].item < history[b].item : a > b;
  });
  const auto same_item = [&](std::uint32_t a, std::uint32_t b) {
    return history[a].item == history[b].item;
  };
  order.erase(std::unique(order.begin(), order.end(), same_item), order.end());
  std::sort(order.begin(), order.end(), std::greater<>());
  std::vector<HistoryEvent> latest;
  for (const std::uint32_t i : order) latest.push_back(history[i]);
  return latest;
}

class Explainer {
 public:
  Explainer(const Model& model, const Query& query, std::span<const ItemIndex> items)
      : model_(model), query_(query), items_(items), latest_(latest_by_item(query.history)) {
    query_.user.reset();
  }

  // Rows of losses, one per history item of latest(), each over the listed items; at most `events`
  // rows.
  std::vector<std::vector<float>> losses(std::size_t events) {
    if (events < latest_.size()) latest_.resize(events);
    std::vector<std::vector<float>> rows = sum_of_parts();
    if (!rows.empty()) return rows;
    const std::vector<float> whole = score(query_.history);
    for (std::size_t h = 0; h < latest_.size(); ++h) {
      rows.push_back(score(events_of(latest_[h].item, false)));
      for (std::size_t i = 0; i < items_.size(); ++i) rows[h][i] = whole[i] - rows[h][i];
    }
    return rows;
  }

  std::span<const HistoryEvent> latest() const { return latest_; }

 private:
  std::vector<float> score(std::span<const HistoryEvent> history) const {
    Query query = query_;
    query.history = history;
    std::vector<float> scores(items_.size());
    model_.score(query, items_, scores);
    return scores;
  }

  // The events of `item`, or all the others.
  std::vector<HistoryEvent> events_of(ItemIndex item, bool of_it) const {
    std::vector<HistoryEvent> events;
    events.reserve(query_.history.size());
    for (const HistoryEvent& event : query_.history) {
      if ((event.item == item) == of_it) events.push_back(event);
    }
    return events;
  }

  // The events of items that are not tried, in their order.
  std::vector<HistoryEvent> rest() const {
    std::vector<ItemIndex> tried;
    for (const HistoryEvent& event : latest_) tried.push_back(event.item);
    std::sort(tried.begin(), tried.end());
    std::vector<HistoryEvent> events;
    for (const HistoryEvent& event : query_.history) {
      if (!std::binary_search(tried.begin(), tried.end(), event.item)) events.push_back(event);
    }
    return events;
  }

  // What each history item that is tried gives alone, above what the empty history gives; empty
  // unless these and what all others give together add up to the whole.
  std::vector<std::vector<float>> sum_of_parts() const;

  const Model& model_;
  Query query_;
  std::span<const ItemIndex> items_;
  std::vector<HistoryEvent> latest_;
};

std::vector<std::vector<float>> Explainer::sum_of_parts() const {
  const std::vector<float> whole = score(query_.history), nothing = score({});
  std::vector<double> sums(items_.size()), sizes(items_.size());
  const auto add = [&](std::span<float> part) {
    for (std::size_t i = 0; i < items_.size(); ++i) {
      part[i] -= nothing[i];
      sums[i] += static_cast<double>(part[i]);
      sizes[i] += std::abs(static_cast<double>(part[i]));
    }
  };
  std::vector<std::vector<float>> parts;
  for (const HistoryEvent& event : latest_)
    add(parts.emplace_back(score(events_of(event.item, true))));
  if (const auto others = rest(); !others.empty()) {
    std::vector<float> part = score(others);
    add(part);
  }
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const double gained = static_cast<double>(whole[i]) - static_cast<double>(nothing[i]);
    if (!(std::abs(gained - sums[i]) <= kSumTolerance * (sizes[i] + std::abs(gained)))) return {};
  }
  return parts;
}

std::vector<Reason> strongest(std::span<const HistoryEvent> latest,
                              std::span<const std::vector<float>> losses, std::size_t item,
                              std::size_t most) {
  double sum = 0;
  std::vector<Candidate> ranked;  // item = position in `latest`: equals go to the later event
  for (std::uint32_t h = 0; h < losses.size(); ++h) {
    const float loss = losses[h][item];
    if (!(loss > 0) || !std::isfinite(loss)) continue;
    sum += static_cast<double>(loss);
    ranked.push_back({ItemIndex{h}, loss});
  }
  std::sort(ranked.begin(), ranked.end(), better);
  ranked.resize(std::min(ranked.size(), most));
  std::vector<Reason> reasons;
  for (const Candidate& c : ranked) {
    const HistoryEvent& event = latest[raw(c.item)];
    reasons.push_back({event.item, event.type, event.time,
                       static_cast<float>(static_cast<double>(c.score) / sum)});
  }
  return reasons;
}

}  // namespace

std::vector<std::vector<Reason>> explain(const Model& model, const Query& query,
                                         std::span<const ItemIndex> items,
                                         const ExplainOptions& options) {
  std::vector<std::vector<Reason>> reasons(items.size());
  if (items.empty() || query.history.empty() || options.reasons == 0) return reasons;
  Explainer explainer(model, query, items);
  const std::vector<std::vector<float>> losses = explainer.losses(options.events);
  for (std::size_t i = 0; i < items.size(); ++i) {
    reasons[i] = strongest(explainer.latest(), losses, i, options.reasons);
  }
  return reasons;
}

}  // namespace vitrine

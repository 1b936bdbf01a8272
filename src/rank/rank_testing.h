// Small obvious models for the tests of rank/: they take any history, obey no more than a test asks
// of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "model/model.h"

namespace vitrine::rank_testing {

inline std::vector<HistoryEvent> history_of(const std::vector<std::uint32_t>& items) {
  std::vector<HistoryEvent> events;
  for (const std::uint32_t i : items) {
    events.push_back({.item = ItemIndex{i}, .time = static_cast<Timestamp>(1000 + events.size())});
  }
  return events;
}

// score(j) = bias(j) + sum over events e, the latest last, of decay^(events after e) weight(item of
// e, j). With decay 1 a linear model; otherwise leaving one event out changes what the earlier ones
// weigh.
class TableModel final : public Model {
 public:
  TableModel(std::uint32_t items, std::uint64_t seed, double decay = 1, double bias = 0)
      : items_(items), random_(seed), decay_(decay), bias_(bias) {}

  double weight(ItemIndex from, ItemIndex to) const {
    return random_.uniform(raw(from) * std::uint64_t{items_} + raw(to)) - 0.3;
  }
  double score_of(std::span<const HistoryEvent> history, ItemIndex item) const {
    double score = bias_ * random_.fork("bias").uniform(raw(item));
    for (std::size_t e = 0; e < history.size(); ++e) {
      const auto after = static_cast<double>(history.size() - 1 - e);
      score += std::pow(decay_, after) * weight(history[e].item, item);
    }
    return score;
  }

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(n));
    for (std::size_t q = 0; q < queries.size(); ++q) {
      std::vector<Candidate> all;
      for (std::uint32_t i = 0; i < items_; ++i) {
        if (!mask_of(masks, q).allows(ItemIndex{i})) continue;
        all.push_back(
            {ItemIndex{i}, static_cast<float>(score_of(queries[q].history, ItemIndex{i}))});
      }
      std::sort(all.begin(), all.end(), better);
      all.resize(std::min(all.size(), static_cast<std::size_t>(n)));
      std::copy(all.begin(), all.end(), out.room(q).begin());
      out.set_count(q, all.size());
    }
  }
  // A known user has a fitted row that does not look at the history at all.
  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    ++calls;
    for (std::size_t i = 0; i < items.size(); ++i) {
      scores[i] = query.user ? 1 : static_cast<float>(score_of(query.history, items[i]));
    }
  }
  void save(ArchiveWriter&) const override {}

  mutable int calls = 0;

 private:
  std::uint32_t items_;
  Random random_;
  double decay_, bias_;
};

// Lists what it was told, whatever the mask says.
class ListModel final : public Model {
 public:
  explicit ListModel(std::vector<std::uint32_t> list) : list_(std::move(list)) {}
  void retrieve(std::span<const Query> queries, std::span<const ItemMask>, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(n));
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const std::size_t count = std::min(list_.size(), static_cast<std::size_t>(n));
      for (std::size_t i = 0; i < count; ++i) {
        out.room(q)[i] = {ItemIndex{list_[i]}, static_cast<float>(count - i)};
      }
      out.set_count(q, count);
    }
  }
  void score(const Query&, std::span<const ItemIndex>, std::span<float> scores) const override {
    std::fill(scores.begin(), scores.end(), 1.0f);
  }
  void save(ArchiveWriter&) const override {}

 private:
  std::vector<std::uint32_t> list_;
};

}  // namespace vitrine::rank_testing

// The members of a blend, and their scores on one scale. Internal to blend.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/blend.h"
#include "model/model.h"

namespace vitrine {

struct BlendMember {
  std::string name;
  const ModelKind* kind = nullptr;
  Table options;  // complete
  float weight = 1;
  std::unique_ptr<const Model> model;  // null before fitting, and where the weight is 0
};

// Options with their members; kInvalid for what cannot be.
struct BlendSetup {
  BlendOptions options;
  std::vector<BlendMember> members;
};
Result<BlendSetup> read_blend(const Table& table);

// Fits those members that have no model and a positive weight.
Status fit_members(const Run& run, const TrainingSet& set, std::span<BlendMember> members);

// Queries whose members' lists are held at once: fewer where lists are long.
inline std::size_t queries_at_once(int depth) {
  constexpr int kMost = 256, kListed = kMost * 1000;  // items of one member's lists
  return static_cast<std::size_t>(std::clamp(kListed / depth, 1, kMost));
}

// The members' best `depth` items for a batch of queries, under no mask.
class MemberLists {
 public:
  MemberLists(std::span<const BlendMember> members, std::span<const Query> queries, int depth);

  std::span<const Candidate> list(std::size_t member, std::size_t query) const {
    return blocks_[member].row(query);
  }
  // 1 / d of each member, 0 for one without scores.
  std::vector<float> scales(std::size_t query) const;

 private:
  std::vector<CandidateBlock> blocks_;
};

// What a place in a list adds under "rank"; `place` counts from 0.
inline float reciprocal_rank(std::size_t place) {
  constexpr float kRankConstant = 60;
  return 1 / (kRankConstant + 1 + static_cast<float>(place));
}

// For each member the weight that maximises the mean ndcg@20 over persons held out of `set`; all 1
// where nothing can be held out. The members are fitted for it and come back without models.
Result<std::vector<float>> learn_weights(const Run& run, const BlendOptions& options,
                                         std::vector<BlendMember>& members, const TrainingSet& set);

}  // namespace vitrine

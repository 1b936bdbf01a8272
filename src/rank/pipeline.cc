#include "rank/pipeline.h"

#include <fmt/format.h>

#include <algorithm>

#include "rank/explain.h"
#include "rank/fuse.h"

namespace vitrine {
namespace {

ItemMask mask_of_request(const PipelineRequest& request) {
  return {request.allowed, request.excluded};
}

// Each source's best candidates under the mask.
std::vector<CandidateBlock> retrieve(const PipelineRequest& request,
                                     std::span<const Source> sources, int candidates) {
  std::vector<CandidateBlock> blocks(sources.size());
  const ItemMask mask = mask_of_request(request);
  for (std::size_t s = 0; s < sources.size(); ++s) {
    if (sources[s].model == nullptr || !(sources[s].weight > 0)) {
      blocks[s].reset(1, 0);
      continue;
    }
    sources[s].model->retrieve({&request.query, 1}, {&mask, 1}, candidates, blocks[s]);
  }
  return blocks;
}

std::vector<FusedCandidate> fuse_blocks(std::span<const CandidateBlock> blocks,
                                        std::span<const Source> sources, double k) {
  std::vector<RankedList> lists;
  for (std::uint32_t s = 0; s < sources.size(); ++s) {
    lists.push_back({blocks[s].row(0), s, sources[s].weight});
  }
  return fuse(lists, k);
}

// Whatever a model answers: nothing outside the mask goes on from here.
void gate(std::vector<FusedCandidate>& candidates, const ItemMask& mask) {
  std::erase_if(candidates, [&](const FusedCandidate& c) { return !mask.allows(c.item); });
}

Slate top(std::span<const FusedCandidate> candidates, std::span<const Source> sources,
          std::size_t n) {
  Slate slate;
  for (const FusedCandidate& c : candidates.first(std::min(n, candidates.size()))) {
    slate.items.push_back({c.item, c.score, 1, std::string(sources[c.source].name), {}});
  }
  return slate;
}

// The fallback lists what the slate does not have yet, through the same gate.
void fill_up(Slate& slate, const PipelineRequest& request, std::size_t n) {
  if (slate.items.size() >= n || request.fallback == nullptr) return;
  std::vector<ItemIndex> excluded(request.excluded.begin(), request.excluded.end());
  for (const SlateItem& item : slate.items) excluded.push_back(item.item);
  std::sort(excluded.begin(), excluded.end());
  ItemMask mask{request.allowed, excluded};
  CandidateBlock block;
  request.fallback->retrieve({&request.query, 1}, {&mask, 1},
                             static_cast<int>(n - slate.items.size()), block);
  const std::size_t listed = slate.items.size();
  std::vector<ItemIndex> added;
  for (const Candidate& c : block.row(0)) {
    const bool repeated = std::find(added.begin(), added.end(), c.item) != added.end();
    if (repeated || !mask.allows(c.item) || slate.items.size() == n) continue;
    slate.items.push_back({c.item, 0, 1, std::string(request.fallback_name), {}});
    added.push_back(c.item);
  }
  if (slate.items.size() == listed) return;
  slate.degraded = listed == 0 ? fmt::format("the models list nothing: {}", request.fallback_name)
                               : fmt::format("the models list {} of {} items: {} fills up", listed,
                                             n, request.fallback_name);
}

// Each item is explained by the model that contributed most to it; items of the fallback by none.
void explain_slate(Slate& slate, std::span<const FusedCandidate> candidates,
                   const PipelineRequest& request, std::span<const Source> sources,
                   const PipelineOptions& options) {
  const ExplainOptions limits{static_cast<std::size_t>(options.reasons),
                              static_cast<std::size_t>(options.reason_events)};
  const std::size_t listed = std::min(candidates.size(), slate.items.size());
  for (std::uint32_t s = 0; s < sources.size(); ++s) {
    std::vector<ItemIndex> items;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < listed; ++i) {
      if (candidates[i].source != s) continue;
      items.push_back(candidates[i].item);
      places.push_back(i);
    }
    if (items.empty()) continue;
    auto reasons = explain(*sources[s].model, request.query, items, limits);
    for (std::size_t i = 0; i < items.size(); ++i) {
      slate.items[places[i]].reasons = std::move(reasons[i]);
    }
  }
}

}  // namespace

Slate run_pipeline(const PipelineRequest& request, std::span<const Source> sources,
                   const PipelineOptions& options) {
  const int wanted = std::max(0, request.n);
  const auto n = static_cast<std::size_t>(wanted);
  if (n == 0) return {};

  const auto blocks = retrieve(request, sources, std::max(wanted, options.candidates));
  auto candidates = fuse_blocks(blocks, sources, options.fusion_k);
  gate(candidates, mask_of_request(request));
  // rank: the order of the fusion stands; a learned ranker re-orders `candidates` here.
  // diversify: none; a re-ranker of the whole list goes here.
  Slate slate = top(candidates, sources, n);
  // explore: none, so every place shows its item with propensity 1.
  fill_up(slate, request, n);
  if (slate.items.size() < n) {
    slate.shortfall =
        fmt::format("{} of {} items: nothing else may be shown", slate.items.size(), n);
  }
  if (request.explain) explain_slate(slate, candidates, request, sources, options);
  return slate;
}

}  // namespace vitrine

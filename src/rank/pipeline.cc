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

// Scratch of one thread, kept between requests.
struct Scratch {
  std::vector<CandidateBlock> blocks;  // one per source
  std::vector<RankedList> lists;
  std::vector<FusedCandidate> candidates;
  std::vector<std::string_view> left_out;  // what there was no time for
};

Scratch& scratch() {
  thread_local Scratch scratch;
  return scratch;
}

bool is_on(const Source& source) { return source.model != nullptr && source.weight > 0; }

bool is_late(const PipelineRequest& request) { return request.is_late && request.is_late(); }

// Each source's best candidates under the mask, as long as there is time.
void retrieve(const PipelineRequest& request, std::span<const Source> sources, int candidates,
              Scratch& s) {
  s.blocks.resize(std::max(s.blocks.size(), sources.size()));
  s.left_out.clear();
  const ItemMask mask = mask_of_request(request);
  for (std::size_t place = 0; place < sources.size(); ++place) {
    const std::size_t i = request.cascade.empty() ? place : request.cascade[place];
    s.blocks[i].reset(1, 0);
    if (!is_on(sources[i])) continue;
    if (is_late(request))
      s.left_out.push_back(sources[i].name);
    else
      sources[i].model->retrieve({&request.query, 1}, {&mask, 1}, candidates, s.blocks[i]);
  }
}

// The best n, in order, at the front of s.candidates. Whatever a model answers: nothing outside the
// mask is among them.
void fuse_and_gate(const PipelineRequest& request, std::span<const Source> sources, double k,
                   std::size_t n, Scratch& s) {
  s.lists.clear();
  for (std::uint32_t i = 0; i < sources.size(); ++i) {
    s.lists.push_back({s.blocks[i].row(0), i, sources[i].weight});
  }
  fuse(s.lists, k, s.candidates);
  best_first(s.candidates, n);
  const ItemMask mask = mask_of_request(request);
  const auto refused = [&](const FusedCandidate& c) { return !mask.allows(c.item); };
  const auto end =
      s.candidates.begin() + static_cast<std::ptrdiff_t>(std::min(n, s.candidates.size()));
  if (std::none_of(s.candidates.begin(), end, refused)) return;
  std::erase_if(s.candidates, refused);
  best_first(s.candidates, n);
}

// A list alone keeps its order, so nothing beyond n can matter, unless the model lists what it must
// not; several lists move each other's candidates.
void find_candidates(const PipelineRequest& request, std::span<const Source> sources,
                     const PipelineOptions& options, Scratch& s) {
  const auto n = static_cast<std::size_t>(request.n);
  const int most = std::max(request.n, options.candidates);
  const bool alone = std::count_if(sources.begin(), sources.end(), is_on) == 1;
  retrieve(request, sources, alone ? request.n : most, s);
  fuse_and_gate(request, sources, options.fusion_k, n, s);
  if (!alone || request.n == most || s.candidates.size() >= n) return;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (s.blocks[i].row(0).size() < n) continue;  // it had no more to list
    retrieve(request, sources, most, s);
    fuse_and_gate(request, sources, options.fusion_k, n, s);
    return;
  }
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
  slate.listed = slate.items.size();
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
  slate.filled_up = listed == 0 ? fmt::format("the models list nothing: {}", request.fallback_name)
                                : fmt::format("the models list {} of {} items: {} fills up", listed,
                                              n, request.fallback_name);
  slate.degraded = slate.filled_up;
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

void say_what_is_left_out(Slate& slate, std::span<const std::string_view> left_out) {
  if (left_out.empty()) return;
  const std::string late = fmt::format("out of time: without {}", fmt::join(left_out, ", "));
  slate.degraded = slate.degraded.empty() ? late : late + "; " + slate.degraded;
}

}  // namespace

Slate run_pipeline(const PipelineRequest& request, std::span<const Source> sources,
                   const PipelineOptions& options) {
  const int wanted = std::max(0, request.n);
  const auto n = static_cast<std::size_t>(wanted);
  if (n == 0) return {};

  Scratch& s = scratch();
  find_candidates(request, sources, options, s);  // retrieve, fuse, gate
  const std::vector<FusedCandidate>& candidates = s.candidates;
  // rank: the order of the fusion stands; a learned ranker re-orders `candidates` here.
  // diversify: none; a re-ranker of the whole list goes here.
  Slate slate = top(candidates, sources, n);
  fill_up(slate, request, n);
  if (slate.items.size() < n) {
    slate.shortfall =
        fmt::format("{} of {} items: nothing else may be shown", slate.items.size(), n);
  }
  const bool explained = request.explain && !is_late(request);
  if (explained) explain_slate(slate, candidates, request, sources, options);
  if (request.explain && !explained) s.left_out.push_back("reasons");
  say_what_is_left_out(slate, s.left_out);
  explore(slate, request.exploration);  // last: what comes in has no reasons
  return slate;
}

}  // namespace vitrine

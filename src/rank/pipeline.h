// A request through the house, in the order of execution: retrieve, fuse, gate, rank, diversify,
// explore, explain. A stage that is not configured is the identity. Pure: no clock, no I/O, any
// thread.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/options.h"
#include "index/mask.h"
#include "model/model.h"
#include "rank/explore.h"
#include "rank/slate.h"

namespace vitrine {

struct PipelineOptions {
  int candidates = 300;    // per model
  double fusion_k = 60;    // reciprocal-rank fusion: 1 / (k + rank)
  int reasons = 3;         // per item
  int reason_events = 50;  // latest history events that are tried as reasons
  static constexpr auto fields() {
    using O = PipelineOptions;
    return std::tuple{
        Field{"candidates", &O::candidates, 1, 10'000, "how many candidates each model retrieves"},
        Field{"fusion_k", &O::fusion_k, 0.0, 1e4,
              "constant of reciprocal-rank fusion; larger trusts the ranks less"},
        Field{"reasons", &O::reasons, 0, 10, "reasons given per item"},
        Field{"reason_events", &O::reason_events, 1, 500,
              "latest events that are tried as reasons"}};
  }
};

// A model with its name and its weight in the fusion; a weight of 0 or less switches it off.
struct Source {
  std::string_view name;
  const Model* model;
  float weight = 1;
};

struct PipelineRequest {
  Query query = {};
  const Bitmap* allowed = nullptr;  // what may be shown: the gate. Null: everything (tests only)
  // Ascending: the request's own and, under repeat = never, the seen.
  std::span<const ItemIndex> excluded = {};
  int n = 10;
  bool explain = false;
  const Model* fallback = nullptr;  // fills up when the sources list too few (popularity)
  std::string_view fallback_name = "popularity";
  Exploration exploration = {};  // of candidates that the mask allows
  // The order in which sources are asked, as indexes of them; empty: as they come. What comes late
  // in it is left out first when time runs out.
  std::span<const std::uint32_t> cascade = {};
  std::function<bool()> is_late = {};  // whether the time for this request is over; none: never
};

// At most request.n items, distinct, all of them inside the mask whatever the models answer, by
// falling score; items of the fallback come last with score 0. degraded says that the fallback had
// to help and why, or what time was too short for, shortfall that even so there are fewer than n.
// No source, no history, an n beyond the catalogue, or n <= 0 are all fine. Reasons name events of
// request.query.history.
Slate run_pipeline(const PipelineRequest& request, std::span<const Source> sources,
                   const PipelineOptions& options);

}  // namespace vitrine

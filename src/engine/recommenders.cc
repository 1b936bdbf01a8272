#include "engine/recommenders.h"

namespace vitrine {

Recommender pipeline_recommender(std::string name, std::vector<Source> sources,
                                 const PipelineOptions& options, const Model* fallback) {
  Recommender recommender;
  recommender.name = std::move(name);
  recommender.recommend = [sources = std::move(sources), options, fallback](
                              std::span<const Query> queries,
                              std::span<const std::span<const ItemIndex>> excluded, int n,
                              CandidateBlock& out) {
    out.reset(queries.size(), static_cast<std::size_t>(n));
    for (std::size_t q = 0; q < queries.size(); ++q) {
      PipelineRequest request{queries[q], nullptr, excluded[q], n, false, fallback};
      const Slate slate = run_pipeline(request, sources, options);
      const auto room = out.room(q);
      for (std::size_t i = 0; i < slate.items.size(); ++i) {
        room[i] = {slate.items[i].item, slate.items[i].score};
      }
      out.set_count(q, slate.items.size());
    }
  };
  return recommender;
}

}  // namespace vitrine

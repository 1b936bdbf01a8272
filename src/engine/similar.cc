#include "engine/similar.h"

namespace vitrine {
namespace {

constexpr std::string_view kBehaviour[] = {"item_knn", "slim", "ease"};
constexpr std::string_view kContent[] = {"content"};
constexpr std::string_view kGraph[] = {"rp3beta", "spectral"};
constexpr std::string_view kEmbedding[] = {"node_embedding", "als", "lightgcn", "bpr"};
constexpr std::string_view kTogether[] = {"together"};

constexpr SimilarWay kWays[] = {
    {SimilarBy::kBehaviour, "behaviour", kBehaviour, "Liked by the same people as "},
    {SimilarBy::kContent, "content", kContent, "Described like "},
    {SimilarBy::kGraph, "graph", kGraph, "Near, by who took what, to "},
    {SimilarBy::kEmbedding, "embedding", kEmbedding, "Near, as a learned vector, to "},
    {SimilarBy::kTogether, "together", kTogether, "Bought together with "},
};

}  // namespace

std::span<const SimilarWay> similar_ways() { return kWays; }

const SimilarWay& similar_way(SimilarBy by) {
  for (const SimilarWay& way : kWays) {
    if (way.by == by) return way;
  }
  return kWays[0];
}

Result<SimilarBy> parse_similar(std::string_view name) {
  std::string known;
  for (const SimilarWay& way : kWays) {
    if (way.name == name || name.empty()) return way.by;
    known += (known.empty() ? "" : ", ") + std::string(way.name);
  }
  return Error{Code::kInvalid,
               "by: expected one of " + known + ", found '" + std::string(name) + "'"};
}

}  // namespace vitrine

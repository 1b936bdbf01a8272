// The ways in which two items can be alike, and the models that know each.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace vitrine {

enum class SimilarBy { kBehaviour, kContent, kGraph, kEmbedding, kTogether };

struct SimilarWay {
  SimilarBy by;
  std::string_view name;                    // on the command line and in requests
  std::span<const std::string_view> kinds;  // of models that answer, the best first
  std::string_view relation;                // "Similar to": before the item's name
};

std::span<const SimilarWay> similar_ways();
const SimilarWay& similar_way(SimilarBy by);
// By name; empty means behaviour. kInvalid naming the known ones.
Result<SimilarBy> parse_similar(std::string_view name);

}  // namespace vitrine

// The whole pipeline over several models as something that can be evaluated.
#pragma once

#include <string>
#include <vector>

#include "eval/evaluate.h"
#include "model/model.h"
#include "rank/pipeline.h"

namespace vitrine {

// Refers to the models; they have to live longer.
Recommender pipeline_recommender(std::string name, std::vector<Source> sources,
                                 const PipelineOptions& options, const Model* fallback);

}  // namespace vitrine

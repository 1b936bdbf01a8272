// The record of a list that was shown, as one line of the slate stream: docs/formats.md.
#pragma once

#include <string>

#include "engine/engine.h"

namespace vitrine {

std::string slate_record(const Answer& answer, const RecommendRequest& request, Timestamp time,
                         std::size_t offset = 0);

}  // namespace vitrine

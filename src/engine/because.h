// Reasons as one sentence.
#pragma once

#include <span>
#include <string>

#include "engine/engine.h"

namespace vitrine {

// "because you bought A (62 %) and B (20 %) and looked at C (5 %)"; empty without reasons. An item
// without a title is called by its id.
std::string because_sentence(std::span<const AnsweredReason> reasons);

}  // namespace vitrine

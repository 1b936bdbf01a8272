// Bodies read in one pass, without a tree, as nearly all of them are written. Nothing is said of
// what is wrong with a body: it is then read the slow way, whose errors are the answer.
#pragma once

#include <optional>

#include "base/json_view.h"
#include "engine/engine.h"
#include "server/routes.h"

namespace vitrine {

// What read_request() makes of the body; nothing when it must look itself: the body is no such
// object, or it brings a history or a context.
std::optional<RecommendRequest> quick_request(const Call& call);

// What event_from_json() makes of it; nothing when that must look itself.
std::optional<Event> quick_event(const JsonView& json, const EventTypes& types);

}  // namespace vitrine

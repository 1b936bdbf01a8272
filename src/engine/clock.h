// The only clock below server/ and cli/.
#pragma once

#include "data/ids.h"

namespace vitrine {

Timestamp wall_clock();

// Where an engine has the time of day from; tests have another. It may stand still and jump either
// way: nothing may wait for it. Thread-safe.
using TimeOfDay = Timestamp (*)();

}  // namespace vitrine

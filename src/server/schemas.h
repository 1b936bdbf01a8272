// The JSON schemas of bodies and answers, by the names that the routes table uses.
#pragma once

#include "base/value.h"

namespace vitrine {

Table all_schemas();  // name -> JSON Schema (2020-12, as OpenAPI 3.1 takes it)

}  // namespace vitrine

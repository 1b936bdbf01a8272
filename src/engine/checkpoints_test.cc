#include "engine/checkpoints.h"

#include <gtest/gtest.h>

#include "engine/engine_testing.h"

namespace vitrine {
namespace {

}  // namespace
}  // namespace vitrine

// Deterministic simulation of log, state and trainer: one seed is one run. VITRINE_SEED=N runs that
// seed alone and tells its story.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/reliability/form.h"
#include "tests/reliability/simulation.h"

namespace vitrine {
namespace {

constexpr std::uint64_t kSeeds = kSanitized ? 100 : 1'000;

// What the shop says on the way (a checkpoint that cannot be used) is part of the story.
void run(std::uint64_t seed, bool tell) {
  testing::internal::CaptureStderr();
  Simulation simulation(seed);
  simulation.run();
  const std::string said = testing::internal::GetCapturedStderr();
  if (!tell && !testing::Test::HasFailure()) return;
  std::printf("seed %llu: %s\n%s", static_cast<unsigned long long>(seed),
              simulation.story().c_str(), said.c_str());
}

TEST(Simulation, WhateverHappensNothingAcknowledgedIsLost) {
  if (const char* seed = std::getenv("VITRINE_SEED"))
    return run(std::strtoull(seed, nullptr, 10), true);
  for (std::uint64_t seed = 1; seed <= (long_form() ? 20 : 1) * kSeeds; ++seed) {
    run(seed, false);
    if (HasFailure()) {
      std::printf("again: VITRINE_SEED=%llu reliability_simulation_test\n",
                  static_cast<unsigned long long>(seed));
      return;
    }
  }
}

}  // namespace
}  // namespace vitrine

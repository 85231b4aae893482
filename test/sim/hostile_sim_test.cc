// SPDX-License-Identifier: Apache-2.0
// Two ends on a network that does its worst, in virtual time. Each seed is one run;
// MILLRACE_SIM_SEEDS sets how many, MILLRACE_SIM_SEED runs one alone. `scripts/simulate
// --seeds N` runs them by the thousand.
#include <gtest/gtest.h>

#include "test/sim/hostile_scenario.h"
#include "test/sim/sim_seeds.h"

namespace millrace::test {
namespace {

TEST(HostileSim, EachSeedEndsInAgreementOrAReasonedClose) {
  const SimSeeds seeds = SimSeeds::from_environment(500);
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    HostileScenario scenario(seed);
    for (const std::string& fault : scenario.run()) {
      ADD_FAILURE() << "MILLRACE_SIM_SEED=" << seed << ": " << fault;
    }
    ASSERT_FALSE(HasFailure());
  }
}

TEST(HostileSim, ARunIsAFunctionOfItsSeed) {
  std::uint64_t previous = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    HostileScenario once(seed);
    once.run();
    HostileScenario again(seed);
    again.run();
    ASSERT_EQ(once.trace_hash(), again.trace_hash()) << seed;
    ASSERT_NE(once.trace_hash(), previous) << "the hash says nothing";
    previous = once.trace_hash();
  }
}

// The runs would prove nothing if they did not do what they are named for.
TEST(HostileSim, RunsDoTheirWorst) {
  HostileScenario::Coverage all;
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    HostileScenario scenario(seed);
    scenario.run();
    all += scenario.coverage();
  }
  EXPECT_GT(all.messages, 5000u);
  EXPECT_GT(all.delivered, all.messages / 3);
  EXPECT_GT(all.restarts, 20u);
  EXPECT_GT(all.resets, 200u);
  EXPECT_GT(all.refused, 5u);
  EXPECT_GT(all.aborts, 5u);
  EXPECT_GT(all.early_shutdowns, 3u);
  EXPECT_GT(all.corrupt_dropped, 500u);
  EXPECT_GT(all.pauses, 50u);
  EXPECT_GT(all.full_windows, 3u);
  EXPECT_GT(all.path_changes, 30u);
  EXPECT_GT(all.given_up, 100u);
  EXPECT_GT(all.retransmissions, 2000u);
  EXPECT_GT(all.interleaved, 40u);
  EXPECT_LT(all.interleaved, 100u);
  EXPECT_GT(all.parts, 50u);
  EXPECT_GT(all.streamed, 50u);
}

}  // namespace
}  // namespace millrace::test
